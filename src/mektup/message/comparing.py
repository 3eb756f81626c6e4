"""What the comparators do (RFC 4790 §4.2): the form of a text for equality and substring, and the form for order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple
from unicodedata import combining, normalize

from mektup.message.collation import KEY_CHARACTERS, collation_key
from mektup.message.text import fold, in_pieces
from mektup.terms.comparators import Comparator

Fold = Callable[[str], str]
"""Two texts are equal if their folded forms are equal; one is in the other if its folded form is in the other's."""


class Comparison(NamedTuple):
    """One comparator."""

    fold: Fold
    order: Fold
    """Takes a folded text; the order of texts is that of the results, by code points."""


def _ascii(text: str) -> str:
    """RFC 4790 §9.2.1: the letters a to z become capitals."""
    return text.upper() if text.isascii() else text.translate(_CAPITALS)


_CAPITALS: Final = {ord(letter): ord(letter.upper()) for letter in "abcdefghijklmnopqrstuvwxyz"}


def _unicode(text: str) -> str:
    """RFC 5051 §2: each letter in titlecase, then decomposed."""
    return text.upper() if text.isascii() else in_pieces(text, _titled)


def _titled(text: str) -> str:
    return normalize("NFKD", "".join(map(_title, text)))


@lru_cache(4096)
def _title(letter: str) -> str:
    """The titlecase property of UnicodeData.txt, which is always one letter. ``str.title`` also knows longer forms."""
    title = letter.title()
    return title if len(title) == 1 else letter


def _turkish(text: str) -> str:
    if "I" in text or "İ" in text:
        text = text.replace("I\N{COMBINING DOT ABOVE}", "i").replace("I", "ı").replace("İ", "i")
    return text.lower() if text.isascii() else in_pieces(text, _turkish_piece)


def _turkish_piece(text: str) -> str:
    composed = normalize("NFKC", text).replace("I", "ı").replace("İ", "i")
    return normalize("NFKC", composed.casefold())


def _turkish_order(folded: str) -> str:
    """ı comes after h and before i; ç, ğ, ö, ş and ü come after the letters without their marks."""
    return normalize("NFKD", folded[:KEY_CHARACTERS]).replace("ı", "h\N{COMBINING BREVE}")


def _as_it_is(folded: str) -> str:
    return folded[:KEY_CHARACTERS]


COMPARISONS: Final[Mapping[Comparator, Comparison]] = {
    Comparator.CASEFOLD: Comparison(fold, collation_key),
    Comparator.UNICODE: Comparison(_unicode, _as_it_is),
    Comparator.ASCII: Comparison(_ascii, _as_it_is),
    Comparator.TURKISH: Comparison(_turkish, _turkish_order),
}


def certain_part(text: str) -> str:
    """A part of *text* whose ``fold`` is in the ``fold`` of every text that has *text* by any comparator.

    A letter before an accent, and the letters at the ends, may be parts of other letters there: the u of ü, by RFC
    5051. So they are left out.
    """
    if text.isascii():
        return text[:-1]
    parts = "".join("\0" if combining(letter) else letter for letter in text).split("\0")
    return max(map(_inner, parts), key=len)


def _inner(text: str) -> str:
    start, stop = 0, len(text)
    while start < stop and not text[start].isascii():
        start += 1
    while stop > start and not text[stop - 1].isascii():
        stop -= 1
    return text[start : max(stop - 1, start)]
