"""UNSELECT (RFC 9051 §6.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.wire.requests import Unselect

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Unselect) -> None:
    """Closes the mailbox and removes nothing."""
    session.unselect()
