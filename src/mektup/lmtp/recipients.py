"""Whose mailbox an address means."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from mektup.lmtp.commands import Address
from mektup.store.interface import Account, AccountEntry, Directory, Mailbox
from mektup.terms.errors import Code, Refused

INBOX = "INBOX"


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address that was accepted."""

    address: Address
    entry: AccountEntry
    detail: str
    """What followed the ``+`` of the local part; empty where nothing did."""


async def resolve(address: Address, directory: Directory) -> Recipient:
    """The account of *address*: that of its whole name, else of its local part; ``+detail`` is cut off first.

    Raises Refused(NONEXISTENT).
    """
    user, _, detail = address.local.partition("+")
    if not user:
        user, detail = address.local, ""
    names = (f"{user}@{address.domain}", user) if address.domain else (user,)
    for name in names:
        entry = await directory.find(name)
        if entry is not None:
            return Recipient(address, entry, detail)
    raise Refused(Code.NONEXISTENT, "No such account here")


async def mailbox_for(recipient: Recipient, account: Account) -> Mailbox:
    """The mailbox that the detail names, if there is one, else INBOX.

    Letters of another case will do where only one mailbox is meant: nobody bounces mail over a capital, and many
    agents fold addresses.
    """
    wanted = unicodedata.normalize("NFC", recipient.detail)
    if wanted:
        mailboxes = [mailbox for mailbox in await account.mailboxes() if mailbox.selectable]
        exact = [mailbox for mailbox in mailboxes if mailbox.name == wanted]
        folded = [mailbox for mailbox in mailboxes if mailbox.name.casefold() == wanted.casefold()]
        for found in (exact, folded):
            if len(found) == 1:
                return found[0]
    return await account.mailbox(INBOX)
