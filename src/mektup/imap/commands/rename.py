"""RENAME (RFC 9051 §6.3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access, texts
from mektup.imap.list_line import normal_name
from mektup.terms.errors import Code, Refused
from mektup.terms.names import INBOX
from mektup.wire.requests import Rename

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Rename) -> None:
    """Renames a mailbox and all mailboxes below it. Raises Refused(NONEXISTENT, ALREADYEXISTS, CANNOT)."""
    old = await access.locate(session, request.old, "x")
    new = await access.locate_new(session, request.new)
    if new.account is not old.account:
        raise Refused(Code.CANNOT, texts.BETWEEN_ACCOUNTS)
    if old.name == INBOX and not old.is_own:
        # the messages would move, and INBOX would stay
        raise Refused(Code.CANNOT, texts.INBOX_OF_OTHERS)
    await old.account.rename(old.name, new.name)
    if session.notifications is not None and old.account is session.account:
        session.notifications.renamed(old.name, new.name)
    session.write(normal_name(request.new, request.old_name))
