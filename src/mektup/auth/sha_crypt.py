"""SHA256-CRYPT and SHA512-CRYPT, the ``$5$`` and ``$6$`` of Unix password files, for imported accounts.

Python 3.13 removed ``crypt``. This follows Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512", version 0.6; the
numbers in the comments are those of its steps. No new password is hashed with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256, sha512
from hmac import compare_digest
from typing import Protocol

DEFAULT_ROUNDS = 5000
MOST_ROUNDS = 1_000_000
"""The format allows 999,999,999 rounds, but more than this would take seconds for each login."""

ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The alphabet of crypt(3)'s base64."""

Group = tuple[int, ...]


class Digest(Protocol):
    """A hash object of hashlib."""

    def update(self, octets: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ShaCrypt:
    """SHA256-CRYPT or SHA512-CRYPT."""

    pattern: re.Pattern[str]
    make: Callable[[bytes], Digest]
    groups: Sequence[Group]
    """The octets of the digest that are written together, the high one first."""

    def is_sound(self, stored: str) -> bool:
        """Whether *stored* is a hash of this kind that can be checked in acceptable time."""
        found = self.pattern.fullmatch(stored)
        return found is not None and stored.isascii() and _rounds(found) <= MOST_ROUNDS

    def matches(self, password: bytes, stored: str) -> bool:
        """Whether *password* matches *stored*, ``$n$[rounds=n$]salt$hash``; False if *stored* is malformed."""
        found = self.pattern.fullmatch(stored)
        if found is None or not self.is_sound(stored):
            return False
        digest = _digest(self.make, password, found[2].encode(), _rounds(found))
        return compare_digest(crypt_base64(digest, self.groups), found[3])


def crypt_base64(digest: bytes, groups: Sequence[Group]) -> str:
    """*digest* as crypt(3) writes it: each group is a number, written six bits at a time, the lowest first."""
    pieces: list[str] = []
    for group in groups:
        number = int.from_bytes([digest[place] for place in group])
        pieces += [ALPHABET[number >> 6 * place & 63] for place in range(len(group) + 1)]
    return "".join(pieces)


def _rounds(found: re.Match[str]) -> int:
    return DEFAULT_ROUNDS if found[1] is None else max(1000, int(found[1]))


def _digest(make: Callable[[bytes], Digest], password: bytes, salt: bytes, rounds: int) -> bytes:
    size = len(password)
    alternate = make(password + salt + password).digest()  # 4-8
    start = make(password + salt + _repeated(alternate, size))  # 1-3, 9, 10
    bits = size
    while bits:  # 11
        start.update(alternate if bits & 1 else password)
        bits >>= 1
    digest = start.digest()  # 12
    p = _repeated(make(password * size).digest(), size)  # 13-16
    s = _repeated(make(salt * (16 + digest[0])).digest(), len(salt))  # 17-20
    # 21: the octets before and after the digest depend on the round's number modulo 2, 3 and 7, so they repeat after
    # 42 rounds.
    frames = [_frame(p, s, number) for number in range(42)]
    for number in range(rounds):
        before, after = frames[number % 42]
        digest = make(before + digest + after).digest()
    return digest


def _frame(p: bytes, s: bytes, number: int) -> tuple[bytes, bytes]:
    middle = (s if number % 3 else b"") + (p if number % 7 else b"")
    return (p + middle, b"") if number & 1 else (b"", middle + p)


def _repeated(digest: bytes, size: int) -> bytes:
    return (digest * (size // len(digest) + 1))[:size]


def _pattern(number: int, characters: int) -> re.Pattern[str]:
    return re.compile(
        rf"\${number}\$(?:rounds=([0-9]{{1,9}})\$)?([^$:\n]{{0,16}})\$([./0-9A-Za-z]{{{characters}}})", re.ASCII
    )


def _groups(apart: int, step: int) -> list[Group]:
    """22: groups of three octets, *apart* from each other; each group is rotated by *step* more than the last."""
    groups: list[Group] = []
    for first in range(apart):
        octets = (first, first + apart, first + 2 * apart)
        turn = first * step % 3
        groups.append(octets[turn:] + octets[:turn])
    return groups


SHA256_CRYPT = ShaCrypt(_pattern(5, 43), sha256, (*_groups(10, -1), (31, 30)))
SHA512_CRYPT = ShaCrypt(_pattern(6, 86), sha512, (*_groups(21, 1), (63,)))
