"""Flags, and the special uses of mailboxes.

A flag is an ASCII str. System flags start with a backslash and have a bit here. Keywords are made by
clients and keep the spelling of their first use. Both compare without regard to case (RFC 9051 §2.3.2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, IntFlag
from functools import lru_cache

from mektup.terms import texts
from mektup.terms.names import INBOX
from mektup.terms.texts import Text


class SystemFlag(IntFlag):
    """The flags that IMAP itself defines, except \\Recent, which belongs to a session."""

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
"""By lower-case name, backslash included."""


KEYWORD = re.compile(r"[!#$&'+,./0-9:;<=>?@A-Z\[^_`a-z|}~-]+", re.ASCII)
"""flag-keyword = atom (RFC 9051 §9): ASCII without spaces, control characters and ( ) { % * " \\ ]."""


def objection_to_flag(flag: str, longest_keyword: int) -> Text | None:
    """Why a message cannot have *flag*; None if it can.

    *longest_keyword* is in octets. RFC 9051 §2.3.2: a keyword does not begin with a backslash. \\Recent belongs to a
    session (RFC 3501 §2.3.2). Other system flags must not be invented (RFC 9051 §9, flag-extension).
    """
    if flag.lower() in SYSTEM_FLAGS_BY_NAME:
        return None
    if flag.startswith("\\"):
        return texts.NO_SYSTEM_FLAG.of(flags=" ".join(SYSTEM_FLAG_NAMES.values()))
    if not KEYWORD.fullmatch(flag):
        return texts.NO_KEYWORD
    if len(flag) > longest_keyword:
        return texts.KEYWORD_TOO_LONG.of(octets=longest_keyword)
    return None


def each_once(flags: Sequence[str]) -> tuple[str, ...]:
    """*flags* without duplicates; case is ignored, and the first spelling is kept."""
    if len(flags) < 2:
        return tuple(flags)
    first: dict[str, str] = {}
    for flag in flags:
        first.setdefault(flag.lower(), flag)
    return tuple(first.values())


@lru_cache(256)
def without_invalid_flags(flags: tuple[str, ...]) -> tuple[str, ...]:
    """*flags* without those that must not be sent to a client: invented system flags, and texts that are no atom.

    RFC 9051 §9 flag-extension: a server must not generate them. No client can set one, but old mail may have some,
    because ``deliver`` of an embedded server once took any text.
    """
    return tuple([flag for flag in flags if not objection_to_flag(flag, len(flag))])


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
"""Name and special use of the mailboxes of a new account; all are subscribed."""
