"""What FETCH and VANISHED tell of messages, as values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mektup.migration.imap import texts
from mektup.migration.imap.errors import NotUnderstood
from mektup.migration.imap.responses import Message, Untagged, Value
from mektup.terms.numbers import MAX_MODSEQ, MAX_UINT32, Uid
from mektup.terms.sets import NumberSet, Uids

MOST_FLAGS: Final = 1000
"""Flags of one message."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one FETCH response tells of a message; None for what it does not tell."""

    uid: Uid | None
    flags: tuple[str, ...] | None
    """Without \\Recent."""
    internaldate: tuple[int, int] | None
    """Seconds since 1970 UTC, and minutes east of UTC."""
    size: int | None
    modseq: int | None
    message: Message | bytes | None
    """Octets where the server sent a string in quotes."""


def fetched(response: Untagged) -> Fetched:
    """The values of a FETCH response. Raises NotUnderstood; then the spool of its message is closed."""
    items = dict(_pairs(response))
    body = items.get("BODY[]")
    message = body if isinstance(body, Message | bytes) else None
    try:
        uid, size, modseq = items.get("UID"), items.get("RFC822.SIZE"), items.get("MODSEQ")
        return Fetched(
            uid=None if uid is None else Uid(_number(uid, MAX_UINT32)),
            flags=None if "FLAGS" not in items else _flags(items["FLAGS"]),
            internaldate=_date(items.get("INTERNALDATE")),
            size=None if size is None else _number(size, MAX_MODSEQ),
            modseq=_number(modseq[0], MAX_MODSEQ) if isinstance(modseq, list) and modseq else None,
            message=message,
        )
    except NotUnderstood:
        if isinstance(message, Message):
            message.spool.close()
        raise


def _pairs(response: Untagged) -> Iterator[tuple[str, Value]]:
    items = response.values[0] if len(response.values) == 1 else None
    if not isinstance(items, list) or len(items) % 2:
        raise _wrong("FETCH")
    for name, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(name, str):
            raise _wrong("FETCH")
        yield name.upper(), value


def _number(value: Value, most: int) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= most:
        return int(value)
    raise _wrong(str(value)[:20])


def _flags(value: Value) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_FLAGS:
        raise _wrong("FLAGS")
    return tuple(flag for flag in value if isinstance(flag, str) and flag.lower() != "\\recent")


_DATE = re.compile(r" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}


def _date(value: Value | None) -> tuple[int, int] | None:
    """A date-time (RFC 9051 §9); None for what is none, because a message without its date is still a message."""
    found = _DATE.fullmatch(value.decode("ascii", "replace")) if isinstance(value, bytes) else None
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    zone = (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)
    try:
        moment = datetime(
            int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC
        )
    except (ValueError, KeyError):
        return None
    return int(moment.timestamp()) - zone * 60, zone


def vanished(response: Untagged) -> Uids:
    """The UIDs of a VANISHED response (RFC 7162 §3.2.10). Raises NotUnderstood."""
    known = response.values[-1] if response.values else None
    if not isinstance(known, str):
        raise _wrong("VANISHED")
    return uid_set(known)


_SET = re.compile(r"\d{1,10}(?::\d{1,10})?(?:,\d{1,10}(?::\d{1,10})?)*")


def uid_set(text: str) -> Uids:
    """The UIDs of a set without ``*``. Raises NotUnderstood."""
    if not _SET.fullmatch(text):
        raise _wrong(text[:20])
    runs = []
    for run in text.split(","):
        first, _, last = run.partition(":")
        ends = sorted((int(first), int(last or first)))
        runs.append((max(1, ends[0]), min(MAX_UINT32, ends[1])))
    return NumberSet(runs)


def _wrong(line: str) -> NotUnderstood:
    return NotUnderstood(texts.NO_RESPONSE.of(line=line))
