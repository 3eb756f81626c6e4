"""Refusals that concern a single message, with the same text in every engine."""

from __future__ import annotations

from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits


def require_not_too_big(size: int, limits: Limits) -> None:
    """Raises Refused(TOOBIG) where a message of *size* octets is too large to append (RFC 4469 §4.2)."""
    if size > limits.message_bytes:
        raise Refused(Code.TOOBIG, f"A message has at most {limits.message_bytes} octets")


def message_is_gone() -> Refused:
    """The refusal to read a message that was expunged meanwhile (RFC 5530 §3)."""
    return Refused(Code.EXPUNGEISSUED, "The message is gone")
