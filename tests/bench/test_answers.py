"""The answers of two servers are equal if they mean the same, and only then."""

from __future__ import annotations

import pytest

from bench import answers

QUOTED = b'* 1 FETCH (UID 7 FLAGS (\\Seen \\Recent) INTERNALDATE "01-Jan-2026 02:00:00 +0200")\r\na OK done\r\n'
OTHERWISE = b'* 9 EXISTS\r\n* 1 FETCH (INTERNALDATE " 1-Jan-2026 00:00:00 +0000" FLAGS (\\Seen) UID 7)\r\nb OK\r\n'
NAMES = (b"UID", b"FLAGS", b"INTERNALDATE")


def test_the_order_of_items_recent_and_the_zone_of_a_date_are_levelled() -> None:
    assert answers.messages(QUOTED, *NAMES) == answers.messages(OTHERWISE, *NAMES)


@pytest.mark.parametrize(
    ("old", "new"), [(b"UID 7", b"UID 8"), (b"\\Seen", b"\\Draft"), (b"02:00:00", b"02:00:01"), (b"* 1", b"* 2")]
)
def test_real_differences_are_found(old: bytes, new: bytes) -> None:
    assert answers.messages(QUOTED.replace(old, new), *NAMES) != answers.messages(OTHERWISE, *NAMES)


def test_a_string_is_the_same_quoted_and_as_a_literal() -> None:
    quoted = b'* 1 FETCH (ENVELOPE ("a \\"b\\"" NIL ("x" "y")))\r\n'
    literal = b'* 1 FETCH (ENVELOPE ({5}\r\na "b" NIL ("x" {1}\r\ny)))\r\n'
    assert answers.messages(quoted, b"ENVELOPE") == answers.messages(literal, b"ENVELOPE")


def test_long_octets_are_compared_by_what_they_are() -> None:
    one, other = (b"* 1 FETCH (BODY[] {100}\r\n" + octet * 100 + b")\r\n" for octet in (b"x", b"y"))
    assert answers.messages(one, b"BODY[]") == answers.messages(one, b"BODY[]")
    assert answers.messages(one, b"BODY[]") != answers.messages(other, b"BODY[]")


def test_numbers_keep_their_order() -> None:
    assert answers.numbers(b"* SORT 3 1 2\r\n* SEARCH\r\na OK\r\n", b"SORT") == [[3, 1, 2]]
    assert answers.numbers(b"* SORT 3 1 2\r\n* SEARCH\r\na OK\r\n", b"SEARCH") == [[]]


def test_threads_are_the_same_in_another_order_of_siblings() -> None:
    one = answers.threads(b"* THREAD (1 2 (3)(4 5))(6)\r\n")
    assert one == answers.threads(b"* THREAD (6)(1 2 (4 5)(3))\r\n")
    assert one == [[(1, 0), (2, 1), (3, 2), (4, 2), (5, 4), (6, 0)]]


def test_a_thread_without_its_first_message_is_one_thread() -> None:
    assert answers.threads(b"* THREAD ((3)(4 5))\r\n") == [[(3, -3), (4, -3), (5, 4)]]


def test_statuses_are_read_by_name() -> None:
    octets = b'* STATUS "a b" (UNSEEN 2 MESSAGES 5)\r\n* STATUS c (MESSAGES 1 UNSEEN 0)\r\n'
    assert answers.statuses(octets, b"MESSAGES", b"UNSEEN") == [(b"a b", b"5", b"2"), (b"c", b"1", b"0")]


def test_a_set_is_all_of_its_numbers() -> None:
    assert answers.uid_set(b"1:3,7,9:9") == {1, 2, 3, 7, 9}


def test_a_difference_is_told_in_a_line() -> None:
    assert (
        answers.difference([1, [2, 3]], [1, [2, 4]])
        == "1 of 2 differ, first item 1: 1 of 2 differ, first item 1: 3 and 4"
    )
    assert answers.difference([1], [1, 2]) == "1 and 2 items"


def test_invalid_responses_are_errors() -> None:
    with pytest.raises(OSError, match="not a response"):
        list(answers.responses(b"* 1 FETCH (UID"))
