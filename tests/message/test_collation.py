"""The order of text: i;unicode-casemap (RFC 5051)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.collation import KEY_CHARACTERS, collation_key
from mektup.message.text import fold


def key(text: str) -> str:
    return collation_key(fold(text))


@pytest.mark.parametrize(
    "ascending",
    [
        ["", " ", "a", "AA", "aab", "B"],
        ["AAB", "a_b", "b"],  # capitals, and "_" behind them
        ["u", "ua", "ü", "V"],
        ["z", "ж", "я"],
        ["e", "Éa", "f"],
        ["1", "10", "2"],
    ],
)
def test_ascending(ascending: list[str]) -> None:
    assert sorted(ascending, key=key) == ascending


@pytest.mark.parametrize("same", [["a", "A"], ["é", "É", "e\N{COMBINING ACUTE ACCENT}"], ["ﬁ", "FI"], ["\0a", "a"]])
def test_equal_texts_have_equal_keys(same: list[str]) -> None:
    assert len({key(text) for text in same}) == 1


LATIN = st.characters(max_codepoint=0x24F, exclude_characters="ßıİŉǰſªºǄǅǆǇǈǉǊǋǌǱǲǳ\0")
"""Latin letters, without those that only our folding makes equal to others."""


@given(st.lists(st.text(LATIN, max_size=6), max_size=8))
def test_latin_letters_as_in_rfc_5051(texts: list[str]) -> None:
    def titlecased(text: str) -> bytes:
        return unicodedata.normalize("NFKD", "".join(letter.title() for letter in text)).encode()

    assert sorted(texts, key=lambda text: key(text).encode()) == sorted(texts, key=titlecased)


def test_only_the_beginning_of_long_text_is_compared() -> None:
    assert len(collation_key("x" * 10**6)) == KEY_CHARACTERS
