"""MOVE (RFC 9051 §6.4.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import answers, texts
from mektup.imap.answers import Answer
from mektup.wire import codes
from mektup.wire.requests import Move

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

NOTHING = Answer(b"", texts.NOTHING_TO_MOVE)


async def run(session: Conversation, request: Move) -> Answer | None:
    """Moves messages, all or none. Raises Refused(TRYCREATE), and when the mailbox is read-only."""
    view = session.selected
    view.check_writable()
    uids = view.resolve(request.numbers, by_uid=request.by_uid)
    moved = await session.mail.move(view.mailbox, uids, request.mailbox)
    if not moved.sources:
        return NOTHING
    # RFC 6851 §4.3: COPYUID comes before the EXPUNGE lines, so in an untagged OK
    code = codes.copy_uid(moved.uidvalidity, moved.sources, moved.targets)
    session.write(answers.untagged_ok(code, texts.MOVED, session.translation))
    return None
