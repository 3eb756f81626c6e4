"""Which names are equal: INBOX, names of mailboxes, names of accounts. No other module compares them by itself."""

from __future__ import annotations

import unicodedata

from mektup.terms.domains import domain_key

INBOX = "INBOX"
"""The mailbox that every account has (RFC 9051 §5.1)."""

DELIMITER = "/"
"""Separates the levels of a mailbox name: one ASCII character, the same for all mailboxes (RFC 9051 §5.1.1)."""

OTHER_USERS = "Other Users"
"""The first level of the names of mailboxes that other accounts share (RFC 2342 §5). No own mailbox has it."""

PAST = "Undelete"
"""The mailbox of deleted messages, and the first level of the names of what was. No own mailbox has it."""

_LETTERS = frozenset(INBOX + INBOX.lower())


def is_own(name: str) -> bool:
    """Whether the mailbox *name* is, or would be, one of the account now, and not one that others share."""
    return not (_is_below(name, OTHER_USERS) or _is_below(name, PAST))


def is_past(name: str) -> bool:
    """Whether the mailbox *name* is one of deleted messages, or one of a moment of the past."""
    return _is_below(name, PAST)


def _is_below(name: str, first: str) -> bool:
    return name.startswith(first) and name[len(first) :][:1] in ("", DELIMITER)


def fold_inbox(name: str) -> str:
    """*name* with INBOX in capitals, if the name or its first level is INBOX in any case of letters.

    RFC 9051 §5.1 compares INBOX without regard to case, which in ABNF is the case of US-ASCII (RFC 5234 §2.3). The
    Turkish dotless i has the capital I too, but is another letter. The first level is included, so that there are not
    two trees below INBOX.
    """
    first = name[:5]
    if _LETTERS.issuperset(first) and first.upper() == INBOX and (len(name) == 5 or name[5] == DELIMITER):
        return INBOX + name[5:]
    return name


def mailbox_key(name: str) -> str:
    """The form in which a mailbox name is stored and compared: NFC, INBOX as in :func:`fold_inbox`."""
    return fold_inbox(name if name.isascii() else unicodedata.normalize("NFC", name))


def account_key(name: str) -> str:
    """The form in which account names are compared: NFC and case-folded, so that two spellings are one account."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def split_address(address: str) -> tuple[str, str]:
    """The local part of *address*, and its domain; the domain is empty where there is no "@"."""
    user, at, domain = address.rpartition("@")
    return (user, domain) if at else (address, "")


def address_key(address: str) -> str:
    """The form in which addresses are stored and compared: as account names, and the domain as ``domain_key``."""
    user, domain = split_address(address)
    return f"{account_key(user)}@{domain_key(domain)}" if "@" in address else account_key(address)
