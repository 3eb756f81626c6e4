"""Mailboxes by the account that has them, so that what is read of many mailboxes is one read for each account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mektup.imap import access
from mektup.store.interface import Account, Mailbox
from mektup.terms.numbers import AccountId, MailboxId
from mektup.terms.rights import Rights

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def by_account(
    session: Conversation, mailboxes: Iterable[Mailbox], any_of: Rights
) -> list[tuple[Account, Mapping[MailboxId, Mailbox]]]:
    """*mailboxes* by ID for each account, without those on which the client has none of the rights *any_of*."""
    found: dict[AccountId, tuple[Account, dict[MailboxId, Mailbox]]] = {}
    for mailbox in mailboxes:
        located = await access.locate(session, mailbox.name)
        if located.rights & any_of:
            found.setdefault(located.account.id, (located.account, {}))[1][mailbox.id] = mailbox
    return list(found.values())
