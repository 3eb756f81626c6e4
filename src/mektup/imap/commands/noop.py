"""NOOP (RFC 9051 §6.1.2): does nothing itself. Its row in the table makes the session tell all changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.wire.requests import Noop

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Noop) -> None:
    """Does nothing."""
