"""Small messages of a workload, each different."""

from __future__ import annotations

from functools import cache

from mektup.store.arrival import prepare
from mektup.store.interface import Incoming
from mektup.terms.limits import Limits

WORDS = ("apple", "boat", "cloud", "dune", "ember", "frost", "gull")


def word_of(number: int) -> str:
    """A word in the message's text."""
    return WORDS[number % len(WORDS)]


@cache
def _text(size: int) -> str:
    return "".join(f"line {number} of a text that fills the message\r\n" for number in range(size // 45))


def incoming(number: int, size: int, flags: frozenset[str], limits: Limits) -> Incoming:
    """A message of about *size* octets."""
    octets = (
        f"Date: Mon, 7 Feb 2022 21:52:25 -0800\r\nFrom: Linda <linda@example.org>\r\nTo: ali@example.org\r\n"
        f"Message-ID: <{number}@example.org>\r\nSubject: number {number}\r\n\r\n"
        f"{word_of(number)} {number}\r\n{_text(size)}"
    ).encode()
    return Incoming(prepare(octets, limits), flags)
