"""Changes inputs at random: octets, words, lines, numbers, and pieces of other inputs.

All choices come from one generator, so a seed repeats a run. No coverage guides it; see ``guided.py`` for that.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

ODD = (
    b"",
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xc3",
    b"\xc4\xb1",
    b"\xe2\x80\xa8",
    b"\xf0\x9f\x92\xa9",
)
"""Octets that break assumptions: ends of lines, octets that are no text, half a letter, a dotless i."""

NUMBERS = (0, 1, -1, 2, 10, 255, 4096, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64, 10**25)

_NUMBER = re.compile(rb"[0-9]+")
_WORD = re.compile(rb"[A-Za-z0-9]+|[^A-Za-z0-9]")


class Mutator:
    """Makes new inputs from *pool*, with the texts in *words*."""

    def __init__(self, rng: random.Random, pool: Sequence[bytes], words: Sequence[bytes], longest: int) -> None:
        self.pool = list(pool) or [b""]
        self._rng, self._words, self._longest = rng, list(words) or [b"x"], longest
        self._ways: tuple[Callable[[bytes], bytes], ...] = (
            self._octet,
            self._insert,
            self._remove,
            self._repeat,
            self._splice,
            self._number,
            self._word,
            self._lines,
            self._insert_word,
            self._insert_word,
            self._case,
            self._truncate,
        )

    def made(self) -> bytes:
        """A new input, made of one of the pool."""
        return self.changed(self._rng.choice(self.pool))

    def changed(self, octets: bytes) -> bytes:
        """*octets* with a few changes."""
        rng = self._rng
        for _ in range(rng.choice((1, 1, 2, 2, 3, 4, 6, 10, 20))):
            octets = rng.choice(self._ways)(octets)
        return octets[: self._longest]

    def _place(self, octets: bytes) -> tuple[int, int]:
        """A stretch of *octets*, mostly a short one."""
        start = self._rng.randint(0, len(octets))
        length = min(len(octets) - start, int(self._rng.paretovariate(0.7)))
        return start, start + length

    def _octet(self, octets: bytes) -> bytes:
        if not octets:
            return octets
        at = self._rng.randrange(len(octets))
        value = self._rng.choice((octets[at] ^ (1 << self._rng.randrange(8)), self._rng.randrange(256)))
        return octets[:at] + bytes((value,)) + octets[at + 1 :]

    def _insert(self, octets: bytes) -> bytes:
        at = self._rng.randint(0, len(octets))
        odd = self._rng.choice(ODD) if self._rng.random() < 0.5 else self._rng.randbytes(self._rng.randint(1, 8))
        return octets[:at] + odd + octets[at:]

    def _remove(self, octets: bytes) -> bytes:
        start, stop = self._place(octets)
        return octets[:start] + octets[stop:]

    def _repeat(self, octets: bytes) -> bytes:
        start, stop = self._place(octets)
        times = self._rng.choice((1, 1, 2, 3, 10, 100))
        return octets[:start] + octets[start:stop] * times + octets[start:]

    def _splice(self, octets: bytes) -> bytes:
        other = self._rng.choice(self.pool)
        start, stop = self._place(other)
        if self._rng.random() < 0.3:
            stop = len(other)
        at = self._rng.randint(0, len(octets))
        return octets[:at] + other[start:stop] + octets[at + (stop - start) * self._rng.randint(0, 1) :]

    def _number(self, octets: bytes) -> bytes:
        found = list(_NUMBER.finditer(octets))
        if not found:
            return octets
        chosen = self._rng.choice(found)
        value = (
            self._rng.choice(NUMBERS) if self._rng.random() < 0.6 else int(chosen[0][:30]) + self._rng.randint(-2, 2)
        )
        return octets[: chosen.start()] + b"%d" % value + octets[chosen.end() :]

    def _word(self, octets: bytes) -> bytes:
        found = list(_WORD.finditer(octets, *self._window(octets)))
        if not found:
            return octets
        chosen = self._rng.choice(found)
        return octets[: chosen.start()] + self._rng.choice(self._words) + octets[chosen.end() :]

    def _window(self, octets: bytes) -> tuple[int, int]:
        start = self._rng.randint(0, len(octets))
        return start, start + 200

    def _insert_word(self, octets: bytes) -> bytes:
        at = self._rng.randint(0, len(octets))
        return octets[:at] + self._rng.choice(self._words) + octets[at:]

    def _lines(self, octets: bytes) -> bytes:
        lines = octets.splitlines(keepends=True)
        if len(lines) < 2:
            return octets
        one, other = self._rng.randrange(len(lines)), self._rng.randrange(len(lines))
        match self._rng.randrange(4):
            case 0:
                lines[one], lines[other] = lines[other], lines[one]
            case 1:
                del lines[one]
            case 2:
                lines.insert(other, lines[one])
            case _:
                lines[one] = lines[one].rstrip(b"\r\n") + self._rng.choice((b"", b"\n", b"\r", b" ", b"\r\n\r\n"))
        return b"".join(lines)

    def _case(self, octets: bytes) -> bytes:
        start, stop = self._place(octets)
        return octets[:start] + octets[start:stop].swapcase() + octets[stop:]

    def _truncate(self, octets: bytes) -> bytes:
        return octets[: self._rng.randint(0, len(octets))] if self._rng.random() < 0.3 else octets
