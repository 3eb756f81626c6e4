"""Flags, and the special uses of mailboxes.

A flag is a str of ASCII. System flags start with a backslash and are known here as bits; keywords are
the clients' own and keep the spelling in which they first came. Both compare without regard to case
(RFC 9051 §2.3.2).
"""

from __future__ import annotations

from enum import Enum, IntFlag

from mektup.terms.names import INBOX


class SystemFlag(IntFlag):
    """The flags that IMAP itself defines, but for \\Recent, which belongs to a session."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


SYSTEM_FLAG_NAMES: dict[SystemFlag, str] = {
    SystemFlag.ANSWERED: "\\Answered",
    SystemFlag.FLAGGED: "\\Flagged",
    SystemFlag.DELETED: "\\Deleted",
    SystemFlag.SEEN: "\\Seen",
    SystemFlag.DRAFT: "\\Draft",
}
"""In the order in which FLAGS responses list them."""

SYSTEM_FLAGS_BY_NAME: dict[str, SystemFlag] = {name.lower(): flag for flag, name in SYSTEM_FLAG_NAMES.items()}
"""From a lower-case name, backslash included."""


class FlagChange(Enum):
    """What STORE does with the flags it names (RFC 9051 §6.4.6)."""

    REPLACE = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


SPECIAL_USES: tuple[str, ...] = (
    "\\All",
    "\\Archive",
    "\\Drafts",
    "\\Flagged",
    "\\Junk",
    "\\Sent",
    "\\Trash",
    "\\Important",
)
"""Special uses of RFC 6154 §2 and RFC 8457 §3."""

NEW_ACCOUNT_MAILBOXES: tuple[tuple[str, str | None], ...] = (
    (INBOX, None),
    ("Drafts", "\\Drafts"),
    ("Sent", "\\Sent"),
    ("Junk", "\\Junk"),
    ("Trash", "\\Trash"),
    ("Archive", "\\Archive"),
)
"""Name and special use of what every new account has; all of them subscribed."""
