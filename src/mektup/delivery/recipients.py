"""Finds the account and the mailbox for a message: those of an address, or those that a program names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from msgspec import Struct

from mektup.delivery import texts
from mektup.delivery.address import Address
from mektup.message.text import fold
from mektup.store.interface import Account, AccountEntry, Mailbox, Store
from mektup.store.rules.addresses import account_names, alias_keys
from mektup.terms.account_names import LONGEST_ACCOUNT_NAME_OCTETS
from mektup.terms.delivery import DeliveryRules
from mektup.terms.domains import domain_key
from mektup.terms.errors import Code, Refused
from mektup.terms.names import DELIMITER, INBOX
from mektup.terms.numbers import MailboxId

CLOSED_USES = frozenset({"\\Sent", "\\Drafts", "\\Trash"})
"""Special uses of folders for the user's own mail; nobody can deliver to them."""

CLOSED_NAMES = frozenset(
    {
        "sent",
        "sent items",
        "sent mail",
        "sent messages",
        "draft",
        "drafts",
        "trash",
        "deleted items",
        "deleted messages",
    }
)
"""The names that clients give to such folders, folded; a folder may have such a name and no special use."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """An accepted address and one of its accounts."""

    address: Address
    entry: AccountEntry
    detail: str
    """The text after the ``+`` of the local part; empty if there is none, or if it belongs to the account's name."""


async def resolve(address: Address, store: Store) -> tuple[Recipient, ...]:
    """The accounts of *address*: one, or those of an alias, in the order of their names.

    It is the account of the whole address, else of its local part, else the alias for one of these; else all of this
    again without ``+detail``; else the catch-all of the domain. Only its own host interprets a local part (RFC 5321
    §2.3.11), so the accounts and aliases on this server decide what a ``+`` means: the longest name wins.
    Raises Refused(NONEXISTENT), also where the server has domains and this is none of them.
    """
    domain = domain_key(address.domain)
    if not await is_here(domain, store):
        raise Refused(Code.NONEXISTENT, texts.NO_DOMAIN_HERE)
    for user, detail in _readings(address.local):
        for name in account_names(user, address.domain):
            entry = await store.directory.find(name)
            if entry is not None:
                return (Recipient(address, entry, detail),)
        for alias in alias_keys(user, domain):
            if found := await _accounts_of(alias, store):
                return tuple(Recipient(address, entry, detail) for entry in found)
    if domain and (found := await _accounts_of(f"@{domain}", store)):
        return tuple(Recipient(address, entry, "") for entry in found)
    raise Refused(Code.NONEXISTENT, texts.NO_ACCOUNT_HERE)


async def _accounts_of(alias: str, store: Store) -> list[AccountEntry]:
    entries = [await store.directory.find(name) for name in await store.addresses.accounts_of(alias)]
    # an account may be removed meanwhile
    return [entry for entry in entries if entry is not None]


async def is_here(domain: str, store: Store) -> bool:
    """Whether mail for *domain*, given by its key, is for this server; "" is the domain of ``<postmaster>``."""
    domains = await store.addresses.domains()
    return not domains or not domain or domain in domains


def _readings(local: str) -> Iterator[tuple[str, str]]:
    """The user and detail that *local* may mean: first all of it as the user, then cut at each ``+`` from the end."""
    yield local, ""
    # No account has a longer name, so the number of lookups is bounded.
    plus = local.rfind("+", 0, LONGEST_ACCOUNT_NAME_OCTETS + 1)
    while plus > 0:
        yield local[:plus], local[plus + 1 :]
        plus = local.rfind("+", 0, plus)


class Destination(Struct, frozen=True):
    """Where a message goes."""

    account: Account
    mailbox: MailboxId
    name: str
    """The mailbox's name."""
    or_inbox: bool
    """Whether the message goes to INBOX where the mailbox is deleted meanwhile: mail must not bounce for that."""


async def destination_of(recipient: Recipient, store: Store, rules: DeliveryRules) -> Destination:
    """The mailbox that the detail names, if *rules* allow that and there is one, else INBOX. Raises Refused.

    Case is ignored if only one mailbox matches: many agents change the case of addresses, and mail must not bounce for
    that. Sent, Drafts and Trash, and mailboxes below them, never match: mail in them would pass for the user's own.
    """
    account = await store.account(recipient.entry)
    if recipient.detail and rules.detail_folders:
        wanted = unicodedata.normalize("NFC", recipient.detail)
        mailboxes = await account.mailboxes()
        found = _named(wanted, mailboxes)
        if found is not None and not _is_closed(found.name, closed_names(mailboxes)):
            return Destination(account, found.id, found.name, or_inbox=found.name != INBOX)
    return Destination(account, await account.target(INBOX), INBOX, or_inbox=False)


def receives(mailbox: Mailbox, closed: frozenset[str], rules: DeliveryRules) -> bool:
    """Whether ``destination_of`` may lead to *mailbox* (RFC 5465 §6.3); *closed* is of all mailboxes of the account."""
    if mailbox.name == INBOX:
        return True
    return rules.detail_folders and mailbox.selectable and not _is_closed(mailbox.name, closed)


async def destination_named(user: str, mailbox: str, store: Store) -> Destination:
    """The mailbox *mailbox* of the account *user*. Raises Refused(NONEXISTENT), which says what is missing."""
    entry = await store.directory.find(user)
    if entry is None:
        raise Refused(Code.NONEXISTENT, texts.NO_SUCH_ACCOUNT.of(name=user))
    account = await store.account(entry)
    try:
        return Destination(account, await account.target(mailbox), mailbox, or_inbox=False)
    except Refused as refusal:
        if refusal.code is not Code.NONEXISTENT:
            raise
        raise Refused(Code.NONEXISTENT, texts.NO_SUCH_MAILBOX_NAMED.of(name=mailbox)) from refusal


def _named(wanted: str, mailboxes: Sequence[Mailbox]) -> Mailbox | None:
    selectable = [mailbox for mailbox in mailboxes if mailbox.selectable]
    for mailbox in selectable:
        if mailbox.name == wanted:
            return mailbox
    folded = fold(wanted)
    alike = [mailbox for mailbox in selectable if fold(mailbox.name) == folded]
    return alike[0] if len(alike) == 1 else None


def closed_names(mailboxes: Sequence[Mailbox]) -> frozenset[str]:
    """The names of the mailboxes that their special use closes."""
    return frozenset(mailbox.name for mailbox in mailboxes if mailbox.special_use in CLOSED_USES)


def _is_closed(name: str, closed: frozenset[str]) -> bool:
    levels = name.split(DELIMITER)
    if any(fold(level) in CLOSED_NAMES for level in levels):
        return True
    return not closed.isdisjoint(accumulate(levels, lambda above, level: f"{above}{DELIMITER}{level}"))
