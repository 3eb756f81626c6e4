"""The fields that programs add to the messages of an mbox: flags, keywords, UIDs. They are no part of the message.

Known are Status, X-Status, X-Keywords, X-UID, X-IMAP and X-IMAPbase (Dovecot, Pine, mutt), X-Mozilla-Status, -Status2
and -Keys (Thunderbird), X-Gmail-Labels and X-GM-THRID (Google Takeout), and our own X-Mektup-Export.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mektup.terms.flags import objection_to_flag
from mektup.terms.limits import Limits
from mektup.terms.numbers import MAX_UINT32, Uid, UidValidity

FIELDS: Final = frozenset(
    {
        b"content-length",
        b"status",
        b"x-gm-thrid",
        b"x-gmail-labels",
        b"x-imap",
        b"x-imapbase",
        b"x-keywords",
        b"x-mozilla-keys",
        b"x-mozilla-status",
        b"x-mozilla-status2",
        b"x-status",
        b"x-uid",
    }
)

MARK: Final = b"x-mektup-export"
"""Ends the fields that our export put first: then all fields after it are the message's own, whatever their names."""

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]*((?:[^\n]|\n[ \t])*)\n?")
_STATUS: Final = {b"R": "\\Seen", b"A": "\\Answered", b"F": "\\Flagged", b"D": "\\Deleted", b"T": "\\Draft"}
_BASE: Final = re.compile(rb"(\d{1,10})\s+(\d{1,10})(?:\s+(.*))?", re.DOTALL)
_OWN: Final = re.compile(rb"size=(\d+); date=(-?\d+); zone=(-?\d+); saved=(\d+)(?:; uidvalidity=(\d+); uidnext=(\d+))?")

_MOZILLA: Final = {0x1: "\\Seen", 0x2: "\\Answered", 0x4: "\\Flagged", 0x1000: "$Forwarded"}
_MOZILLA_EXPUNGED: Final = 0x8


@dataclass(slots=True)
class Own:
    """What our export says of a message, which no other program writes."""

    size: int
    """Octets of the message as it is stored, with CRLF."""
    internaldate: int
    zone: int
    saved: int


@dataclass(slots=True)
class Status:
    """What the fields say of a message."""

    flags: frozenset[str] = frozenset()
    uid: Uid | None = None
    uidvalidity: UidValidity | None = None
    """In the first message of the file."""
    uidnext: Uid | None = None
    is_internal: bool = False
    """A message that some programs put first in a file, for themselves."""
    is_expunged: bool = False
    """Removed by the user, but not from the file yet."""
    labels: bytes | None = None
    """The value of X-Gmail-Labels."""
    own: Own | None = None
    spans: list[tuple[int, int]] = field(default_factory=list)
    """Where the fields are in the header, to leave them out."""


def read_status(header: bytes, limits: Limits) -> Status:
    """What the fields of *header* say, and where they are."""
    found = Status()
    values: dict[bytes, bytes] = {}
    for name, value, start, stop in _fields(header):
        if name == MARK:
            # one line: if the next one begins with a space, it is the message's own
            stop = header.find(b"\n", start, stop) + 1 or stop
            found.spans = [(found.spans[0][0] if found.spans else start, stop)]
            _read_own(found, value.partition(b"\n")[0].rstrip())
            break
        if name in FIELDS:
            values.setdefault(name, value)
            found.spans.append((start, stop))
    _read_flags(found, values, limits)
    _read_uids(found, values)
    found.labels = values.get(b"x-gmail-labels")
    found.is_internal = b"x-imap" in values and b"folder internal data" in header.lower()
    return found


def _fields(header: bytes) -> Iterable[tuple[bytes, bytes, int, int]]:
    """Name in lower case, value, start and end of each field; stops at what is no field."""
    at = 0
    while match := _FIELD.match(header, at):
        yield match[1].lower(), match[2].strip(), match.start(), match.end()
        at = match.end()


def _read_own(found: Status, value: bytes) -> None:
    match = _OWN.fullmatch(value)
    if match is None or max(map(len, match.groups(b""))) > 12:
        return
    found.own = Own(*(int(each) for each in match.groups()[:4]))
    if match[5] is not None and 0 < int(match[5]) <= MAX_UINT32:
        found.uidvalidity = UidValidity(int(match[5]))
        found.uidnext = Uid(min(max(1, int(match[6])), MAX_UINT32))


def _read_flags(found: Status, values: Mapping[bytes, bytes], limits: Limits) -> None:
    letters = values.get(b"status", b"") + values.get(b"x-status", b"")
    flags = {_STATUS[letter] for letter in map(bytes, zip(letters)) if letter in _STATUS}
    words = values.get(b"x-keywords", b"") + b" " + values.get(b"x-mozilla-keys", b"")
    flags |= {word.decode("ascii", "replace") for word in words.split()}
    mozilla = _hexadecimal(values.get(b"x-mozilla-status", b""))
    flags |= {flag for bit, flag in _MOZILLA.items() if mozilla & bit}
    found.is_expunged = bool(mozilla & _MOZILLA_EXPUNGED)
    found.flags = frozenset(each for each in flags if objection_to_flag(each, limits.keyword_bytes) is None)


def _hexadecimal(value: bytes) -> int:
    try:
        return int(value[:8], 16)
    except ValueError:
        return 0


def _read_uids(found: Status, values: Mapping[bytes, bytes]) -> None:
    uid = values.get(b"x-uid", b"")
    if uid.isdigit() and len(uid) < 11 and 0 < int(uid) < MAX_UINT32:
        found.uid = Uid(int(uid))
    base = _BASE.fullmatch(values.get(b"x-imapbase", values.get(b"x-imap", b"")))
    if base is not None and 0 < int(base[1]) <= MAX_UINT32:
        found.uidvalidity = UidValidity(int(base[1]))
        found.uidnext = Uid(min(int(base[2]) + 1, MAX_UINT32))


def without_fields(header: bytes, status: Status) -> bytes:
    """*header* without the fields that *status* was read from."""
    pieces = []
    at = 0
    for start, stop in status.spans:
        pieces.append(header[at:start])
        at = stop
    pieces.append(header[at:])
    return b"".join(pieces)
