"""The cost of a search, and the first second of a day."""

from __future__ import annotations

from datetime import date

import pytest

from mektup.store.rules.search_cost import is_long, seconds_of
from mektup.terms.numbers import Uid
from mektup.terms.search import (
    All,
    And,
    Arrived,
    HasFlag,
    InBody,
    InSubject,
    InUids,
    Larger,
    Not,
    Or,
    Saved,
    SearchKey,
    When,
)
from mektup.terms.sets import Uids

CHEAP = (
    All(),
    HasFlag("\\Seen"),
    InUids(Uids.of([Uid(1)])),
    Arrived(When.ON, date(2022, 2, 7)),
    Larger(5),
    Saved(When.ON, date(2022, 2, 7)),
)


@pytest.mark.parametrize("text", [InBody("x"), InSubject("x")])
def test_text_is_long_to_look_for_wherever_it_stands(text: SearchKey) -> None:
    for key in (text, Not(text), Or(All(), text), And((*CHEAP, Not(Not(text))))):
        assert is_long(key)


def test_keys_about_a_messages_row_are_not_long() -> None:
    for key in (*CHEAP, And(CHEAP), Not(Or(*CHEAP[:2]))):
        assert not is_long(key)


def test_a_program_of_any_depth() -> None:
    key: SearchKey = InBody("x")
    for _ in range(20_000):
        key = Not(key)
    assert is_long(key)


def test_a_day_begins_where_the_message_came_from() -> None:
    assert seconds_of(When.ON, date(1970, 1, 1)) == range(86400)
    assert seconds_of(When.ON, date(2022, 2, 7)) == range(1644192000, 1644278400)
    assert seconds_of(When.ON, date(1969, 12, 31)) == range(-86400, 0)


@pytest.mark.parametrize(("when", "matching"), [(When.BEFORE, [6]), (When.ON, [7]), (When.SINCE, [7, 8])])
def test_each_comparison_with_a_day(when: When, matching: list[int]) -> None:
    noons = {day: seconds_of(When.ON, date(2022, 2, day)).start + 43200 for day in (6, 7, 8)}
    assert [day for day, noon in noons.items() if noon in seconds_of(when, date(2022, 2, 7))] == matching
