"""Keys by which an import knows messages that it has brought; the store remembers them with the mailbox."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from mektup.terms.numbers import Uid, UidValidity

KEY_BYTES: Final = 12


def uid_key(uidvalidity: UidValidity, uid: Uid) -> bytes:
    """The key of a message that keeps the UID of its source."""
    return _digest(b"uid %d %d" % (uidvalidity, uid))


def moved_key(uidvalidity: UidValidity, uid: Uid) -> bytes:
    """The key of a message that has a UID at its source, and another one here."""
    return _digest(b"moved %d %d" % (uidvalidity, uid))


def content_key(digest: bytes, before: int) -> bytes:
    """The key of a message without UID; *before* is the number of equal messages before it."""
    return _digest(b"content %b %d" % (digest, before))


def _digest(octets: bytes) -> bytes:
    return blake2b(octets, digest_size=KEY_BYTES).digest()
