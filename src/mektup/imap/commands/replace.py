"""REPLACE and UID REPLACE (RFC 8508)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access, answers, texts
from mektup.imap.commands.append import incoming_of
from mektup.imap.list_line import normal_name
from mektup.imap.uploads import replaced_message
from mektup.terms.errors import Code, Refused
from mektup.terms.sets import NumberSet
from mektup.wire import codes
from mektup.wire.requests import Replace, Replaced

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Replace) -> None:
    """Adds a message and removes another one; ``updates.tell`` writes EXPUNGE and EXISTS.

    Raises Refused(TRYCREATE, EXPUNGEISSUED, BADURL, TOOBIG), and when the mailbox is read-only.
    """
    view = session.selected
    old = replaced_message(session, Replaced(request.number, request.by_uid))
    try:
        located = await access.locate(session, request.mailbox, "i")
        target = await located.account.target(located.name)
        located.check(target)
        incoming = await incoming_of(session, request.message, located.rights)
        if located.account is view.account:
            added = await view.account.replace(view.mailbox, old, target, incoming)
        else:
            # two accounts have no transaction in common; so the new message is there before the old one goes
            added = await located.account.append(target, [incoming])
            await view.account.remove(view.mailbox, NumberSet.span(old, old))
    except Refused as refusal:
        if refusal.code is Code.NONEXISTENT:
            raise Refused(Code.TRYCREATE, refusal.text) from refusal
        raise
    if session.notifications is not None:
        session.notifications.added(view, located.account, target, added.uids)
    session.services.tally.stored(incoming.arrival.size)
    session.write(normal_name(request.mailbox, request.old_name))
    # RFC 8508 §4.3: APPENDUID comes before the EXPUNGE lines, so in an untagged OK.
    # RFC 4315 §3: no UIDs of a mailbox that the client may not open
    code = codes.append_uid(added.uidvalidity, added.uids) if "r" in located.rights else b""
    session.write(answers.untagged_ok(code, texts.REPLACED, session.translation))
