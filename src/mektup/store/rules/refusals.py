"""Refusals with the same text in every engine."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from mektup.store import texts
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.texts import AND_SO, MESSAGE_TOO_BIG


def require_not_too_big(size: int, limits: Limits) -> None:
    """Raises Refused(TOOBIG) where a message of *size* octets is too large to append (RFC 4469 §4.2)."""
    if size > limits.message_bytes:
        raise Refused(Code.TOOBIG, MESSAGE_TOO_BIG.of(octets=limits.message_bytes))


R = TypeVar("R", bound=Refused)


def uncertain(refused: R) -> R:
    """*refused* for a change that may have been made nevertheless, and that the engine could not take back."""
    return replace(refused, text=AND_SO.of(first=refused.text, then=texts.NOT_KNOWN), uncertain=True)


def message_is_gone() -> Refused:
    """The refusal to read a message that was expunged meanwhile (RFC 5530 §3)."""
    return Refused(Code.EXPUNGEISSUED, texts.MESSAGE_GONE)
