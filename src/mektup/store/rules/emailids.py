"""EMAILID: the identifier of a message's octets (RFC 8474 §5.1)."""

from __future__ import annotations

from typing import Final

from mektup.store.arrival import DIGEST_BYTES

_PREFIX: Final = "M"


def emailid(digest: bytes) -> str:
    """The EMAILID of the octets with this digest."""
    return f"{_PREFIX}{digest.hex()}"


def digest_named(objectid: str) -> bytes | None:
    """The digest of the octets whose EMAILID is *objectid*; None where there can be none."""
    digits = objectid.removeprefix(_PREFIX)
    if len(objectid) != 1 + 2 * DIGEST_BYTES or len(digits) != 2 * DIGEST_BYTES:
        return None
    return bytes.fromhex(digits) if set(digits) <= set("0123456789abcdef") else None
