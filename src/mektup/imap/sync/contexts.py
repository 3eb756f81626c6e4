"""The searches whose results a client is kept informed of: SEARCH and SORT with RETURN (UPDATE) (RFC 5267 §4.3).

A context keeps the search program and the results that the client knows. When messages arrive or change, only these are
searched again. The answer compared with the results gives what the client is told. A change of flags is no reason to
search where the program asks for no flags.

A program that asks for ages (RFC 5032) changes by time alone: its messages are searched again at most once a minute, as
RFC 5032 §2 allows. A set of UIDs with ``*`` names other messages when the last message of the mailbox is another one.
Sequence numbers and ``$`` mean the messages that they named in the command.

Nothing here is written to the client: ``updates`` does that, where it tells the changes themselves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mektup.imap.search_scope import fixed, scoped
from mektup.imap.sync.context_results import Edit, FoundResults, SortedResults
from mektup.imap.sync.sort_places import places
from mektup.terms.comparators import Comparator
from mektup.terms.numbers import Uid
from mektup.terms.search import ChangedSince, Compared, Fuzzy, HasFlag, InUids, InUidSet, Older, SearchKey, Younger
from mektup.terms.search_walk import leaves
from mektup.terms.sets import NumberSet, SequenceSet, Uids
from mektup.terms.sorting import SortCriterion
from mektup.wire.ordered_sets import ranges_in_order
from mektup.wire.requests import Esearch, Search, Sort

if TYPE_CHECKING:
    from mektup.imap.sync.view import View

AGES_SECONDS = 60.0
"""How often a program that asks for ages is evaluated, if nothing else changes."""

KEY_OCTETS = 300
"""The approximate memory of a search key without its text and numbers, in octets."""

RANGE_OCTETS = 160

LINE_OCTETS = 8000
"""A response with so many octets of edits gets no further edit, because some clients have a buffer for one line."""

_NONE: Uids = NumberSet()


class Context:
    """One search, and the results that the client knows."""

    __slots__ = (
        "_correlators",
        "_criteria",
        "_key",
        "_largest",
        "_octets",
        "_results",
        "_stars",
        "ages",
        "by_uid",
        "flags",
        "items",
        "tag",
    )

    def __init__(
        self,
        request: Search | Sort | Esearch,
        view: View,
        found: Uids | Sequence[Uid],
        correlators: bytes,
        comparator: Comparator,
    ) -> None:
        """*found* is what *request* found; *correlators* those of the responses (RFC 9051 §9 search-correlator)."""
        self.tag = request.tag
        self._correlators = correlators
        self.by_uid = request.by_uid
        """Whether the client knows the results as UIDs."""
        self._key = fixed(request.key, view, comparator)
        self._criteria: tuple[SortCriterion, ...] = ()
        self._results: FoundResults | SortedResults
        if isinstance(found, NumberSet):
            self._results = FoundResults(found)
        else:
            assert isinstance(request, Sort)
            self._results, self._criteria = SortedResults(found), request.criteria
        parts = leaves(self._key)
        self.flags = any(isinstance(part, HasFlag | ChangedSince) for part in parts)
        """Whether a change of flags can change the results."""
        self.ages = any(isinstance(part, Older | Younger) for part in parts)
        """Whether time alone can change the results."""
        sets = [part.numbers for part in parts if isinstance(part, InUidSet)]
        self._stars = [each for each in sets if isinstance(each, SequenceSet) and each.names_star]
        self._largest = view.uids.last if view.uids else 0
        self.items = request.update_items
        """What the client is told of a new message that is a result (RFC 5465 §7); empty for nothing."""
        self._octets = sum(map(_octets_of, parts)) + KEY_OCTETS * len(self.items)

    @property
    def octets(self) -> int:
        """The approximate memory, in octets."""
        return self._octets + self._results.octets

    async def differences(self, view: View, changed: Uids) -> tuple[Uids, Uids]:
        """Searches again among *changed*, messages of *view*.

        Returns the messages that are no results any more, and those that are new results. Raises Refused.
        """
        changed = changed | self._named_otherwise(view)
        if not changed:
            return _NONE, _NONE
        matching = (await view.account.search(view.mailbox, scoped(self._key, view).key, changed)).uids
        self._largest = view.uids.last if view.uids else 0
        known = self._results.known(changed)
        return known - matching, matching - known

    def remove(self, view: View, gone: Uids) -> Iterator[bytes]:
        """Removes those of *gone*, messages of *view*, that are results; returns the lines for the client."""
        return self._lines(view, b"REMOVEFROM", self._results.remove(self._results.known(gone)))

    async def add(self, view: View, new: Uids) -> Iterator[bytes]:
        """Adds *new*, messages of *view* that are no results yet; returns the lines. Changes nothing if it raises."""
        results = self._results
        if isinstance(results, FoundResults):
            return self._lines(view, b"ADDTO", results.add(new))
        in_order = await places(view.account, view.mailbox, self._criteria, results.order, new)
        return self._lines(view, b"ADDTO", results.add(in_order))

    def _named_otherwise(self, view: View) -> Uids:
        """The messages that sets with ``*`` name now, and did not when they were searched last, or the reverse."""
        largest = view.uids.last if view.uids else 0
        if not self._stars or largest == self._largest:
            return _NONE
        differ = NumberSet[int]()
        for each in self._stars:
            before, now = each.resolve(self._largest), each.resolve(largest)
            differ = differ | (before - now) | (now - before)
        return view.uids & NumberSet(differ.runs)

    def _lines(self, view: View, word: bytes, edits: Sequence[Edit]) -> Iterator[bytes]:
        """ESEARCH responses with *edits* (RFC 5267 §4.3.3, §4.3.4): as few as possible, without very long lines."""
        line = b"* ESEARCH (%b)%b %b (" % (self._correlators, b" UID" if self.by_uid else b"", word)
        pairs: list[bytes] = []
        octets = 0
        for position, uids in edits:
            pairs.append(b"%d %b" % (position, self._numbers(view, uids)))
            octets += len(pairs[-1])
            if octets > LINE_OCTETS:
                yield line + b" ".join(pairs) + b")\r\n"
                pairs.clear()
                octets = 0
        if pairs:
            yield line + b" ".join(pairs) + b")\r\n"

    def _numbers(self, view: View, uids: Uids | Sequence[Uid]) -> bytes:
        if isinstance(uids, NumberSet):
            return bytes(uids if self.by_uid else view.seqs(uids))
        return b",".join(ranges_in_order(uids if self.by_uid else view.seqs_in_order(uids)))


def _octets_of(key: SearchKey) -> int:
    match key:
        case InUids(uids):
            return KEY_OCTETS + uids.octets
        case InUidSet(SequenceSet(ranges)):
            return KEY_OCTETS + RANGE_OCTETS * len(ranges)
        case Fuzzy() | Compared():
            return _octets_of(key.key)
    return KEY_OCTETS + 4 * len(getattr(key, "text", ""))


class Contexts:
    """The contexts of a view, by their tags, and the messages that they have not been evaluated for yet."""

    __slots__ = ("_aged", "_arrived", "_changed", "_contexts")

    def __init__(self) -> None:
        self._contexts: dict[bytes, Context] = {}
        self._arrived: Uids = _NONE
        self._changed: Uids = _NONE
        self._aged = time.monotonic()

    def __len__(self) -> int:
        return len(self._contexts)

    def __iter__(self) -> Iterator[Context]:
        return iter(list(self._contexts.values()))

    def __contains__(self, tag: bytes) -> bool:
        return tag in self._contexts

    @property
    def octets(self) -> int:
        """The approximate memory of all contexts, in octets."""
        return sum([context.octets for context in self._contexts.values()])

    def add(self, context: Context) -> None:
        """Keeps *context* from now on."""
        self._contexts[context.tag] = context

    def cancel(self, tag: bytes) -> None:
        """Forgets the context of *tag*; does nothing where there is none."""
        self._contexts.pop(tag, None)

    def owe(self, *, arrived: Uids = _NONE, changed: Uids = _NONE) -> None:
        """Records messages for which the contexts must be evaluated."""
        self._arrived = self._arrived | arrived
        self._changed = self._changed | changed

    @property
    def have_aged(self) -> bool:
        """Whether contexts must be evaluated because of the time that has passed."""
        return time.monotonic() - self._aged >= AGES_SECONDS and any(each.ages for each in self)

    def owed(self, context: Context, view: View, *, aged: bool) -> Uids:
        """The messages of *view* for which *context* must be evaluated. *aged*: what ``have_aged`` was."""
        if aged and context.ages:
            return view.uids
        return view.uids & (self._arrived | self._changed if context.flags else self._arrived)

    def arrived(self, uids: Uids) -> Uids:
        """Those of *uids* that have arrived since the contexts were evaluated."""
        return uids & self._arrived

    def paid(self, *, aged: bool) -> None:
        """Records that all contexts were evaluated. *aged*: what ``have_aged`` was."""
        if aged:
            self._aged = time.monotonic()
        self._arrived = self._changed = _NONE
