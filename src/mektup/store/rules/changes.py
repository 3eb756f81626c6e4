"""The messages of a mailbox, and the changes since a modseq: set algebra over UIDs that an engine looks up.

An engine keeps, by modseq, the UIDs that a change touched (arrivals and flags) and the UIDs that it expunged. A touched
UID may be expunged later, so the changes since a modseq are the touched UIDs without the expunged ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mektup.store.interface import Changes, Mailbox, Selection
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids

NONE: Final[Uids] = NumberSet()  # not Uids(), because calling this alias costs a microsecond each time


@dataclass(frozen=True, slots=True)
class Since:
    """The state that the caller of ``interface.Account.changes`` knows."""

    modseq: ModSeq
    expunged: ModSeq
    uidnext: Uid

    def is_now(self, highest: ModSeq) -> bool:
        """Whether a mailbox with the HIGHESTMODSEQ *highest* has nothing new for the caller."""
        return highest <= self.modseq and highest <= self.expunged

    def flags_changed(self, touched: Uids, expunged: Uids) -> Uids:
        """The messages that the caller knows, that still exist, and whose flags changed."""
        return (touched & NumberSet.span(1, self.uidnext - 1)) - expunged

    def told(
        self,
        highest: ModSeq,
        uidnext: Uid,
        keywords: str,
        changed: Uids,
        flags: Sequence[tuple[Uid, int, ModSeq]] | None,
        expunged: Uids,
    ) -> Changes:
        """The Changes for the caller; *keywords* are separated by spaces."""
        arrived: Uids = NumberSet.span(self.uidnext, uidnext - 1)
        return Changes(highest, uidnext, arrived - expunged, NONE, changed, flags, expunged, tuple(keywords.split()))


@dataclass(frozen=True, slots=True)
class Known:
    """A mailbox's messages as of a modseq."""

    modseq: ModSeq
    uidnext: int
    uids: Uids
    first_unseen: Uid | None

    def uids_now(self, uidnext: int, gone: Uids) -> Uids:
        """The UIDs after messages below *uidnext* arrived and *gone* were expunged."""
        return (self.uids | NumberSet.span(self.uidnext, uidnext - 1)) - gone

    @property
    def unseen_from(self) -> int:
        """The first UID that may be unseen now, among messages that did not change since."""
        return self.first_unseen or self.uidnext

    def may_be_unseen(self, touched: Uids) -> Uids:
        """The UIDs below ``unseen_from`` that may be unseen now, because they changed since."""
        return touched & NumberSet.span(1, self.unseen_from - 1)


UNKNOWN: Final = Known(ModSeq(0), 1, NONE, None)


def selection(mailbox: Mailbox, known: Known, keywords: Sequence[str]) -> Selection:
    """The Selection for SELECT, with nothing claimed as \\Recent."""
    return Selection(mailbox, known.uids, known.first_unseen, tuple(keywords), NONE)


def with_recent(found: Selection, first: Uid | None) -> Selection:
    """*found*, with the messages from *first* on claimed as \\Recent; none for None."""
    recent = found.uids & NumberSet.span(first, found.mailbox.uidnext) if first else NONE
    return replace(found, recent=recent)


def with_recent_unclaimed(found: Selection) -> Selection:
    """*found*, with the messages that are \\Recent although they could not be claimed.

    RFC 3501 §2.3.2 prefers a message that is recent in two sessions to one that is recent in none.
    """
    first = len(found.uids) - found.mailbox.recent + 1
    return replace(found, recent=found.uids.at(NumberSet.span(first, len(found.uids))))


def with_recent_arrived(found: Changes, first: Uid | None) -> Changes:
    """*found*, with the arrivals from *first* on claimed as \\Recent; none for None."""
    return replace(found, recent=found.arrived & NumberSet.span(first, found.uidnext) if first else NONE)
