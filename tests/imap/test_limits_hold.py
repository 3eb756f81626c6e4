"""Every limit holds somewhere: a test or a transcript sets it to another value and sees it hold."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from mektup.message.headers import all_fields
from mektup.message.scan import scan
from mektup.store.intake import prepare_in_turn
from mektup.terms.limits import Limits

TESTS = Path(__file__).parents[1]
WRITTEN = "\n".join(
    path.read_text(encoding="utf-8", errors="replace")
    for path in sorted([*TESTS.rglob("*.py"), *TESTS.rglob("*.txt")])
    if path.name not in ("test_config.py", Path(__file__).name)
)
SHOWN_HERE = {"header_fields"}
NOT_SET_BY_TESTS = {
    "login_id_bytes",
    "login_seconds",
    "logins_waiting_per_address",
    "id_fields",
    "id_name_bytes",
    "id_value_bytes",
    "still_here_seconds",
    "worker_silence_seconds",
}
"""Tests of these, where there are any, use their default values. None may be added."""


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Limits)])
def test_every_limit_is_seen_to_hold(field: str) -> None:
    is_set = re.search(rf"\b{field}\s*=", WRITTEN) is not None
    assert is_set or field in SHOWN_HERE | NOT_SET_BY_TESTS


def test_fields_of_a_header_have_a_limit() -> None:
    header = b"".join(b"X-%d: %d\r\n" % (number, number) for number in range(10)) + b"\r\n"
    assert len(scan(header, Limits(header_fields=4))[0].fields) == 4
    assert len(all_fields(header * 1000, 4)) == 4


LONG = b"From: a@x.example\r\nTo: " + b"c@x.example, " * 5 + b"d@x.example\r\nMIME-Version: 1.0\r\n"
NESTED = LONG + b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(6)
)
REPLY = b"References: " + b" ".join(b"<%d@x>" % number for number in range(9)) + b"\r\n\r\nx\r\n"


@pytest.mark.parametrize(
    ("raw", "limits", "seen"),
    [
        (NESTED, {"mime_depth": 3}, lambda arrival: arrival.bodystructure.lower().count(b'"mixed"') == 2),
        (NESTED, {"mime_parts": 3}, lambda arrival: arrival.bodystructure.lower().count(b'"mixed"') == 2),
        (LONG + b"\r\n", {"addresses": 2}, lambda arrival: arrival.envelope.count(b'"c"') == 2),
        (LONG + b"\r\n", {"header_field_bytes": 15}, lambda arrival: arrival.envelope.count(b'"c"') == 2),
        (LONG + b"\r\n", {"header_bytes": 19}, lambda arrival: arrival.envelope.count(b'"c"') == 0),
        (LONG + b"\r\n", {"header_fields": 1}, lambda arrival: arrival.envelope.count(b'"c"') == 0),
        (REPLY, {"references": 2}, lambda arrival: arrival.references == ("7@x", "8@x")),
    ],
    ids=lambda value: "" if not isinstance(value, dict) else next(iter(value)),
)
async def test_limits_of_a_message_hold_when_it_comes_in(raw: bytes, limits: dict[str, int], seen: object) -> None:
    assert callable(seen)
    assert not seen(await prepare_in_turn(raw))
    assert seen(await prepare_in_turn(raw, Limits(**limits)))
