"""The sort keys of SORT and the algorithms of THREAD (RFC 5256, RFC 5957)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from mektup.terms.comparators import DEFAULT, Comparator


class SortKey(Enum):
    """A sort key (RFC 5256 §3 BASE.6.4.SORT, RFC 5957 §4); the value is its name on the wire."""

    ARRIVAL = "ARRIVAL"
    """Internal date and time."""
    CC = "CC"
    """Mailbox of the first address, as for FROM and TO."""
    DATE = "DATE"
    """Sent date and time, normalised to UTC; the internal date if there is none (RFC 5256 §2.2)."""
    DISPLAYFROM = "DISPLAYFROM"
    """Name of the first address, else the address."""
    DISPLAYTO = "DISPLAYTO"
    FROM = "FROM"
    RELEVANCY = "RELEVANCY"
    """How well a message matches the fuzzy keys, the best first (RFC 6203 §6)."""
    SIZE = "SIZE"
    """Octets."""
    SUBJECT = "SUBJECT"
    """Base subject (RFC 5256 §2.1)."""
    TO = "TO"


COMPARED: Final = frozenset({SortKey.CC, SortKey.FROM, SortKey.SUBJECT, SortKey.TO})
"""The sort keys to which the comparator of the client applies (RFC 5255 §4.2)."""


@dataclass(frozen=True, slots=True)
class SortCriterion:
    """A sort key and its direction."""

    key: SortKey
    reverse: bool = False
    comparator: Comparator = DEFAULT
    """For the keys of COMPARED only."""


class ThreadAlgorithm(Enum):
    """How messages become threads (RFC 5256 §3 BASE.6.4.THREAD); the value is its name on the wire."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    """By base subject alone."""
    REFERENCES = "REFERENCES"
    """By References and In-Reply-To, then by base subject."""
    REFS = "REFS"
    """By References and In-Reply-To alone; the thread with the latest arrival comes last (draft-ietf-morg-inthread)."""


@dataclass(frozen=True, slots=True)
class MessageThreads:
    """The threads in order. In each thread, a message stands before its replies, and its replies stand in order.

    So a message's position and its number of replies describe the tree completely, at any depth.
    """

    uids: Sequence[int]
    """0 for a parent that was not found by the search, or does not exist; such a parent has at least two replies."""
    replies: Sequence[int]
    """The number of direct replies of each message."""
