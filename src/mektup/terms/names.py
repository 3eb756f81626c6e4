"""Which names are equal: INBOX, names of mailboxes, names of accounts. No other module compares them by itself."""

from __future__ import annotations

import unicodedata

INBOX = "INBOX"
"""The mailbox that every account has (RFC 9051 §5.1)."""

DELIMITER = "/"
"""Separates the levels of a mailbox name: one ASCII character, the same for all mailboxes (RFC 9051 §5.1.1)."""

_LETTERS = frozenset(INBOX + INBOX.lower())


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
