"""Which messages have which flags, remembered in the process, so that a search for flags alone asks no messages.

For each flag word of a mailbox the UIDs that have it, as runs: a few hundred octets where messages lie in rows as
they do. It is brought up to date from its modseq on, and an answer is set algebra. Where the flags are so mixed that
there are more than RUNS runs, nothing is remembered, and SQL is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from mektup.store.sqlite.changes import Since, changes
from mektup.store.sqlite.cursor import Cursor
from mektup.store.sqlite.keywords import KeywordSets
from mektup.store.sqlite.search import Algebra, walk
from mektup.terms import search as terms
from mektup.terms.flags import SYSTEM_FLAGS_BY_NAME
from mektup.terms.numbers import MAX_UINT32, MailboxId, ModSeq, Uid
from mektup.terms.search import SearchKey
from mektup.terms.sets import NumberSet, Uids

RUNS = 50_000
"""How many runs are remembered of a mailbox, at most; about six megabytes."""

NONE: Uids = NumberSet()

EVERY = Uid(MAX_UINT32 + 1)
"""Above every UID, so that new messages are told with their flags."""


@dataclass(frozen=True, slots=True)
class FlagIndex:
    """A mailbox's flags as of a modseq."""

    modseq: ModSeq
    by_word: Mapping[int, Uids]
    all: Uids

    @property
    def is_mixed(self) -> bool:
        """Whether it is too large to be kept."""
        return sum(len(uids.runs) for uids in self.by_word.values()) > RUNS

    def having(self, flag: str, keyword_sets: KeywordSets) -> Uids:
        """The messages with *flag*, in any case of letters."""
        system = SYSTEM_FLAGS_BY_NAME.get(flag.lower())
        if system is not None:
            return _union(uids for word, uids in self.by_word.items() if word & system)
        return _union(uids for word, uids in self.by_word.items() if keyword_sets.has(word, flag))

    def search(self, key: SearchKey, within: Uids, keyword_sets: KeywordSets) -> Uids:
        """Those of *within* that match *key*, which must be ``answers``able."""
        there = within & self.all

        def leaf(part: SearchKey) -> Uids:
            match part:
                case terms.HasFlag(flag):
                    return self.having(flag, keyword_sets)
                case terms.InUids(uids):
                    return uids
                case _:
                    return there

        found = walk(
            key,
            Algebra(
                leaf=leaf,
                negation=lambda part: there - part,
                conjunction=lambda parts: reduce(and_, parts),
                disjunction=lambda parts: reduce(or_, parts),
            ),
        )
        return found & there


def answers(key: SearchKey) -> bool:
    """Whether *key* asks for flags and UIDs alone."""
    flags = terms.All | terms.HasFlag | terms.InUids
    return walk(key, Algebra(lambda leaf: isinstance(leaf, flags), bool, all, all))


def learn(
    cursor: Cursor, mailbox: MailboxId, known: FlagIndex, keyword_sets: KeywordSets, most: int | None = None
) -> FlagIndex | None:
    """What *known* is now; None where that takes more than *most* messages to read. Raises Refused(NONEXISTENT)."""
    found = changes(cursor, mailbox, Since(known.modseq, known.modseq, EVERY), most)
    if found is None or found.modseq == known.modseq:
        return None if found is None else known
    keyword_sets.load(cursor)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for uid, word, _ in found.flags:
        groups[word].append(uid)
    new: dict[int, Uids] = {word: NumberSet.of_sorted(uids) for word, uids in groups.items()}
    moved = _union(new.values()) | found.expunged
    by_word = {word: uids - moved for word, uids in known.by_word.items()}
    by_word.update((word, by_word.get(word, NONE) | uids) for word, uids in new.items())
    return FlagIndex(found.modseq, {word: uids for word, uids in by_word.items() if uids}, _union(by_word.values()))


def _union(sets: Iterable[Uids]) -> Uids:
    return NumberSet(run for uids in sets for run in uids.runs)


NOT_ASKED = FlagIndex(ModSeq(0), {}, NONE)
"""Of a mailbox about which nothing is known."""
