"""Strict readers of what a POP3 server and an LMTP server send."""

from __future__ import annotations

import re
from typing import Final

from reliability.fuzz.target import require

_STATUS: Final = re.compile(rb"(?:\+OK|-ERR)(?: [^\r\n\0]*)?|\+ [A-Za-z0-9+/=]*")
_REPLY: Final = re.compile(rb"[2-5][0-9]{2}([ -])(?:[245]\.[0-9]{1,3}\.[0-9]{1,3} )?[^\r\n\0]*")
LONGEST_REPLY: Final = 512
"""RFC 5321 §4.5.3.1.5, with its end."""


def read_pop3(octets: bytes) -> None:
    """Checks answers: a line of status, and perhaps lines up to a dot, in which dots are stuffed."""
    lines = _lines(octets)
    at = 0
    while at < len(lines):
        require(_STATUS.fullmatch(lines[at]), "not an answer of POP3")
        require(b"SYS/PERM" not in lines[at], "an error of ours in an answer")
        at += 1
        if at < len(lines) and _STATUS.fullmatch(lines[at]) is None:
            at = _after_dot(lines, at)


def _after_dot(lines: list[bytes], at: int) -> int:
    while at < len(lines) and lines[at] != b".":
        require(not lines[at].startswith(b".") or lines[at].startswith(b".."), "a dot is not stuffed")
        at += 1
    require(at < len(lines), "an answer of several lines has no end")
    return at + 1


def read_lmtp(octets: bytes) -> None:
    """Checks replies: all lines but the last have a dash, and all have the same code."""
    code = b""
    for line in _lines(octets):
        found = _REPLY.fullmatch(line)
        require(found is not None, "not a reply of LMTP")
        require(len(line) + 2 <= LONGEST_REPLY, "a reply is too long")
        require(not code or line[:3] == code, "two codes in one reply")
        code = line[:3] if found is not None and found[1] == b"-" else b""
    require(not code, "a reply has no end")


def _lines(octets: bytes) -> list[bytes]:
    require(not octets or octets.endswith(b"\r\n"), "the last line has no end")
    return octets.split(b"\r\n")[:-1]
