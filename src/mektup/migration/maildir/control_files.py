"""Dovecot's files beside a Maildir: ``dovecot-uidlist``, ``dovecot-keywords`` and ``subscriptions``; and Courier's.

All parsers take any octets and raise nothing but BadFile: a line that cannot be read is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from mektup.terms.numbers import MAX_UINT32, Uid, UidValidity

UIDLIST: Final = "dovecot-uidlist"
KEYWORDS: Final = "dovecot-keywords"
SUBSCRIPTIONS: Final = "subscriptions"
COURIER_SUBSCRIPTIONS: Final = "courierimapsubscribed"
COURIER_UIDS: Final = "courierimapuiddb"

_HEADER_3: Final = re.compile(rb"3((?: [A-Z][^ ]*)*)\s*")
_HEADER_1: Final = re.compile(rb"1 (\d+) (\d+)\s*")
_LINE_3: Final = re.compile(rb"(\d+)((?: [A-Z][^ ]*)*) :(.+)", re.DOTALL)
_LINE_1: Final = re.compile(rb"(\d+) (.+)", re.DOTALL)

MOST_KEYWORDS: Final = 26
"""The letters a to z that a file's name may have for keywords."""


class BadFile(Exception):
    """A control file cannot be understood."""


@dataclass(slots=True)
class UidList:
    """The UIDs of a Maildir."""

    uidvalidity: UidValidity
    uidnext: Uid
    uids: dict[bytes, Uid] = field(default_factory=dict)
    """By the name of the file up to ":2,", ascending."""
    bad_lines: int = 0
    """Lines that could not be read, or whose UIDs do not ascend: their messages get new UIDs."""


def read_uidlist(octets: bytes) -> UidList:
    """Version 3 or 1 of ``dovecot-uidlist``, or ``courierimapuiddb``, which is version 1. Raises BadFile."""
    lines = octets.split(b"\n")
    found, line_form = _header(lines[0])
    last = 0
    for line in lines[1:]:
        if not line:
            continue
        match = line_form.fullmatch(line)
        uid = 0 if match is None else _number(match[1])
        base = b"" if match is None else base_name(match[match.lastindex or 0])
        if not last < uid < MAX_UINT32 or base in found.uids:
            found.bad_lines += 1
            continue
        last = uid
        found.uids[base] = Uid(uid)
    found.uidnext = Uid(max(found.uidnext, last + 1))
    return found


def _header(line: bytes) -> tuple[UidList, re.Pattern[bytes]]:
    if match := _HEADER_1.fullmatch(line):
        validity, uidnext, form = match[1], match[2], _LINE_1
    elif match := _HEADER_3.fullmatch(line):
        fields = {each[:1]: each[1:] for each in match[1].split()}
        validity, uidnext, form = fields.get(b"V", b""), fields.get(b"N", b"1"), _LINE_3
    else:
        raise BadFile
    if _number(validity) == 0:
        raise BadFile
    return UidList(UidValidity(_number(validity)), Uid(max(1, _number(uidnext)))), form


def _number(digits: bytes) -> int:
    """A number of 32 bits; 0 for anything else."""
    number = int(digits) if digits.isdigit() and len(digits) < 11 else 0
    return number if number <= MAX_UINT32 else 0


def written_uidlist(uidvalidity: UidValidity, uidnext: Uid, guid: str) -> bytes:
    """The first line of version 3 of ``dovecot-uidlist``."""
    return f"3 V{uidvalidity} N{uidnext} G{guid}\n".encode("ascii")


def base_name(name: bytes) -> bytes:
    """The part of a file's name that stays when the flags change."""
    return name.partition(b":")[0]


def read_keywords(octets: bytes) -> Mapping[str, str]:
    """``dovecot-keywords``: keywords by their letter."""
    found: dict[str, str] = {}
    for line in octets.split(b"\n"):
        number, _, keyword = line.partition(b" ")
        if number.isdigit() and len(number) < 3 and int(number) < MOST_KEYWORDS and keyword:
            found[chr(ord("a") + int(number))] = keyword.decode("utf-8", "replace")
    return found


def read_subscriptions(octets: bytes) -> Iterator[list[bytes]]:
    """``subscriptions``, version 1 or 2: the levels of each name, in modified UTF-7.

    In version 1, a name has the separator of its namespace, which the file does not say: it is "/" if a name has one.
    """
    lines = octets.split(b"\n")
    if lines[0] == b"V\t2":
        yield from (line.split(b"\t") for line in lines[1:] if line)
    else:
        separator = b"/" if any(b"/" in line for line in lines) else b"."
        yield from (line.split(separator) for line in lines if line)


def read_courier_subscriptions(octets: bytes) -> Iterator[list[bytes]]:
    """``courierimapsubscribed``: the levels of each name, without the INBOX that Courier puts above all."""
    for line in octets.split(b"\n"):
        levels = line.split(b".")
        if line:
            yield levels[1:] if levels[0].upper() == b"INBOX" and len(levels) > 1 else levels
