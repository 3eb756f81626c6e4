"""Tells a client by NOTIFY which metadata changed: the names of entries, without values (RFC 5465 §5.6, §5.7).

The account's watch says that something changed; ``AccountMetadata.changes`` says which entries. The shared entries of
the server have no watch, because they belong to no account: they are told when the client is told anything, or the
server says that it is still there. A client is told of its own changes, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mektup.imap.sync.notifications import Notifications
from mektup.terms.mailbox_events import Event
from mektup.terms.numbers import ACCOUNT_ITSELF, MailboxId, ModSeq
from mektup.wire.mailbox_names import encode
from mektup.wire.strings import astring

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def begin(session: Conversation, notifications: Notifications) -> None:
    """Notes the state of the server's entries, if the client wants to be told of them."""
    if notifications.interests.has(Event.SERVER_METADATA_CHANGE):
        changes = await session.services.store.server_metadata.changes(ModSeq(0))
        notifications.server_since = changes.modseq


async def tell(session: Conversation, notifications: Notifications, since: ModSeq) -> None:
    """Tells the entries of the account and its mailboxes that changed after *since*. Raises Refused."""
    interests = notifications.interests
    of_server = interests.has(Event.SERVER_METADATA_CHANGE)
    if not of_server and not interests.has(Event.MAILBOX_METADATA_CHANGE):
        return
    by_mailbox: dict[MailboxId, list[str]] = {}
    account = notifications.account
    for changed in (await account.metadata.changes(since, account.id)).entries:
        by_mailbox.setdefault(changed.mailbox, []).append(changed.entry)
    for number, entries in by_mailbox.items():
        if number == ACCOUNT_ITSELF:
            if of_server:
                _write(session, "", entries)
        elif (known := notifications.known.get(number)) is not None:
            if Event.MAILBOX_METADATA_CHANGE in notifications.events(known.name):
                _write(session, known.name, entries)
        await session.give_way()


async def tell_of_server(session: Conversation, notifications: Notifications) -> None:
    """Tells the shared entries of the server that changed. Raises Refused."""
    since = notifications.server_since
    if since is None:
        return
    changes = await session.services.store.server_metadata.changes(since)
    notifications.server_since = changes.modseq
    if changes.entries:
        _write(session, "", [changed.entry for changed in changes.entries])


def _write(session: Conversation, mailbox: str, entries: Iterable[str]) -> None:
    """``* METADATA mailbox entry ...`` (RFC 5464 §4.4.2)."""
    names = b" ".join(astring(entry.encode("ascii")) for entry in entries)
    session.write(b"* METADATA %b %b\r\n" % (encode(mailbox, utf8=session.client.utf8), names))
