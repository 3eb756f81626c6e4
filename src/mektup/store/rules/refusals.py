"""Refusals that concern a single message, with the same text in every engine."""

from __future__ import annotations

from mektup.store import texts
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.texts import MESSAGE_TOO_BIG


def require_not_too_big(size: int, limits: Limits) -> None:
    """Raises Refused(TOOBIG) where a message of *size* octets is too large to append (RFC 4469 §4.2)."""
    if size > limits.message_bytes:
        raise Refused(Code.TOOBIG, MESSAGE_TOO_BIG.of(octets=limits.message_bytes))


def message_is_gone() -> Refused:
    """The refusal to read a message that was expunged meanwhile (RFC 5530 §3)."""
    return Refused(Code.EXPUNGEISSUED, texts.MESSAGE_GONE)
