"""STATUS (RFC 9051 §6.3.11)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mektup.imap import access, deleted_storage
from mektup.imap.status_line import note_items, status_line
from mektup.terms.errors import Code, Refused
from mektup.terms.texts import NO_SUCH_MAILBOX
from mektup.wire.requests import Status

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Status) -> None:
    """Tells a mailbox's counters. Raises Refused(NONEXISTENT)."""
    located = await access.locate(session, request.mailbox, "r")
    mailbox = await located.account.mailbox(located.name)
    located.check(mailbox.id)
    if located.name != located.shown:
        mailbox = replace(mailbox, name=located.shown)
    if not mailbox.selectable:
        raise Refused(Code.NONEXISTENT, NO_SUCH_MAILBOX)
    octets: int | None = None
    if deleted_storage.ITEM in request.items:
        octets = (await located.account.quota.deleted_octets([mailbox.id])).get(mailbox.id)
    note_items(session, request.items)
    session.write(status_line(session, mailbox, request.items, octets))
