"""COPY (RFC 9051 §6.4.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.imap.answers import Answer
from mektup.wire import codes
from mektup.wire.requests import Copy

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

NOTHING = Answer(b"", texts.NOTHING_TO_COPY)


async def run(session: Conversation, request: Copy) -> Answer:
    """Copies messages, all or none. Ignores messages that are gone. Raises Refused(TRYCREATE)."""
    view = session.selected
    uids = view.resolve(request.numbers, by_uid=request.by_uid)
    copied = await session.mail.copy(view.mailbox, uids, request.mailbox)
    if not copied.sources:
        # clients repeat a refused COPY forever, so a COPY of nothing succeeds
        return NOTHING
    return Answer(codes.copy_uid(copied.uidvalidity, copied.sources, copied.targets), texts.COPIED)
