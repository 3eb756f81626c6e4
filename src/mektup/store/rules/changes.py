"""What a mailbox holds, and what changed in it since: set algebra over what an engine looks up.

An engine keeps, by modseq, which UIDs changes touched (arrivals and flags) and which went. A UID may have been touched
again since, or be gone; so what changed since is what was touched, less what is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mektup.store.interface import Changes, Mailbox, Selection
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids

NONE: Final[Uids] = NumberSet()  # not by way of Uids, an alias that costs a microsecond each time it is called


@dataclass(frozen=True, slots=True)
class Since:
    """The state that an asker knows: see ``interface.Account.changes``."""

    modseq: ModSeq
    expunged: ModSeq
    uidnext: Uid

    def is_now(self, highest: ModSeq) -> bool:
        """Whether a mailbox whose HIGHESTMODSEQ is *highest* has nothing new for the asker."""
        return highest <= self.modseq and highest <= self.expunged

    def flags_changed(self, touched: Uids, expunged: Uids) -> Uids:
        """Those that the asker knows, that are there still, and whose flags changed."""
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
        """What the asker is told; *keywords* are parted by spaces."""
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
        """The UIDs that are there when *gone* went and what is below *uidnext* came."""
        return (self.uids | NumberSet.span(self.uidnext, uidnext - 1)) - gone

    @property
    def unseen_from(self) -> int:
        """The first UID that may be unseen now, of those that were not touched since."""
        return self.first_unseen or self.uidnext

    def may_be_unseen(self, touched: Uids) -> Uids:
        """Those below ``unseen_from`` that may be unseen now, as they changed since."""
        return touched & NumberSet.span(1, self.unseen_from - 1)


UNKNOWN: Final = Known(ModSeq(0), 1, NONE, None)


def selection(mailbox: Mailbox, known: Known, keywords: Sequence[str]) -> Selection:
    """What SELECT tells, with nothing claimed as \\Recent."""
    return Selection(mailbox, known.uids, known.first_unseen, tuple(keywords), NONE)


def with_recent(found: Selection, first: Uid | None) -> Selection:
    """*found*, of which the messages from *first* on were claimed as \\Recent; none for None."""
    recent = found.uids & NumberSet.span(first, found.mailbox.uidnext) if first else NONE
    return replace(found, recent=recent)


def with_recent_unclaimed(found: Selection) -> Selection:
    """*found*, with what is \\Recent although it could not be claimed.

    RFC 3501 §2.3.2 would rather have a message recent twice than not at all.
    """
    first = len(found.uids) - found.mailbox.recent + 1
    return replace(found, recent=found.uids.at(NumberSet.span(first, len(found.uids))))


def with_recent_arrived(found: Changes, first: Uid | None) -> Changes:
    """*found*, of which the arrivals from *first* on were claimed as \\Recent; none for None."""
    return replace(found, recent=found.arrived & NumberSet.span(first, found.uidnext) if first else NONE)
