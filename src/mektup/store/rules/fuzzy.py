"""Fuzzy search (RFC 6203): which texts match nearly, and how well.

A text is sought word by word. Every word must be there, in any order: as a word, at the beginning of a word, within a
word, or with a slip. Letters count without their accents, and the four Turkish letters i are one. A word of four
letters or more may have one slip, one of eight or more two: a letter that is wrong, missing, too much, or in the place
of its neighbour. The first or the last half of the word, three letters at least, must be right, so that an index can
look it up.

The relevancy says how well the words are found, and whether they stand together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple
from unicodedata import combining, normalize

from mektup.message.text import fold, fold_header

LETTERS: Final = 256 * 1024
"""The letters of a text that are compared; the rest of a longer text is not."""

MOST_WORDS: Final = 32
"""The most words of a sought text; further ones are not looked for."""

LONGEST_SOUGHT: Final = 1000
"""The letters of a sought text that count."""

LONGEST_WORD: Final = 64
"""The letters of a sought word that count."""

MOST_TRIED: Final = 100
"""How many places of a text are tried for each word."""

ONE_SLIP, TWO_SLIPS, HALF = 4, 8, 3
"""The letters of a word that may have one slip, and two; and of the half that must be right."""

BEST: Final = 100
"""The relevancy of a text that has the sought one as it is; 1 is the lowest."""

AS_WORD, BEGINS, WITHIN, WITH_ONE_SLIP, WITH_TWO_SLIPS = 100, 90, 70, 60, 40
"""How well a word is found."""

APART: Final = 0.9
"""The factor where the words do not stand together."""

OF_BODY: Final = 0.8
"""The factor of a word that TEXT finds in the body only."""

_OWN_LETTERS: Final = {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t"}
"""Letters that Unicode does not decompose."""


def _without_accents() -> dict[int, str]:
    """The letters of the Latin, Greek and Cyrillic scripts that have an accent, and the letters without it."""
    found = {ord(letter): plain for letter, plain in _OWN_LETTERS.items()}
    for code in chain(range(0xC0, 0x180), range(0x218, 0x21C), range(0x386, 0x3CF), range(0x400, 0x460)):
        letter = fold(chr(code))
        parts = normalize("NFKD", letter)
        if len(letter) == 1 and len(parts) > 1 and all(map(combining, parts[1:])):
            found[ord(letter)] = parts[0]
    return found


_PLAIN: Final = _without_accents()

_SPELLINGS: Final = {
    plain: plain + "".join(chr(code) for code, other in _PLAIN.items() if other == plain)
    for plain in set(_PLAIN.values())
}
"""Each letter that may have accents, without one and with each one."""


def plain(folded: str) -> str:
    """The beginning of *folded*, a result of ``fold`` or ``fold_header``, without accents."""
    text = folded[:LETTERS]
    return text if text.isascii() else text.translate(_PLAIN)


class Word(NamedTuple):
    """A sought word."""

    letters: str
    slips: int
    """How many it may have."""

    @property
    def halves(self) -> tuple[str, str]:
        """Its beginning and its end, one of which must be right where there are slips."""
        half = max(HALF, len(self.letters) // 2)
        return self.letters[:half], self.letters[-half:]


class Sought(NamedTuple):
    """A text that is sought."""

    phrase: str
    words: tuple[Word, ...]


@lru_cache(64)
def _known(text: str) -> Sought:
    fit = text.encode("utf-8", "replace").decode()
    phrase = plain(fold_header(fit)).strip()
    words = dict.fromkeys(word[:LONGEST_WORD] for word in _words(phrase))
    return Sought(phrase, tuple(Word(word, _slips(word)) for word in list(words)[:MOST_WORDS]))


def sought(text: str) -> Sought:
    """What is looked for where a client asks for *text*; only its beginning counts."""
    return _known(text[:LONGEST_SOUGHT])


def _words(text: str) -> list[str]:
    return "".join(letter if _in_word(letter) else " " for letter in text).split()


def _in_word(letter: str) -> bool:
    return letter.isalnum()


def _slips(word: str) -> int:
    # a number with another digit is another number
    if not word.isalpha():
        return 0
    return (len(word) >= ONE_SLIP) + (len(word) >= TWO_SLIPS)


def relevancy(sought: Sought, texts: Sequence[tuple[str, float]]) -> int:
    """How well *texts*, each given by ``plain`` and with a factor, have what is *sought*: 1 to BEST; 0 if they do not.

    A word may be in any of them.
    """
    together = max((factor for text, factor in texts if sought.phrase in text), default=0.0)
    if not sought.words:
        return round(BEST * together)
    found = [max((factor * _found(word, text) for text, factor in texts), default=0) for word in sought.words]
    if not all(found):
        return 0
    mean = sum(found) / len(found)
    return max(1, round(mean if together or len(found) == 1 else mean * APART))


def _found(word: Word, text: str) -> int:
    """How well *word* is found in *text*; 0 if it is not there."""
    letters = word.letters
    best = 0
    for at in _places(letters, text):
        begins = at == 0 or not _in_word(text[at - 1])
        stop = at + len(letters)
        ends = stop == len(text) or not _in_word(text[stop])
        best = max(best, (AS_WORD if ends else BEGINS) if begins else WITHIN)
        if best == AS_WORD:
            break
    return best or (_found_with_slips(word, text) if word.slips else 0)


def _found_with_slips(word: Word, text: str) -> int:
    first, last = word.halves
    fewest = word.slips + 1
    for half, is_first in ((first, True), (last, False)):
        for at in _places(half, text):
            start, stop = _around(text, at, at + len(half))
            if start == at if is_first else stop == at + len(half):
                fewest = min(fewest, _difference(word.letters, text[start:stop], fewest))
    return (0, WITH_ONE_SLIP, WITH_TWO_SLIPS, 0)[fewest] if fewest <= word.slips else 0


def _places(letters: str, text: str) -> Iterator[int]:
    at = -1
    for _ in range(MOST_TRIED):
        at = text.find(letters, at + 1)
        if at < 0:
            return
        yield at


def _around(text: str, start: int, stop: int) -> tuple[int, int]:
    """The bounds of the word around *start* to *stop*, as far as a sought word can reach."""
    least, most = max(start - LONGEST_WORD, 0), min(stop + LONGEST_WORD, len(text))
    while start > least and _in_word(text[start - 1]):
        start -= 1
    while stop < most and _in_word(text[stop]):
        stop += 1
    return start, stop


def _difference(one: str, other: str, most: int) -> int:
    """How many slips make *one* of *other*; *most* for at least so many (the distance of Damerau, by neighbours)."""
    if abs(len(one) - len(other)) >= most:
        return most
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        above, row, two_above = row, [at], before
        for place, against in enumerate(other, 1):
            cost = min(above[place] + 1, row[-1] + 1, above[place - 1] + (letter != against))
            if two_above and place > 1 and letter == other[place - 2] and one[at - 2] == against:
                cost = min(cost, two_above[place - 2] + 1)
            row.append(cost)
        before = above
        if min(row) >= most:
            return most
    return min(row[-1], most)


# Looking up

LOOKED_UP: Final = 2
"""The most words that are looked up in an index, the longest ones."""

MOST_SPELLINGS: Final = 300
"""The most spellings of a trigram; one with more, such as "aou", is not looked up."""

TRIGRAMS: Final = 2
"""How many trigrams of a half are looked up, those with the fewest spellings."""

Alternative = list[list[str]]
"""Trigrams in all their spellings. A text has one spelling of each trigram."""


def lookups(sought: Sought) -> list[list[Alternative]]:
    """For each word that can be looked up: a text that matches has all trigrams of one of its alternatives."""
    found = []
    for word in sorted(sought.words, key=lambda word: -len(word.letters))[:LOOKED_UP]:
        alternatives = [_spelled(half) for half in (word.halves if word.slips else (word.letters,))]
        if all(alternatives):
            found.append(alternatives)
    return found


def _spelled(letters: str) -> Alternative:
    trigrams = {letters[start : start + HALF] for start in range(len(letters) - HALF + 1)}
    spelled = [_spellings(trigram) for trigram in sorted(trigrams)]
    return sorted((each for each in spelled if len(each) <= MOST_SPELLINGS), key=len)[:TRIGRAMS]


def _spellings(trigram: str) -> list[str]:
    spelled = [""]
    for letter in trigram:
        spelled = [begun + each for begun in spelled for each in _SPELLINGS.get(letter, letter)]
    return spelled
