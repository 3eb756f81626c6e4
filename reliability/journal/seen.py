"""What a server shows of an account, as a client reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

from reliability.journal.operations import Flags


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message."""

    flags: Flags
    modseq: int
    date: str
    size: int
    digest: str | None
    """None if its octets were not read again."""


@dataclass(slots=True)
class SeenMailbox:
    """A mailbox, and its counters as STATUS shows them."""

    name: str
    validity: int
    uidnext: int
    modseq: int
    messages: dict[int, SeenMessage] = field(default_factory=dict)
    is_whole: bool = True
    """False if only the counters were read, because nothing has touched it."""
    counters: dict[str, int] = field(default_factory=dict)
    """MESSAGES, UNSEEN, DELETED and SIZE."""


@dataclass(slots=True)
class SeenAccount:
    """An account."""

    mailboxes: dict[str, SeenMailbox]
    """By name."""
    subscribed: frozenset[str]
