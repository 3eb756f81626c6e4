"""The selected mailbox as this client knows it.

A client and its server must at every moment agree which message a sequence number means. The client learns
of changes only by what it is told, and it must not be told of expunges while it may still be using old
numbers (RFC 9051 §7.5.1). So each session keeps its own View: the UIDs that the client knows of, in order;
position *n* is sequence number *n*. The store moves on meanwhile; ``updates.tell`` alone brings the View
after it, and tells the client in the same breath.

Invariants: *uids* changes only together with an EXISTS or EXPUNGE written to the client; *modseq* says up to
where arrivals and flags were told, *expunged_modseq* up to where expunges were; the second is never ahead.
UIDs are kept as runs, so a mailbox of a million messages with few holes costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING

from mektup.store.interface import Changes, FlagsStored, Row, Selection
from mektup.terms.errors import ClientError, Refused
from mektup.terms.flags import KEYWORD, without_what_is_no_flag
from mektup.terms.numbers import MailboxId, ModSeq, Seq, Uid
from mektup.terms.peer import Watch
from mektup.terms.sets import NumberSet, SavedResult, Seqs, SequenceSet, Uids

if TYPE_CHECKING:
    from mektup.imap.fetch_plan import Plan

FEW = 16
"""For one UID in so many, each is looked up; for more, the numbers of all are written down first."""


NONE: Uids = NumberSet()
"""No messages; sets do not change, so all views share it."""


class View:
    """Sequence numbers and UIDs of one session's selected mailbox, and what it was told so far."""

    __slots__ = (
        "client_modseq",
        "expunged_modseq",
        "keywords",
        "known_keywords",
        "mailbox",
        "modseq",
        "name",
        "owes_expunges",
        "plan",
        "read_only",
        "recent",
        "saved",
        "uidnext",
        "uids",
        "untold",
        "watch",
    )

    def __init__(self, selection: Selection, watch: Watch, *, read_only: bool) -> None:
        self.mailbox: MailboxId = selection.mailbox.id
        self.name = selection.mailbox.name
        self.read_only = read_only
        self.watch = watch
        self.modseq: ModSeq = selection.mailbox.highestmodseq
        self.expunged_modseq: ModSeq = selection.mailbox.highestmodseq
        self.client_modseq: ModSeq = selection.mailbox.highestmodseq
        """The HIGHESTMODSEQ that the client has, as it reckons it from what it is told (RFC 7162 §6)."""
        self.uidnext: Uid = selection.mailbox.uidnext
        self.keywords = without_what_is_no_flag(selection.keywords)
        """Every keyword that the client was told of, by FLAGS."""
        self.known_keywords = set(map(str.lower, self.keywords))
        self.recent: Uids = selection.recent
        self.saved: Uids = NONE
        """The search result variable ``$`` (RFC 9051 §6.4.4.1)."""
        self.owes_expunges = False
        """Whether messages are gone of which the client could not be told yet."""
        self.untold: Uids = NONE
        """Messages whose flags the client must be told, as they could not be when they changed."""
        self.plan: Plan | None = None
        """How the last FETCH was answered."""
        self.uids = selection.uids
        """Every message that the client knows of, ascending."""

    def __len__(self) -> int:
        return len(self.uids)

    def made(self, stored: FlagsStored) -> bool:
        """Takes in a change of flags that this session made itself; its client is told, or asked not to be.

        False, and nothing is taken in, where somebody else changed something just before: then the client must see what
        came of both.
        """
        if stored.previous != self.modseq:
            return False
        self.modseq = stored.modseq
        if not self.owes_expunges:
            self.expunged_modseq = stored.modseq
        self.watch.made(stored.modseq)
        return True

    def owe(self, uids: Uids) -> None:
        """The flags of *uids*, and all else that changed, could not be told; the next command that may tell it does."""
        self.untold = self.untold | uids
        self.watch.fire()

    def new_keywords(self, flags: Iterable[str]) -> tuple[str, ...]:
        """The keywords among *flags*, as the store spells them, that the client was not told of."""
        known = self.known_keywords
        return tuple([flag for flag in flags if flag.lower() not in known and KEYWORD.fullmatch(flag)])

    def learn(self, keywords: tuple[str, ...]) -> None:
        """Takes in new *keywords*, of which the client is told now."""
        self.keywords += keywords
        self.known_keywords.update(keyword.lower() for keyword in keywords)

    def check_writable(self) -> None:
        """Raises Refused where the mailbox was opened read-only (RFC 9051 §6.3.3)."""
        if self.read_only:
            raise Refused(None, "The mailbox is open read-only: SELECT it to change it")

    def seq(self, uid: Uid) -> Seq:
        """The sequence number of a UID that is in the view."""
        return Seq(self.uids.rank(uid))

    def seqs(self, uids: Uids) -> Seqs:
        """The sequence numbers of *uids*, those not in the view left out."""
        return self.uids.positions(uids)

    def seqs_in_order(self, uids: Sequence[int]) -> list[int]:
        """The sequence numbers of *uids*, which are in the view, in their order; 0 for 0."""
        if len(uids) * FEW < len(self):
            return [uid and self.uids.rank(uid) for uid in uids]
        numbers: dict[int, int] = dict(zip(self.uids, count(1), strict=False))
        numbers[0] = 0
        return list(map(numbers.__getitem__, uids))

    def resolve(self, numbers: SequenceSet | SavedResult, *, by_uid: bool) -> Uids:
        """The messages of the view that *numbers* names, in a command that does something to them.

        UIDs that are not there are passed over (RFC 9051 §6.4.9). Raises ClientError for a sequence number beyond the
        last message, ``*`` in an empty mailbox included (RFC 9051 §9 seq-number).
        """
        if by_uid or isinstance(numbers, SavedResult):
            return self.among(numbers, by_uid=by_uid)
        messages = len(self)
        if numbers.largest_named > messages or (messages == 0 and numbers.names_star):
            known = f"there are {messages} messages" if messages else "the mailbox is empty"
            raise ClientError(f"No message has that sequence number: {known}")
        return self.uids.at(numbers.resolve(messages))

    def among(self, numbers: SequenceSet | SavedResult, *, by_uid: bool) -> Uids:
        """The messages of the view that *numbers* names, as a search asks for them: what is not there is none.

        So a sequence number beyond the last message matches nothing, as a UID that is not there does (docs/decisions,
        0007).
        """
        if isinstance(numbers, SavedResult):
            return self.saved & self.uids
        if by_uid:
            largest = self.uids.last if self.uids else 0
            named: Uids = NumberSet(numbers.resolve(largest).runs)
            return named & self.uids
        messages = len(self)
        return self.uids.at(numbers.resolve(messages) & NumberSet.span(1, messages))

    def number(self, rows: Sequence[Row]) -> Sequence[int] | list[int]:
        """The sequence numbers of fetched *rows*, which ascend by UID, the first column, and are in the view."""
        first, last = self.uids.rank(rows[0][0]), self.uids.rank(rows[-1][0])
        if last - first + 1 == len(rows):
            return range(first, last + 1)
        offset = rows[0][0] - first
        if rows[-1][0] - last == offset:
            # no hole between them
            return [row[0] - offset for row in rows]
        rank = self.uids.rank
        return [rank(row[0]) for row in rows]

    def show_modseq(self, modseq: ModSeq) -> None:
        """The client was told *modseq* as a message's, and takes it for its HIGHESTMODSEQ if it is higher."""
        self.client_modseq = max(self.client_modseq, modseq)

    def arrive(self, changes: Changes) -> bool:
        """Takes in new messages; returns whether there were any, and an EXISTS is due."""
        self.uidnext = changes.uidnext
        if not changes.arrived:
            return False
        self.uids = self.uids | changes.arrived
        self.recent = self.recent | changes.recent
        return True

    def expunge(self, gone: Uids) -> Iterator[int]:
        """Takes out messages; yields the number for each EXPUNGE line, lowest message first.

        Each is valid at its moment: those taken out before it no longer count (RFC 9051 §7.5.1).
        """
        seqs = self.seqs(gone)
        self.uids = self.uids - gone
        self.recent = self.recent & self.uids
        self.saved = self.saved & self.uids
        # within a run of numbers every message moves into the place of the one before it
        told = 0
        places: list[Iterator[int]] = []
        for first, last in seqs.runs:
            places.append(iter([first - told] * (last - first + 1)))
            told += last - first + 1
        return chain.from_iterable(places)
