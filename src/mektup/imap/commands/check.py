"""CHECK (RFC 3501 §6.4.1): every change is on disk already, so this is NOOP for a selected mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.wire.requests import Check

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Check) -> None:
    """Does nothing."""
