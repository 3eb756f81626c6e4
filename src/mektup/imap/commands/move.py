"""MOVE (RFC 9051 §6.4.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access, answers, bringing_back, message_limit, texts, transfer
from mektup.imap.answers import Answer
from mektup.wire import codes
from mektup.wire.requests import Move

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

NOTHING = Answer(b"", texts.NOTHING_TO_MOVE)


async def run(session: Conversation, request: Move) -> Answer | None:
    """Moves messages, all or none of those that one command may do.

    Raises Refused(TRYCREATE), and when the mailbox is read-only.
    """
    view = session.selected
    comes_back = bringing_back.is_open(view) and not view.examined
    if not comes_back:
        view.check_writable()
        view.require("te")
    asked = view.resolve(request.numbers, by_uid=request.by_uid)
    uids = message_limit.processed(session, asked)
    target = await access.locate_target(session, request.mailbox)
    if comes_back:
        moved = await bringing_back.bring_back(view, uids, target, stay=False)
    elif transfer.is_needed(view, target):
        moved = await transfer.move(session, uids, target)
    else:
        moved = await view.account.move(view.mailbox, uids, target.name)
    if not moved.sources:
        return message_limit.told(session, asked, uids, NOTHING)
    if session.notifications is not None:
        session.notifications.copied(view, target.account, target.name, moved.targets)
    if "r" in target.rights:  # RFC 4315 §3: no UIDs of a mailbox that the client may not open
        # RFC 6851 §4.3: COPYUID comes before the EXPUNGE lines, so in an untagged OK
        code = codes.copy_uid(moved.uidvalidity, moved.sources, moved.targets)
        session.write(answers.untagged_ok(code, texts.MOVED, session.translation))
    return message_limit.told(session, asked, uids)
