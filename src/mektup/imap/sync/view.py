"""The selected mailbox as this client knows it.

A client and its server must at every moment agree which message a sequence number means. The client learns of changes
only from what it is told, and it must not be told of expunges while it may still use old numbers (RFC 9051 §7.5.1). So
each session keeps its own View: the UIDs that the client knows, in order; position *n* is sequence number *n*. The
store moves on meanwhile. Only ``updates`` moves the View, and it tells the client at the same time.

Invariants: *uids* changes only together with an EXISTS or EXPUNGE that is written to the client. Arrivals and flags are
told up to *modseq*, expunges up to *expunged_modseq*; the second is never ahead of the first. UIDs are kept as runs, so
a mailbox of a million messages with few holes costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count

from mektup.imap import texts
from mektup.store.interface import Changes, Row, Selection
from mektup.terms.errors import ClientError, Refused
from mektup.terms.flags import KEYWORD, without_invalid_flags
from mektup.terms.numbers import MailboxId, ModSeq, Seq, Uid
from mektup.terms.peer import Watch
from mektup.terms.sets import NumberSet, SavedResult, Seqs, SequenceSet, Uids

FEW = 16
"""If fewer than one message in FEW is asked for, each number is looked up; else a table of all numbers is made
first."""


NONE: Uids = NumberSet()
"""The empty set. Sets are immutable, so all views share it."""


class View:
    """Sequence numbers and UIDs of one session's selected mailbox, and what the client was told so far."""

    __slots__ = (
        "_known_keywords",
        "client_modseq",
        "expunged_modseq",
        "has_untold_expunges",
        "keywords",
        "mailbox",
        "modseq",
        "name",
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
        """The HIGHESTMODSEQ that the client has, computed from what it was told (RFC 7162 §6)."""
        self.uidnext: Uid = selection.mailbox.uidnext
        self.keywords = without_invalid_flags(selection.keywords)
        """Every keyword that FLAGS told the client."""
        self._known_keywords: set[str] | None = None
        """The same in lower case, once it is asked for."""
        self.uids = selection.uids
        """Every message that the client knows of, ascending."""
        self.recent: Uids = selection.recent
        if read_only:
            # RFC 3501 §6.3.2: EXAMINE claims no \\Recent, but shows it: on the last messages, which no session claimed
            self.recent = self.uids.at(NumberSet.span(len(self) - selection.mailbox.recent + 1, len(self)))
        self.saved: Uids = NONE
        """The search result variable ``$`` (RFC 9051 §6.4.4.1)."""
        self.has_untold_expunges = False
        """Whether there are expunges that the client could not be told yet."""
        self.untold: Uids = NONE
        """Messages whose flags must still be told, because they could not be told when they changed."""
        self.plan: object = None
        """The ``fetch.plan.Plan`` of the last FETCH, or None."""

    def __len__(self) -> int:
        return len(self.uids)

    def new_keywords(self, flags: Iterable[str]) -> tuple[str, ...]:
        """The keywords among *flags*, as the store spells them, that are new to the client."""
        known = self._known()
        return tuple([flag for flag in flags if flag.lower() not in known and KEYWORD.fullmatch(flag)])

    def learn(self, keywords: tuple[str, ...]) -> None:
        """Records new *keywords*, which the client is told now."""
        self.keywords += keywords
        self._known().update(map(str.lower, keywords))

    def _known(self) -> set[str]:
        if self._known_keywords is None:
            self._known_keywords = set(map(str.lower, self.keywords))
        return self._known_keywords

    def check_writable(self) -> None:
        """Raises Refused where the mailbox was opened read-only (RFC 9051 §6.3.3)."""
        if self.read_only:
            raise Refused(None, texts.READ_ONLY)

    def seq(self, uid: Uid) -> Seq:
        """The sequence number of a UID that is in the view."""
        return Seq(self.uids.rank(uid))

    def seqs(self, uids: Uids) -> Seqs:
        """The sequence numbers of those *uids* that are in the view."""
        return self.uids.positions(uids)

    def seqs_in_order(self, uids: Sequence[int]) -> list[int]:
        """The sequence numbers of *uids*, which are in the view, in the same order; 0 stays 0."""
        if len(uids) * FEW < len(self):
            return [uid and self.uids.rank(uid) for uid in uids]
        numbers: dict[int, int] = dict(zip(self.uids, count(1), strict=False))
        numbers[0] = 0
        return list(map(numbers.__getitem__, uids))

    def resolve(self, numbers: SequenceSet | SavedResult, *, by_uid: bool) -> Uids:
        """The messages of the view that *numbers* names, for a command that acts on them.

        UIDs that do not exist are ignored (RFC 9051 §6.4.9). Raises ClientError for a sequence number beyond the last
        message, including ``*`` in an empty mailbox (RFC 9051 §9 seq-number).
        """
        if by_uid or isinstance(numbers, SavedResult):
            return self.among(numbers, by_uid=by_uid)
        messages = len(self)
        if numbers.largest_named > messages or (messages == 0 and numbers.names_star):
            raise ClientError(texts.NO_SUCH_NUMBER.of(count=messages) if messages else texts.NO_NUMBERS)
        return self.uids.at(numbers.resolve(messages))

    def among(self, numbers: SequenceSet | SavedResult, *, by_uid: bool) -> Uids:
        """The messages of the view that *numbers* names, for a search.

        A sequence number beyond the last message matches nothing, like a UID that does not exist (docs/decisions,
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
        """The sequence numbers of fetched *rows*, which are in the view and ascend by UID, their first column."""
        first, last = self.uids.rank(rows[0][0]), self.uids.rank(rows[-1][0])
        if last - first + 1 == len(rows):
            return range(first, last + 1)
        offset = rows[0][0] - first
        if rows[-1][0] - last == offset:
            # no gap between the first and the last
            return [row[0] - offset for row in rows]
        rank = self.uids.rank
        return [rank(row[0]) for row in rows]

    def show_modseq(self, modseq: ModSeq) -> None:
        """Records that the client was shown the *modseq* of a message: its new HIGHESTMODSEQ if it is higher."""
        self.client_modseq = max(self.client_modseq, modseq)

    def arrive(self, changes: Changes) -> bool:
        """Adds new messages; returns whether there were any, so that EXISTS is due."""
        self.uidnext = changes.uidnext
        if not changes.arrived:
            return False
        self.uids = self.uids | changes.arrived
        self.recent = self.recent | changes.recent
        return True

    def expunge(self, gone: Uids) -> Iterator[int]:
        """Removes messages; yields the number for each EXPUNGE line, lowest message first.

        Each number takes into account the messages removed before it (RFC 9051 §7.5.1).
        """
        seqs = self.seqs(gone)
        self.uids = self.uids - gone
        self.recent = self.recent - gone
        self.saved = self.saved - gone
        # in a run, each message moves to the number of the one removed before it, so the number repeats
        told = 0
        places: list[Iterator[int]] = []
        for first, last in seqs.runs:
            places.append(iter([first - told] * (last - first + 1)))
            told += last - first + 1
        return chain.from_iterable(places)
