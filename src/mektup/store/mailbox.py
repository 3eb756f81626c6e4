"""A mailbox as the store tells it."""

from __future__ import annotations

from dataclasses import dataclass

from mektup.terms.numbers import MailboxId, ModSeq, Uid, UidValidity


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox and its counters at one moment."""

    id: MailboxId
    name: str
    uidvalidity: UidValidity
    uidnext: Uid
    highestmodseq: ModSeq
    messages: int
    unseen: int
    deleted: int
    size: int
    """Octets of all messages (RFC 8438)."""
    recent: int
    """Messages that no session has claimed as \\Recent yet (RFC 3501 §2.3.2)."""
    mailboxid: str
    """RFC 8474; ASCII; a rename keeps it."""
    special_use: str | None
    """One of SPECIAL_USES."""
    selectable: bool
    """False for a name that exists only because it has children."""
