"""THREADID: to which conversation a message belongs (RFC 8474 §5.2).

An account remembers, for each Message-ID that its mail has or refers to, the thread that this ID was first seen in. A
message joins the thread of its own ID, which a reply may have named before; else that of the nearest known message that
it refers to. So a parent that arrives after its child joins the child's thread, and nothing ever moves: where two
threads turn out to be one conversation, both keep their numbers (a THREADID must not change). IDs stay remembered after
their messages are gone, so that a message that comes back has its THREADID again.

A new thread takes its number from the ID at its root, so the same mail gets the same THREADIDs in another account.
Message-IDs are remembered as digests, so a long ID costs as much as a short one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

REFERENCES: Final = 32
"""How many references of a message count: the last ones, and the first."""

_KEY_BITS: Final = 63
_PREFIX: Final = "T"
_DIGITS: Final = 16


class Joined(NamedTuple):
    """The thread of a message."""

    thread: int
    unknown: Sequence[int]
    """The keys to remember as belonging to it."""


def keys_of(message_id: str, references: Sequence[str]) -> list[int]:
    """The keys of the IDs by which a message finds its thread, the most telling first, the root last.

    *message_id* is empty where the message has none.
    """
    if not references:
        return [_key(message_id.encode())] if message_id else []
    counted = [*references[:1], *references[1:][-REFERENCES + 1 :]]
    ids = [message_id, *reversed(counted)] if message_id else counted[::-1]
    return list(dict.fromkeys([_key(each.encode()) for each in ids]))


def joined(keys: Sequence[int], known: Mapping[int, int], digest: bytes) -> Joined:
    """The thread of a message with *keys* and *digest*; *known* has the threads of known keys."""
    if not keys:
        # equal octets must have equal threads
        return Joined(_key(digest), ())
    thread = next((known[key] for key in keys if key in known), keys[-1])
    return Joined(thread, [key for key in keys if key not in known])


def threadid(thread: int) -> str:
    """The THREADID of *thread*. Never the EMAILID of a message: that begins with another letter."""
    return f"{_PREFIX}{thread:0{_DIGITS}x}"


def thread_named(objectid: str) -> int | None:
    """The thread whose THREADID is *objectid*; None where there can be none."""
    digits = objectid.removeprefix(_PREFIX)
    if len(digits) != _DIGITS or len(objectid) != 1 + _DIGITS or not set(digits) <= set("0123456789abcdef"):
        return None
    return int(digits, 16)


def _key(octets: bytes) -> int:
    return int.from_bytes(blake2b(octets, digest_size=8).digest(), "big") >> (64 - _KEY_BITS)
