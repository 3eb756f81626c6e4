"""COPY (RFC 9051 §6.4.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access, bringing_back, message_limit, texts, transfer
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
    message_limit.require_few_saved(session, uids)
    target = await access.locate_target(session, request.mailbox)
    if bringing_back.is_open(view) and target.is_own:
        copied = await bringing_back.bring_back(view, uids, target, stay=True)
    elif transfer.is_needed(view, target):
        copied = await transfer.copy(session, uids, target)
    else:
        copied = await view.account.copy(view.mailbox, uids, target.name)
    if not copied.sources:
        # clients repeat a refused COPY forever, so a COPY of nothing succeeds
        return NOTHING
    if session.notifications is not None:
        session.notifications.copied(view, target.account, target.name, copied.targets)
    # RFC 4315 §3: no UIDs of a mailbox that the client may not open
    code = codes.copy_uid(copied.uidvalidity, copied.sources, copied.targets) if "r" in target.rights else b""
    return Answer(code, texts.COPIED)
