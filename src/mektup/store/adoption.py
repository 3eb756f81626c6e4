"""The values of ``adopt_mailbox`` and ``adopt``: mail that another server kept, taken over with its UIDs.

A client that has synchronised with the other server then goes on as if nothing had changed, because UIDVALIDITY and
UIDs are the same (RFC 9051 §2.3.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from mektup.store.values import Incoming
from mektup.terms.numbers import ModSeq, Uid, UidValidity
from mektup.terms.sets import Uids


@dataclass(frozen=True, slots=True)
class Adopted:
    """A message of another server, to add to a mailbox."""

    incoming: Incoming
    uid: Uid | None = None
    """Its UID there; None: it gets the next one here."""
    saved: int | None = None
    """When it was added to its mailbox (RFC 8514), in seconds since 1970 UTC; None: now."""
    key: bytes | None = None
    """By what the caller knows the message, opaque to the store: the mailbox remembers it, see ``imported``."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What became of adopted messages. Each message is in *uids* or counted in one of the others."""

    uidvalidity: UidValidity
    uids: Uids
    """The messages that were added; ascending, in the order in which they were given."""
    known: int
    """How many were left out because the mailbox remembers their key."""
    there: Uids
    """UIDs that have the same octets here already."""
    other: Uids
    """UIDs that another message has here."""
    gone: Uids
    """UIDs below the mailbox's UIDNEXT that no message has (any more)."""
    modseq: ModSeq
