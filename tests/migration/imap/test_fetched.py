"""RFC 9051 §7.5.2, RFC 7162 §3.2.10: values of FETCH and VANISHED."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.migration.imap.errors import NotUnderstood
from mektup.migration.imap.fetched import fetched, uid_set, vanished
from mektup.migration.imap.responses import Untagged, Value
from mektup.terms.sets import NumberSet
from mektup.wire.strings import date_time


def fetch(*items: Value) -> Untagged:
    return Untagged("FETCH", 1, [list(items)])


def test_everything_that_is_asked() -> None:
    date = b"01-Feb-2026 10:20:30 +0200"
    found = fetched(
        fetch("UID", "9", "FLAGS", ["\\Seen", "\\Recent"], "INTERNALDATE", date, "RFC822.SIZE", "3", "MODSEQ", ["12"])
    )
    assert (found.uid, found.flags, found.size, found.modseq) == (9, ("\\Seen",), 3, 12)
    assert found.internaldate == (1769934030, 120)


@given(st.integers(0, 2**33), st.integers(-14 * 60, 14 * 60))
def test_a_date_is_read_as_this_server_writes_it(seconds: int, zone: int) -> None:
    assert fetched(fetch("INTERNALDATE", date_time(seconds, zone).strip(b'"'))).internaldate == (seconds, zone)


@pytest.mark.parametrize("date", [b"yesterday", b"32-Jan-2026 10:20:30 +0000", b"01-Foo-2026 10:20:30 +0000", "NIL"])
def test_a_date_that_is_none_is_not_told(date: Value) -> None:
    assert fetched(fetch("INTERNALDATE", date)).internaldate is None


@pytest.mark.parametrize(
    "response",
    [
        fetch("UID", "0x9"),
        fetch("UID", "4294967296"),
        fetch("UID", ["9"]),
        fetch("UID"),
        fetch("FLAGS", "\\Seen"),
        fetch(b"UID", "9"),
        Untagged("FETCH", 1, []),
    ],
)
def test_what_no_server_should_send_is_refused(response: Untagged) -> None:
    with pytest.raises(NotUnderstood):
        fetched(response)


def test_vanished() -> None:
    assert vanished(Untagged("VANISHED", None, [["EARLIER"], "1:3,9"])) == NumberSet([(1, 3), (9, 9)])
    assert vanished(Untagged("VANISHED", None, ["7"])) == NumberSet([(7, 7)])


@pytest.mark.parametrize("text", ["", "*", "1:*", "a", "1,,2", "99999999999"])
def test_a_set_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        uid_set(text)
