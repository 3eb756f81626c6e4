"""SHA512-CRYPT, the ``$6$`` of Unix password files, for accounts that come from elsewhere.

Python's ``crypt`` went in 3.13. This follows Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512", version 0.6;
the letters in the comments are those of its steps. Nothing new is ever hashed with it.
"""

from __future__ import annotations

import re
from hashlib import sha512
from hmac import compare_digest

DEFAULT_ROUNDS = 5000
MOST_ROUNDS = 1_000_000
"""More than this, of the 999,999,999 that the format has room for, would be seconds of work for each login."""

_HASH = re.compile(r"\$6\$(?:rounds=([0-9]{1,9})\$)?([^$:\n]{0,16})\$([./0-9A-Za-z]{86})", re.ASCII)
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def is_sha512_crypt(stored: str) -> bool:
    """Whether *stored* is a ``$6$`` hash that can be checked in bearable time."""
    found = _HASH.fullmatch(stored)
    return found is not None and stored.isascii() and _rounds(found) <= MOST_ROUNDS


def matches(password: bytes, stored: str) -> bool:
    """Whether *password* is the one of *stored*, ``$6$[rounds=n$]salt$hash``; False where that is malformed."""
    found = _HASH.fullmatch(stored)
    if found is None or not is_sha512_crypt(stored):
        return False
    return compare_digest(_encode(_digest(password, found[2].encode(), _rounds(found))), found[3])


def _rounds(found: re.Match[str]) -> int:
    return DEFAULT_ROUNDS if found[1] is None else max(1000, int(found[1]))


def _digest(password: bytes, salt: bytes, rounds: int) -> bytes:
    size = len(password)
    alternate = sha512(password + salt + password).digest()  # 4-8
    start = sha512(password + salt + _repeated(alternate, size))  # 1-3, 9, 10
    bits = size
    while bits:  # 11
        start.update(alternate if bits & 1 else password)
        bits >>= 1
    digest = start.digest()  # 12
    p = _repeated(sha512(password * size).digest(), size)  # 13-16
    s = _repeated(sha512(salt * (16 + digest[0])).digest(), len(salt))  # 17-20
    # 21: what stands before and after the digest depends on the round's number modulo 2, 3 and 7, so it repeats
    # after 42 rounds.
    frames = [_frame(p, s, number) for number in range(42)]
    for number in range(rounds):
        before, after = frames[number % 42]
        digest = sha512(before + digest + after).digest()
    return digest


def _frame(p: bytes, s: bytes, number: int) -> tuple[bytes, bytes]:
    middle = (s if number % 3 else b"") + (p if number % 7 else b"")
    return (p + middle, b"") if number & 1 else (b"", middle + p)


def _repeated(digest: bytes, size: int) -> bytes:
    return (digest * (size // len(digest) + 1))[:size]


def _encode(digest: bytes) -> str:
    # 22: groups of three octets, 21 apart, each group one step further round than the last; then the 64th alone.
    pieces: list[str] = []
    for group in range(21):
        octets = [digest[group], digest[group + 21], digest[group + 42]]
        turn = group % 3
        high, middle, low = octets[turn:] + octets[:turn]
        pieces.append(_characters(high << 16 | middle << 8 | low, 4))
    pieces.append(_characters(digest[63], 2))
    return "".join(pieces)


def _characters(number: int, count: int) -> str:
    return "".join(_ALPHABET[number >> 6 * place & 63] for place in range(count))
