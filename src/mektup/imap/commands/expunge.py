"""EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import message_limit
from mektup.imap.answers import Answer
from mektup.terms.search import HasFlag
from mektup.terms.sets import Uids
from mektup.wire.requests import Expunge

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

DELETED = HasFlag("\\Deleted")


async def run(session: Conversation, request: Expunge) -> Answer | None:
    """Removes messages with \\Deleted; ``updates.tell`` writes the EXPUNGE lines. Raises Refused when read-only."""
    view = session.selected
    view.check_writable()
    view.require("e")
    if request.uids is None:
        await view.account.expunge(view.mailbox, None)
    elif uids := view.resolve(request.uids, by_uid=True):
        return await _expunge(session, uids)
    return None


async def _expunge(session: Conversation, uids: Uids) -> Answer | None:
    view = session.selected
    if message_limit.processed(session, uids) is not uids:
        # RFC 9738 §3.1: only messages that the command would remove count
        uids = (await view.account.search(view.mailbox, DELETED, uids)).uids
    done = message_limit.processed(session, uids)
    await view.account.expunge(view.mailbox, done)
    return message_limit.told(session, uids, done)
