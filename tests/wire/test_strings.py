"""Values become strings on the wire; parsing these gives the same values."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.sets import NumberSet
from mektup.wire.arguments import date_time as read_date_time
from mektup.wire.cursor import CommandCursor
from mektup.wire.strings import astring, date_time, literal, nstring, quoted, spelled_out, string


@pytest.mark.parametrize(
    ("octets", "as_string", "as_astring"),
    [
        (b"", b'""', b'""'),
        (b"INBOX", b'"INBOX"', b"INBOX"),
        (b"a b", b'"a b"', b'"a b"'),
        (b'a"b\\', b'"a\\"b\\\\"', b'"a\\"b\\\\"'),
        (b"NIL", b'"NIL"', b'"NIL"'),
        (b"nil", b'"nil"', b'"nil"'),
        (b"NILS", b'"NILS"', b"NILS"),
        (b"a]", b'"a]"', b'"a]"'),
        (b"{5}", b'"{5}"', b'"{5}"'),
        (b"a*", b'"a*"', b'"a*"'),
        (b"a\tb", b'"a\tb"', b'"a\tb"'),
        (b"a\rb", b"{3}\r\na\rb", b"{3}\r\na\rb"),
        (b"\n", b"{1}\r\n\n", b"{1}\r\n\n"),
        (b"\0", b"{1}\r\n\x80", b"{1}\r\n\x80"),
        (b"k\xc3\xa4se", b"{5}\r\nk\xc3\xa4se", b"{5}\r\nk\xc3\xa4se"),
        (b'"\xff', b'{2}\r\n"\xff', b'{2}\r\n"\xff'),
    ],
)
def test_strings(octets: bytes, as_string: bytes, as_astring: bytes) -> None:
    assert string(octets) == nstring(octets) == as_string
    assert astring(octets) == as_astring


def test_nil_literal_and_quoted() -> None:
    assert nstring(None) == b"NIL"
    assert literal(b"") == b"{0}\r\n"
    assert quoted(b'"\xff\\') == b'"\\"\xff\\\\"'


def cursor_over(rendered: bytes) -> CommandCursor:
    if not rendered.startswith(b"{"):
        return CommandCursor((rendered,), (), utf8=False, limits=DEFAULT_LIMITS)
    head, octets = rendered.split(b"\r\n", 1)
    assert head == b"{%d}" % len(octets)
    return CommandCursor((b"", b""), (octets,), utf8=False, limits=DEFAULT_LIMITS)


@given(st.binary().filter(lambda octets: b"\0" not in octets))
def test_round_trip(octets: bytes) -> None:
    for rendered in (string(octets), astring(octets), literal(octets)):
        cursor = cursor_over(rendered)
        assert cursor.astring("a string") == octets
        assert cursor.at_end
    cursor = cursor_over(nstring(octets))
    assert cursor.nstring("a string") == octets


@pytest.mark.parametrize(
    ("seconds", "zone", "rendered"),
    [
        (837596665, -420, b'"17-Jul-1996 02:44:25 -0700"'),
        (0, 0, b'" 1-Jan-1970 00:00:00 +0000"'),
        (-1, 0, b'"31-Dec-1969 23:59:59 +0000"'),
        (0, 330, b'" 1-Jan-1970 05:30:00 +0530"'),
        (0, -30, b'"31-Dec-1969 23:30:00 -0030"'),
        (1709164800, 0, b'"29-Feb-2024 00:00:00 +0000"'),
        (253402181401, 360, b'"30-Dec-9999 20:50:01 +0600"'),
        (253402300799 + 3600, -60, b'"31-Dec-9999 23:59:59 -0100"'),
        (-62135596800 - 3600, 60, b'" 1-Jan-0001 00:00:00 +0100"'),
    ],
)
def test_date_time(seconds: int, zone: int, rendered: bytes) -> None:
    assert date_time(seconds, zone) == rendered


@pytest.mark.parametrize("seconds", [-(10**18), 10**18])
@pytest.mark.parametrize("zone", [-1439, 0, 1439])
def test_dates_outside_of_the_grammar_become_the_nearest_possible(seconds: int, zone: int) -> None:
    rendered = date_time(seconds, zone)
    assert len(rendered) == 28
    nearest = b" 1-Jan-0001 00:00:00 " if seconds < 0 else b"31-Dec-9999 23:59:59 "
    assert rendered[1:22] == nearest


LOCAL_SECONDS = st.datetimes().map(
    lambda moment: (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
)


@given(LOCAL_SECONDS, st.integers(-1439, 1439))
def test_date_time_round_trip(local: int, zone: int) -> None:
    seconds = local - zone * 60
    cursor = cursor_over(date_time(seconds, zone))
    assert read_date_time(cursor) == (seconds, zone)
    assert cursor.at_end


@pytest.mark.parametrize(
    ("text", "seconds", "zone"),
    [
        (b'" 1-Jan-1970 00:00:00 +0000"', 0, 0),
        (b'"1-jan-1970 00:00:00 -0000"', 0, 0),
        (b'"01-JAN-1970 00:00:60 +0000"', 60, 0),
        (b'"31-Dec-2016 23:59:60 +0000"', 1483228800, 0),
        (b'" 1-Jan-1970 00:00:00 +0100"', -3600, 60),
    ],
)
def test_unusual_forms_of_dates(text: bytes, seconds: int, zone: int) -> None:
    assert read_date_time(cursor_over(text)) == (seconds, zone)


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 2500)), max_size=6))
def test_numbers_are_spelled_out(pairs: list[tuple[int, int]]) -> None:
    numbers: NumberSet[int] = NumberSet((first, first + more) for first, more in pairs)
    assert spelled_out(numbers) == b" ".join(b"%d" % number for number in numbers)
