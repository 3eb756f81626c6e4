"""COPY (RFC 9051 §6.4.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.wire import codes
from mektup.wire.requests import Copy

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Copy) -> bytes | None:
    """Copies messages, all or none. Ignores messages that are gone. Raises Refused(TRYCREATE)."""
    view = session.selected
    uids = view.resolve(request.numbers, by_uid=request.by_uid)
    copied = await session.mail.copy(view.mailbox, uids, request.mailbox)
    if not copied.sources:
        # clients repeat a refused COPY forever, so a COPY of nothing succeeds
        return b"Nothing to copy"
    return b"%b Copied" % codes.copy_uid(copied.uidvalidity, copied.sources, copied.targets)
