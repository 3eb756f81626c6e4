"""Flag words: the flags of a message as one integer.

The low bits are the SystemFlags; the other bits are the number of a set of keywords. All messages of the account with
exactly these keywords share the set. So equal words mean equal flags, an engine changes flags per word and not per
message, and the names of a word are looked up once. A set never changes and no number is used twice, so a process may
remember sets. An engine may remove a set that no message uses; so before a message gets a set, check that it still
exists.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from mektup.store import texts
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import SYSTEM_FLAG_NAMES, SYSTEM_FLAGS_BY_NAME, FlagChange
from mektup.terms.limits import DEFAULT_LIMITS

C = TypeVar("C")

KEYWORD_SHIFT: Final = 5
"""The lowest bit of the set's number in a flag word (0 for no set); the bits below are the SystemFlags."""

SYSTEM_MASK = (1 << KEYWORD_SHIFT) - 1

# Plain integers, because they are several times faster than IntFlag.
_BITS = {name: int(flag) for name, flag in SYSTEM_FLAGS_BY_NAME.items()}
_NAMES = tuple((int(flag), name) for flag, name in SYSTEM_FLAG_NAMES.items())

Names = tuple[str, ...]

MOST_WORDS: Final = 4096
"""How many words are remembered with their flags."""

MOST_GONE_OCTETS: Final = 64 * 1024
"""The octets of removed sets that are still known, because a word of such a set may have been handed out before."""

MANY_SPELLINGS: Final = 2000
"""How many keywords are known before those that no set has any more are forgotten."""

SET_OCTETS = 100
"""The octets that a set counts in addition to its names."""


@dataclass(frozen=True, slots=True)
class Flags:
    """Parsed flags: the system flags as bits, the keywords by their lower case."""

    system: int
    keywords: Mapping[str, str]

    @classmethod
    def of(cls, names: Iterable[str]) -> Flags:
        """The flags of *names*, without \\Recent."""
        system = 0
        keywords: dict[str, str] = {}
        # sorted, so that the choice between two spellings is deterministic
        for name in sorted(names):
            folded = name.lower()
            if folded in _BITS:
                system |= _BITS[folded]
            elif folded != "\\recent":
                keywords.setdefault(folded, name)
        return cls(system, keywords)


def flags_of(word: int, sets: Mapping[int, str]) -> Names:
    """The flags of *word*: system flags in their usual order, then keywords, from *sets* by number; lost ones not."""
    keywords = sets.get(word >> KEYWORD_SHIFT, "")
    return tuple(name for bit, name in _NAMES if word & bit) + tuple(keywords.split())


class KeywordSets(ABC, Generic[C]):
    """The sets of one account that this process has seen.

    An engine adds the storage. C is its transaction, in which a set may be added.
    """

    __slots__ = (
        "_folded_names",
        "_folds",
        "_gone",
        "_highest",
        "_ids",
        "_is_above",
        "_lost",
        "_most",
        "_most_spellings",
        "_names",
        "_octets",
        "_spelling",
        "_words",
    )

    def __init__(self, lost: Callable[[], None] = lambda: None, most: int = DEFAULT_LIMITS.keyword_sets_bytes) -> None:
        """Calls *lost*, from any thread, where a flag word names a set that does not exist.

        *most*: the most octets of all sets of the account together.
        """
        self._lost = lost
        self._most = most
        self._octets = 0
        self._highest = 0
        self._words: dict[int, Names] = {}
        self._names: dict[int, Names] = {0: ()}
        self._gone: dict[int, Names] = {}
        """Sets that were removed, the earliest first. No message has them, and their numbers are not used again."""
        self._folded_names: dict[int, Names] = {}
        self._ids: dict[Names, int] = {(): 0}
        self._spelling: dict[str, str] = {}
        self._folds: dict[str, str] = {}
        self._most_spellings = MANY_SPELLINGS
        self._is_above = False
        """Whether the highest set's number is above all numbers that messages use."""

    def _remember(self, number: int, names: Names) -> list[str]:
        """Remembers a set; returns its keywords that were not known before, case-folded."""
        # an account has few different keywords, so keep each string once
        names = tuple(self._folds.setdefault(name, name) for name in names)
        self._names[number] = names
        folded = self._folded_names[number] = self._folded(names)
        self._ids[folded] = number
        self._octets += _octets(names)
        new = [name.lower() for name in names if name.lower() not in self._spelling]
        for name in names:
            self._spelling.setdefault(name.lower(), name)
        return new

    def _forget(self, number: int, new: Iterable[str]) -> None:
        """Forgets the set *number* and its new spellings, because its transaction was not committed."""
        self._is_above = False
        self._highest = 0
        self.forget((number,))
        self._gone.pop(number, None)  # the number may be used again
        for folded in new:
            self._spelling.pop(folded, None)

    def forget(self, numbers: Iterable[int]) -> None:
        """Forgets sets that were removed. Call it after the commit."""
        gone = set(numbers)
        for number in gone:
            names = self._names.pop(number, ())
            if names:
                self._ids.pop(self._folded_names.pop(number, ()), None)
                self._octets -= _octets(names)
                self._gone[number] = names
        octets = sum(map(_octets, self._gone.values()))
        while octets > MOST_GONE_OCTETS:
            octets -= _octets(self._gone.pop(next(iter(self._gone))))
        for word in [word for word in self._words.copy() if word >> KEYWORD_SHIFT in gone]:
            self._words.pop(word, None)
        if len(self._spelling) > self._most_spellings:
            self._forget_spellings()

    def _forget_spellings(self) -> None:
        """Forgets the keywords that no set has any more."""
        used = {keyword for names in self._folded_names.copy().values() for keyword in names}
        for folded in [folded for folded in self._spelling.copy() if folded not in used]:
            self._spelling.pop(folded, None)
        for name in [name for name in self._folds.copy() if name.lower() not in used]:
            self._folds.pop(name, None)
        self._most_spellings = max(MANY_SPELLINGS, 2 * len(self._spelling))

    def gone(self, change: C) -> list[int]:
        """The known sets that are no longer stored, as the transaction *change* sees it."""
        there = self._kept(change)
        return [number for number in self._names.copy() if number and number not in there]

    def learn_some(self, kept: Iterable[tuple[int, str]]) -> None:
        """Like ``learn``, for sets between which there may be unknown ones."""
        highest = self._highest
        self.learn(kept)
        self._highest = highest

    def learn(self, kept: Iterable[tuple[int, str]]) -> None:
        """Remembers *kept* sets, given as ascending numbers and names separated by spaces."""
        for number, names in kept:
            self._highest = max(self._highest, number)
            if number in self._names:
                continue
            if names:
                self._remember(number, tuple(names.split(" ")))
            else:  # a placeholder for lost sets, so that their numbers are not used again
                self._names[number] = ()

    # Implemented by an engine

    @abstractmethod
    def _load(self, change: C) -> None:
        """Learns the sets that were added since the last load."""

    @abstractmethod
    def _kept(self, change: C) -> frozenset[int]:
        """The numbers of all stored sets."""

    @abstractmethod
    def _highest_word(self, change: C) -> int:
        """The highest flag word of a message; 0 for none. May have to read all messages."""

    @abstractmethod
    def _keep(self, change: C, number: int, names: str, undo: Callable[[], None]) -> None:
        """Stores a set; calls *undo* where the transaction ends without a commit."""

    # Where an engine can answer without reading the numbers of all sets, it does

    def _is_kept(self, change: C, number: int) -> bool:
        """Whether the set is still stored."""
        return number in self._kept(change)

    def _highest_kept(self, change: C) -> int:
        """The highest number of a stored set; 0 for none."""
        return max(self._kept(change), default=0)

    # Queries

    def known(self, word: int) -> bool:
        """Whether the flags of *word* are known without a load."""
        number = word >> KEYWORD_SHIFT
        return number in self._names or number in self._gone

    def keywords(self, word: int) -> Names:
        """The keywords of *word*, which must be known. Where its set is lost, there are none."""
        names = self._names.get(word >> KEYWORD_SHIFT)
        if names is None:
            names = self._gone.get(word >> KEYWORD_SHIFT)
        if names is None:
            self._lost()
            return ()
        return names

    def flags(self, word: int) -> Names:
        """All flags of *word*: system flags in their usual order, then those of ``keywords``."""
        names = self._words.get(word)
        if names is None:
            names = tuple(name for bit, name in _NAMES if word & bit) + self.keywords(word)
            if self.known(word):
                if len(self._words) >= MOST_WORDS:
                    self._words.clear()
                self._words[word] = names
        return names

    def known_words(self, most: int) -> Sequence[tuple[int, Names]] | None:
        """The words that ``flags`` was asked for lately, each with its flags; None for more than *most*."""
        return tuple(self._words.items()) if len(self._words) <= most else None

    def __len__(self) -> int:
        """How many sets are known."""
        return len(self._ids)

    def has(self, word: int, flag: str) -> bool:
        """Whether *flag*, in any letter case, is in *word*, which must be known."""
        return bool(self.words_with((flag.lower(),), (word,))[flag.lower()])

    def words_with(self, flags: Iterable[str], words: Sequence[int]) -> dict[str, int]:
        """For each of *flags*, in lower case, the *words* that have it, as an integer with a bit for each word.

        All words must be known. Reads each word once, however many flags there are.
        """
        found = dict.fromkeys(flags, 0)
        systems = [(flag, _BITS[flag]) for flag in found if flag in _BITS]
        keywords = found.keys() - _BITS.keys()
        for at, word in enumerate(words):
            for flag, bit in systems:
                if word & bit:
                    found[flag] |= 1 << at
            if keywords and self.keywords(word):
                for keyword in keywords.intersection(self._folded_names.get(word >> KEYWORD_SHIFT, ())):
                    found[keyword] |= 1 << at
        return found

    def numbers_with(self, keywords: Iterable[str]) -> dict[str, list[int]]:
        """For each of *keywords*, in lower case, the known sets that have it. Reads each set once."""
        found: dict[str, list[int]] = {keyword: [] for keyword in keywords}
        for names, number in self._ids.copy().items():  # a copy, because other threads may add sets meanwhile
            for keyword in found.keys() & names:
                found[keyword].append(number)
        return found

    def _folded(self, names: Names) -> Names:
        return tuple(self._folds.setdefault(folded, folded) for folded in map(str.lower, names))

    def spelled(self, keywords: Mapping[str, str]) -> Names:
        """*keywords*, given by their lower case, in the spelling of their first use."""
        # RFC 9051 §2.3.2 compares without regard to case
        return tuple(self._spelling.get(folded, keywords[folded]) for folded in sorted(keywords))

    def word(self, change: C, flags: Flags) -> int:
        """The flag word of *flags*; adds unknown keywords and sets."""
        return flags.system | self._number(change, flags.keywords) << KEYWORD_SHIFT if flags.keywords else flags.system

    def _number(self, change: C, keywords: Mapping[str, str]) -> int:
        key = tuple(sorted(keywords))
        if key not in self._ids:
            self._load(change)
        known = self._ids.get(key)
        if known is not None and not self._is_kept(change, known):
            self.forget((known,))  # another process removed it, because no message used it
        if key not in self._ids:
            names = self.spelled(keywords)
            self._require_room(change, names)
            number = self._new_number(change)
            self._keep(change, number, " ".join(names), partial(self._forget, number, self._remember(number, names)))
        return self._ids[key]

    def _require_room(self, change: C, names: Names) -> None:
        """Raises Refused(LIMIT) where the account would have too many sets. Unused sets are removed soon."""
        if self._octets + _octets(names) > self._most:
            self.forget(self.gone(change))
        if self._octets + _octets(names) > self._most:
            raise Refused(Code.LIMIT, texts.TOO_MANY_KEYWORD_SETS)

    def _new_number(self, change: C) -> int:
        """A number that no message uses, because the number of a lost set must not get other keywords."""
        number = self._highest_kept(change) + 1
        if not self._is_above:
            number = max(number, (self._highest_word(change) >> KEYWORD_SHIFT) + 1)  # checked once
            self._is_above = True
        return number

    def changed_word(self, change: C, word: int, how: FlagChange, flags: Flags) -> int:
        """*word* after a STORE of *flags*."""
        if how is FlagChange.REPLACE:
            return self.word(change, flags)
        added = how is FlagChange.ADD
        if word <= SYSTEM_MASK and (not added or not flags.keywords):
            return word | flags.system if added else word & ~flags.system
        if not self.known(word):
            self._load(change)
        keywords = {name.lower(): name for name in self.keywords(word)}
        if added:
            return self.word(change, Flags((word | flags.system) & SYSTEM_MASK, {**flags.keywords, **keywords}))
        left = {folded: name for folded, name in keywords.items() if folded not in flags.keywords}
        return self.word(change, Flags(word & ~flags.system & SYSTEM_MASK, left))


AnyKeywordSets = KeywordSets[Any]
"""For callers that only read the flags of words."""


def _octets(names: Names) -> int:
    """The octets that the set *names* counts."""
    return SET_OCTETS + sum(map(len, names)) + len(names)
