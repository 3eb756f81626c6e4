"""RENAME (RFC 9051 §6.3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap.list_line import normal_name
from mektup.wire.requests import Rename

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Rename) -> None:
    """Renames a mailbox and all mailboxes below it. Raises Refused(NONEXISTENT, ALREADYEXISTS, CANNOT)."""
    await session.mail.rename(request.old, request.new)
    session.write(normal_name(request.new, request.old_name))
