"""EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.wire.requests import Expunge

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Expunge) -> None:
    """Removes messages with \\Deleted; ``updates.tell`` writes the EXPUNGE lines. Raises Refused when read-only."""
    view = session.selected
    view.check_writable()
    if request.uids is None:
        await session.mail.expunge(view.mailbox, None)
    elif uids := view.resolve(request.uids, by_uid=True):
        await session.mail.expunge(view.mailbox, uids)
