"""CLOSE (RFC 9051 §6.4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.wire.requests import Close

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Close) -> None:
    """Removes messages with \\Deleted, without EXPUNGE responses, and closes the mailbox."""
    view = session.selected
    if not view.read_only and "e" in view.rights:  # RFC 4314 §4: CLOSE without the right closes, and says OK
        await view.account.expunge(view.mailbox, None)
    session.unselect()
