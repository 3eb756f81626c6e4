"""Which refusals are logged."""

from __future__ import annotations

import pytest

from mektup.session.refusal_log import LOG_SECONDS, RefusalLog
from mektup.store.faults import Fault, Kind
from mektup.terms.errors import Code, Refused
from mektup.terms.texts import Text


class Clock:
    """A clock that the test moves."""

    now = 10.0

    def __call__(self) -> float:
        return self.now


def refused(code: Code | None, *, uncertain: bool = False) -> Refused:
    return Refused(code, Text("no"), uncertain=uncertain)


def test_a_kind_is_logged_once_a_minute_with_the_number_of_others() -> None:
    clock = Clock()
    book = RefusalLog(clock)
    assert [book.passed_over(refused(Code.LIMIT)) for _ in range(4)] == [0, None, None, None]
    assert book.passed_over(refused(Code.INUSE)) == 0
    clock.now += LOG_SECONDS
    assert book.passed_over(refused(Code.LIMIT)) == 3
    clock.now += LOG_SECONDS
    assert book.passed_over(refused(Code.LIMIT)) == 0


@pytest.mark.parametrize("code", [None, Code.NONEXISTENT, Code.ALREADYEXISTS, Code.CANNOT, Code.AUTHENTICATIONFAILED])
def test_what_depends_on_the_request_alone_is_not_logged(code: Code | None) -> None:
    assert RefusalLog().passed_over(refused(code)) is None


def test_a_change_that_was_perhaps_made_is_logged_by_itself() -> None:
    book = RefusalLog()
    assert book.passed_over(refused(Code.UNAVAILABLE)) == 0
    assert book.passed_over(refused(Code.UNAVAILABLE, uncertain=True)) == 0
    assert book.passed_over(refused(None, uncertain=True)) == 0


def test_a_fault_that_the_store_has_logged_is_not_logged_again() -> None:
    book = RefusalLog()
    fault = Fault(Kind.FULL, "/data/a.db", "ENOSPC").refusal()
    assert book.passed_over(fault) is None
    fault.uncertain = True
    assert book.passed_over(fault) == 0
