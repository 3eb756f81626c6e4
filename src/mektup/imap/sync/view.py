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
from mektup.store.columns import Row
from mektup.store.interface import Account, Changes, Selection
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.flags import KEYWORD, without_invalid_flags
from mektup.terms.numbers import MailboxId, ModSeq, Seq, Uid
from mektup.terms.peer import Watch
from mektup.terms.rights import ALL, FLAGGING, WRITING, Rights
from mektup.terms.rights import NONE as NO_RIGHTS
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
        "account",
        "client_modseq",
        "contexts",
        "examined",
        "expunged_modseq",
        "has_untold_expunges",
        "is_own",
        "keywords",
        "mailbox",
        "modseq",
        "muted",
        "muted_since",
        "name",
        "plan",
        "read_only",
        "recent",
        "rights",
        "saved",
        "uidnext",
        "uids",
        "untold",
        "watch",
    )

    def __init__(
        self,
        selection: Selection,
        account: Account,
        watch: Watch,
        *,
        read_only: bool,
        rights: Rights = ALL,
        is_own: bool = True,
    ) -> None:
        self.account = account
        """The account that has the mailbox."""
        self.is_own = is_own
        """Whether that is the client's account. If it is not, ``rights`` may change at any time."""
        self.rights = rights
        """What the client may do with the mailbox (RFC 4314 §4)."""
        self.mailbox: MailboxId = selection.mailbox.id
        self.name = selection.mailbox.name
        self.examined = read_only
        """Whether the client asked for a read-only mailbox."""
        self.read_only = read_only or rights.isdisjoint(WRITING)
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
        self.recent: Uids = selection.recent if self.claims_recent else self._unclaimed(selection.mailbox.recent)
        self.saved: Uids = NONE
        """The search result variable ``$`` (RFC 9051 §6.4.4.1)."""
        self.has_untold_expunges = False
        """Whether there are expunges that the client could not be told yet."""
        self.untold: Uids = NONE
        """Messages whose flags must still be told, because they could not be told when they changed."""
        self.muted: Uids = NONE
        """Messages whose flags changed, which the client did not want to be told (RFC 5465 §5)."""
        self.muted_since: ModSeq | None = None
        """The modseq before the first of these changes; None if there are none."""
        self.contexts: object = None
        """The ``contexts.Contexts``: the searches whose results the client is kept informed of; None for none."""
        self.plan: object = None
        """The ``fetch.plan.Plan`` of the last FETCH, or None."""

    def _unclaimed(self, count: int) -> Uids:
        """The last *count* messages, which no session has claimed as \\Recent.

        RFC 3501 §6.3.2: EXAMINE claims none, but shows them. So does SELECT of another user's mailbox: its owner then
        sees them as if nobody had been there.
        """
        return self.uids.at(NumberSet.span(len(self) - count + 1, len(self)))

    def __len__(self) -> int:
        return len(self.uids)

    @property
    def told_modseq(self) -> ModSeq:
        """The modseq up to which the client was told everything: arrivals, flags and expunges."""
        return self.expunged_modseq if self.muted_since is None else min(self.expunged_modseq, self.muted_since)

    @property
    def claims_recent(self) -> bool:
        """Whether messages that are \\Recent to this client are not to any other one (RFC 3501 §2.3.2)."""
        return self.is_own and not self.read_only

    @property
    def flag_rights(self) -> Rights:
        """The rights to change flags; none where the mailbox is read-only."""
        if self.read_only:
            return NO_RIGHTS
        return FLAGGING if self.rights is ALL else self.rights & FLAGGING

    def allow(self, rights: Rights) -> None:
        """Records that the client has other *rights* now."""
        self.rights = rights
        self.read_only = self.examined or rights.isdisjoint(WRITING)

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

    def require(self, rights: str) -> None:
        """Raises Refused(NOPERM) unless the client has each of the *rights*, letters of RFC 4314 §2.1."""
        if not self.rights.issuperset(rights):
            raise Refused(Code.NOPERM, texts.NO_RIGHT)

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
        return self.saved & self.uids if isinstance(numbers, SavedResult) else among(self.uids, numbers, by_uid=by_uid)

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

    def mute(self, uids: Uids) -> None:
        """Records that the client is not told now that the flags of *uids* changed after ``modseq``."""
        if uids:
            self.muted = self.muted | uids
            self.muted_since = self.modseq if self.muted_since is None else self.muted_since

    def unmute(self) -> None:
        """Records that the client was told the flags of all messages."""
        self.muted, self.muted_since = NONE, None

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
        self.muted = self.muted - gone
        # in a run, each message moves to the number of the one removed before it, so the number repeats
        told = 0
        places: list[Iterator[int]] = []
        for first, last in seqs.runs:
            places.append(iter([first - told] * (last - first + 1)))
            told += last - first + 1
        return chain.from_iterable(places)


def among(uids: Uids, numbers: SequenceSet, *, by_uid: bool) -> Uids:
    """Those of *uids*, all messages of a mailbox, that *numbers* names, for a search; see ``View.among``."""
    if by_uid:
        named: Uids = NumberSet(numbers.resolve(uids.last if uids else 0).runs)
        return named & uids
    return uids.at(numbers.resolve(len(uids)) & NumberSet.span(1, len(uids)))
