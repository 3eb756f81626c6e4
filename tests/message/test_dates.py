"""The Date field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.dates import parse_date

MOMENT = int(datetime(2025, 11, 24, 9, 59, 58, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("value", "zone"),
    [
        ("Mon, 24 Nov 2025 10:59:58 +0100", 60),
        ("Mon, 24 Nov 2025 09:59:58 +0000", 0),
        ("24 Nov 2025 09:59:58 -0000", 0),
        ("Mon, 24 Nov 2025 09:59:58 GMT", 0),
        ("Mon, 24 Nov 2025 09:59:58", 0),
        ("Mon, 24 Nov 2025 09:59:58 Z", 0),
        ("Mon, 24 Nov 2025 09:59:58 A", 0),  # RFC 5322 §4.3: the military letters mean UTC
        ("Mon, 24 Nov 2025 04:59:58 EST", -300),
        ("Mon, 24 Nov 2025 01:59:58 PST", -480),
        ("Mon, 24 Nov 25 09:59:58 +0000", 0),
        ("Mon, 24 Nov 125 09:59:58 +0000", 0),
        ("Mon,24 Nov 2025 9:59:58 +0000 (UTC)", 0),
        ("  Mon,\t24  Nov  2025  15:29:58  +0530", 330),
        ("Monday, 24-Nov-25 09:59:58 GMT", 0),
        ("Mon, 24 November 2025 09.59.58 +0000", 0),
        ("Mon, 24 Nov 2025 09:59:58.123 +0000", 0),
        ("Mon, 24 Nov 2025 09:59:58 +9900", 0),
        ("Mon Nov 24 09:59:58 2025", 0),
        ("Mon Nov 24 10:59:58 CET 2025", 60),
        ("2025-11-24T12:59:58+03:00", 180),
        # RFC 5322 §4.3, and its appendix A.6.3
        ("Mon, 24 Nov 2025 09(comment):   59  :  58 +0000", 0),
        ("(x) Mon (y), 24 (x (y)) Nov(x)2025 (\\)) 10:59:58 (x) +0100 (CET)", 60),
        ("Mon, 24 Nov 2025 09:59:58 +0000 (unclosed", 0),
        ("(" + "x" * 1000 + ") 24 Nov 2025 09:59:58", 0),
        # defined by no RFC
        (", 24 Nov 2025 09:59:58 +0000", 0),
        ("Mon, 24 Nov 2025 12:59:58 +03:00", 180),
        ("Mon, 24 Nov 2025 12:59:58 GMT+0300", 180),
        ("Mon, 24 Nov 2025 12:59:58 UTC +03:00", 180),
        ("Mon, 24 Nov 2025 06:59:58 -3", -180),
        ("Mon Nov 24 11:59:58 2025 +0200", 120),
        ("Mon Nov 24 11:59:58 +0200 2025", 120),
        ("Nov 24, 2025 09:59:58 +0000", 0),
        ("Monday, November 24, 2025 at 9:59:58 AM", 0),
        ("Nov 24, 2025, 9:59:58 p.m. +1200", 720),
        ("24 de noviembre de 2025 09:59:58", 0),
        ("lun nov 24 09:59:58 2025", 0),
        ("Pzt, 24 Kas 2025 12:59:58 +0300", 180),
        ("2025-11-24 09:59:58Z", 0),
    ],
)
def test_the_same_moment_in_many_forms(value: str, zone: int) -> None:
    assert parse_date(value.encode()) == (MOMENT, zone)


@pytest.mark.parametrize(
    ("word", "month"),
    [
        ("Tem", 7),
        ("AĞU", 8),
        ("A\xf0u", 8),
        ("\xdeub", 2),
        ("Şubat", 2),
        ("maj", 5),
        ("MAI", 5),
        ("juil.", 7),
        ("set", 9),
    ],
)
def test_a_month_may_be_named_in_another_language(word: str, month: int) -> None:
    octets = word.encode("latin-1") if word.isascii() or max(word) < "\u0100" else word.encode()
    found = parse_date(b"13 " + octets + b" 2010")
    assert found == (int(datetime(2010, month, 13, tzinfo=UTC).timestamp()), 0)


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("Mon, 24 Nov 2025", "2025-11-24T00:00:00"),
        ("Mon, 24 Nov 2025 10:59 +0000", "2025-11-24T10:59:00"),
        ("Mon, 24 Nov 2025 25:00:00 +0000", "2025-11-24T00:00:00"),
        ("31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59"),
        ("1 Jan 49 00:00:00 +0000", "2049-01-01T00:00:00"),
        ("1 Jan 50 00:00:00 +0000", "1950-01-01T00:00:00"),
    ],
)
def test_an_impossible_time_is_midnight(value: str, at: str) -> None:
    assert parse_date(value.encode()) == (int(datetime.fromisoformat(at + "+00:00").timestamp()), 0)


@pytest.mark.parametrize(
    "value",
    # "lis" is November in Polish and October in Croatian
    [
        "24 lis 2025",
        "",
        "yesterday",
        "31 Feb 2025 00:00:00 +0000",
        "1 Foo 2025",
        "0 Jan 2025",
        "1 Jan 0000",
        "Mon, ",
        "1",
    ],
)
def test_texts_that_are_no_date(value: str) -> None:
    assert parse_date(value.encode()) is None


@given(
    st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2999, 12, 31)),
    st.integers(min_value=-12 * 60, max_value=14 * 60),
)
def test_dates_of_rfc_5322_round_trip(local: datetime, zone: int) -> None:
    local = local.replace(microsecond=0)
    sign, east = ("-", -zone) if zone < 0 else ("+", zone)
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    value = f"{local.day} {months[local.month - 1]} {local.year} {local:%H:%M:%S} {sign}{east // 60:02}{east % 60:02}"
    moment = local.replace(tzinfo=UTC) - timedelta(minutes=zone)
    assert parse_date(value.encode()) == (int(moment.timestamp()), zone)


@given(st.binary(max_size=60))
def test_any_octets_are_a_date_or_none(value: bytes) -> None:
    found = parse_date(value)
    assert found is None or abs(found[1]) < 24 * 60


WORDS = st.text(st.characters(categories=("L", "N", "M")), min_size=1, max_size=12) | st.sampled_from(
    ["²²²", "٣٣٣", "③③③"]
)


@given(
    WORDS, WORDS, st.sampled_from(["{0} {1} 2024 10:00", "5 {0} {1} 10:00", "{0} 5, 2024", "5-{0}-{1}", "2024-{0}-{1}"])
)
def test_letters_and_digits_of_any_script_are_a_date_or_none(one: str, other: str, form: str) -> None:
    parse_date(form.format(one, other).encode())


@pytest.mark.parametrize("month", ["²²²", "③③③", "½½½", "٣٣٣"])
def test_digits_that_are_no_decimals_are_no_month(month: str) -> None:
    assert parse_date(f"5 {month} 2024 10:00:00 +0000".encode()) is None


def test_a_leap_second_belongs_to_the_day_that_it_ends() -> None:
    assert parse_date(b"Sat, 31 Dec 2016 23:59:60 +0000") == parse_date(b"Sat, 31 Dec 2016 23:59:59 +0000")
    assert parse_date(b"1 Jan 2017 08:59:60 (JST) +0900") == parse_date(b"1 Jan 2017 08:59:59 +0900")
