"""Names, and which of them are the same: of INBOX, of mailboxes, of accounts. Every other room asks here."""

from __future__ import annotations

import unicodedata

INBOX = "INBOX"
"""The mailbox that every account has (RFC 9051 §5.1)."""

DELIMITER = "/"
"""Between the levels of a mailbox name: one ASCII character, the same everywhere (RFC 9051 §5.1.1)."""

_LETTERS = frozenset(INBOX + INBOX.lower())


def fold_inbox(name: str) -> str:
    """*name* with INBOX in capitals, where it is that in any case of letters, or its first level is.

    RFC 9051 §5.1 has the name without regard to case, which in ABNF is that of US-ASCII (RFC 5234 §2.3). The capital
    of the Turkish dotless i is I as well, but that is another letter. The first level counts too, lest there be two.
    """
    first = name[:5]
    if _LETTERS.issuperset(first) and first.upper() == INBOX and (len(name) == 5 or name[5] == DELIMITER):
        return INBOX + name[5:]
    return name


def mailbox_key(name: str) -> str:
    """How a mailbox's name is stored and compared: in NFC, INBOX as :func:`fold_inbox` has it."""
    return fold_inbox(name if name.isascii() else unicodedata.normalize("NFC", name))


def account_key(name: str) -> str:
    """How the names of accounts are compared: NFC and case-folded, so that two spellings never are two accounts."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
