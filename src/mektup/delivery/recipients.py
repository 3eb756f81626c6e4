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
from mektup.store.interface import Account, AccountEntry, Directory, Mailbox, Store
from mektup.terms.account_names import LONGEST_ACCOUNT_NAME_OCTETS
from mektup.terms.delivery import DeliveryRules
from mektup.terms.errors import Code, Refused
from mektup.terms.names import DELIMITER, INBOX
from mektup.terms.numbers import MailboxId

ASCII_FORM = "xn--"
"""The beginning of a label that encodes letters beyond ASCII (RFC 5890 §2.3.2.1)."""
LONGEST_LABEL = 63
"""RFC 1035 §2.3.4."""

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
    """An accepted address and its account."""

    address: Address
    entry: AccountEntry
    detail: str
    """The text after the ``+`` of the local part; empty if there is none, or if it belongs to the account's name."""


async def resolve(address: Address, directory: Directory) -> Recipient:
    """The account of *address*: that of the whole address, else of its local part, else of both without ``+detail``.

    Only its own host interprets a local part (RFC 5321 §2.3.11), so the accounts on this server decide. If it has
    several ``+``, the longest name of an account wins. Raises Refused(NONEXISTENT).
    """
    for user, detail in _readings(address.local):
        for name in _names(user, address.domain):
            entry = await directory.find(name)
            if entry is not None:
                return Recipient(address, entry, detail)
    raise Refused(Code.NONEXISTENT, texts.NO_ACCOUNT_HERE)


def _readings(local: str) -> Iterator[tuple[str, str]]:
    """The user and detail that *local* may mean: first all of it as the user, then cut at each ``+`` from the end."""
    yield local, ""
    # No account has a longer name, so the number of lookups is bounded.
    plus = local.rfind("+", 0, LONGEST_ACCOUNT_NAME_OCTETS + 1)
    while plus > 0:
        yield local[:plus], local[plus + 1 :]
        plus = local.rfind("+", 0, plus)


def _names(user: str, domain: str) -> Iterator[str]:
    for spelling in _spellings(domain):
        yield f"{user}@{spelling}"
    # A quoted local part may have an "@", and must not match an account of another domain.
    if "@" not in user:
        yield user


def _spellings(domain: str) -> list[str]:
    """*domain* as given, and with its internationalised labels in both forms (RFC 5890 §2.3.2.1)."""
    # A dot at the end, for the root (RFC 1035 §3.1), is not valid in an address, but means the same domain.
    domain = unicodedata.normalize("NFC", domain).removesuffix(".")
    if not domain:
        return []
    if domain.isascii() and ASCII_FORM not in domain.lower():
        return [domain]
    labels = domain.split(".")
    forms = (labels, map(_unicode_label, labels), map(_ascii_label, labels))
    return list(dict.fromkeys(".".join(form) for form in forms))


def _unicode_label(label: str) -> str:
    if len(label) > LONGEST_LABEL or not label.isascii() or not label.lower().startswith(ASCII_FORM):
        return label
    try:
        decoded = label[len(ASCII_FORM) :].encode().decode("punycode")
    except UnicodeError:
        return label
    return decoded if decoded.isprintable() else label


def _ascii_label(label: str) -> str:
    if len(label) > LONGEST_LABEL or label.isascii():
        return label
    return ASCII_FORM + label.lower().encode("punycode").decode()


class Destination(Struct, frozen=True):
    """Where a message goes."""

    account: Account
    mailbox: MailboxId
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
        if found is not None and not _is_closed(found, mailboxes):
            return Destination(account, found.id, or_inbox=found.name != INBOX)
    return Destination(account, await account.target(INBOX), or_inbox=False)


async def destination_named(user: str, mailbox: str, store: Store) -> Destination:
    """The mailbox *mailbox* of the account *user*. Raises Refused(NONEXISTENT), which says what is missing."""
    entry = await store.directory.find(user)
    if entry is None:
        raise Refused(Code.NONEXISTENT, texts.NO_SUCH_ACCOUNT.of(name=user))
    account = await store.account(entry)
    try:
        return Destination(account, await account.target(mailbox), or_inbox=False)
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


def _is_closed(mailbox: Mailbox, mailboxes: Sequence[Mailbox]) -> bool:
    levels = mailbox.name.split(DELIMITER)
    if any(fold(level) in CLOSED_NAMES for level in levels):
        return True
    line = frozenset(accumulate(levels, lambda above, level: f"{above}{DELIMITER}{level}"))
    return any(each.special_use in CLOSED_USES for each in mailboxes if each.name in line)
