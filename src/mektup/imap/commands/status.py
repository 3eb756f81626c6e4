"""STATUS (RFC 9051 §6.3.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap.status_line import status_line
from mektup.terms.errors import Code, Refused
from mektup.terms.texts import NO_SUCH_MAILBOX
from mektup.wire.requests import Status

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Status) -> None:
    """Tells a mailbox's counters. Raises Refused(NONEXISTENT)."""
    mailbox = await session.mail.mailbox(request.mailbox)
    if not mailbox.selectable:
        raise Refused(Code.NONEXISTENT, NO_SUCH_MAILBOX)
    session.write(status_line(session, mailbox, request.items))
