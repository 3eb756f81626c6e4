"""MD5-CRYPT, the ``$1$`` of old Unix password files, for imported accounts.

This follows Poul-Henning Kamp's ``crypt-md5.c`` of FreeBSD. No new password is hashed with it.
"""

from __future__ import annotations

import re
from functools import partial
from hashlib import md5
from hmac import compare_digest

from mektup.auth.sha_crypt import crypt_base64

ROUNDS = 1000

_HASH = re.compile(r"\$1\$([^$:\n]{0,8})\$([./0-9A-Za-z]{22})", re.ASCII)
_GROUPS = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5), (11,))

_md5 = partial(md5, usedforsecurity=False)
"""Allowed even where a system forbids MD5 for security: these hashes exist already."""


def is_sound(stored: str) -> bool:
    """Whether *stored* is a ``$1$`` hash."""
    return _HASH.fullmatch(stored) is not None and stored.isascii()


def matches(password: bytes, stored: str) -> bool:
    """Whether *password* matches *stored*, ``$1$salt$hash``; False if *stored* is malformed."""
    found = _HASH.fullmatch(stored)
    if found is None or not stored.isascii():
        return False
    return compare_digest(crypt_base64(_digest(password, found[1].encode()), _GROUPS), found[2])


def _digest(password: bytes, salt: bytes) -> bytes:
    size = len(password)
    inner = _md5(password + salt + password).digest()
    start = _md5(password + b"$1$" + salt + (inner * (size // 16 + 1))[:size])
    bits = size
    while bits:
        start.update(b"\0" if bits & 1 else password[:1])
        bits >>= 1
    digest = start.digest()
    for number in range(ROUNDS):
        first, last = (password, digest) if number & 1 else (digest, password)
        middle = (salt if number % 3 else b"") + (password if number % 7 else b"")
        digest = _md5(first + middle + last).digest()
    return digest
