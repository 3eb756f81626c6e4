"""What SORT orders messages by, and how THREAD gathers them (RFC 5256, RFC 5957)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class SortKey(Enum):
    """What a message is sorted by (RFC 5256 §3 BASE.6.4.SORT, RFC 5957 §4); the value is its name on the wire."""

    ARRIVAL = "ARRIVAL"
    """Internal date and time."""
    CC = "CC"
    """Mailbox of the first address, as for FROM and TO."""
    DATE = "DATE"
    """Sent date and time, normalised to UTC; where there is none, the internal date (RFC 5256 §2.2)."""
    DISPLAYFROM = "DISPLAYFROM"
    """Name of the first address, else the address."""
    DISPLAYTO = "DISPLAYTO"
    FROM = "FROM"
    SIZE = "SIZE"
    """Octets."""
    SUBJECT = "SUBJECT"
    """Base subject (RFC 5256 §2.1)."""
    TO = "TO"


@dataclass(frozen=True, slots=True)
class SortCriterion:
    """A key, and in which direction."""

    key: SortKey
    reverse: bool = False


class ThreadAlgorithm(Enum):
    """How messages become threads (RFC 5256 §3 BASE.6.4.THREAD); the value is its name on the wire."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    """By base subject alone."""
    REFERENCES = "REFERENCES"
    """By which is a reply to which, then by base subject."""


@dataclass(frozen=True, slots=True)
class MessageThreads:
    """The threads in order. In each thread, a message stands before its replies, and its replies stand in order.

    So a message's place, and how many replies it has, say all about the tree, however deep it is.
    """

    uids: Sequence[int]
    """0 for a parent that is not among the messages found, or not there at all: it has two replies at least."""
    replies: Sequence[int]
    """How many messages are right below each."""
