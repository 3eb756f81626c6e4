"""What a fuzzy search finds, how relevant it is, and what an index must propose for it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.text import fold_header
from mektup.store.rules.fuzzy import BEST, LETTERS, lookups, plain, relevancy, sought


def found(asked: str, *texts: str) -> int:
    return relevancy(sought(asked), [(plain(fold_header(text)), 1.0) for text in texts])


@pytest.mark.parametrize(
    ("asked", "text", "expected"),
    [
        ("hello", "Hello World", 100),
        ("hello world", "oh, hello world", 100),
        # RFC 6203 §3, §4
        ("IMAP break", "break IMAP", 90),
        ("Helo", "hello", 60),
        ("Helo", "help", 60),
        # letters without accents, and the four letters i of Turkish
        ("gozluk", "GÖZLÜK", 100),
        ("gözlük", "gozluk", 100),
        ("ıstanbul", "İSTANBUL", 100),
        ("Diyarbakir", "DIYARBAKIR", 100),
        ("smörgåsbord", "Smorgasbord", 100),
        ("strasse", "Straße", 100),
        ("łódź", "lodz", 100),
        ("αθήνα", "ΑΘΗΝΑ", 100),
        # part of a word
        ("work", "working", 90),
        ("ork", "working", 70),
        ("日本", "日本語です", 90),
        # slips: a letter that is wrong, missing, too much, or in the place of its neighbour
        ("meeting", "meating", 60),
        ("meeting", "meting", 60),
        ("meeting", "meeeting", 60),
        ("meeting", "meetign", 60),
        ("konferans", "konfernsa", 40),
        ("mektup", "metkup", 0),  # neither half is right
        ("meeting", "meatign", 0),  # two slips in a short word
        ("cat", "cart", 0),  # no slips in a very short word
        ("invoice 2024", "invoice 2025", 0),  # another number
        ("garden party", "garden", 0),  # every word is needed
        ("a1b2", "a1b2c3", 90),
        ("", "anything", 100),
        ("!!", "what!!", 100),
        ("!!", "what!", 0),
        ("x", "", 0),
    ],
)
def test_what_is_found(asked: str, text: str, expected: int) -> None:
    assert found(asked, text) == expected


def test_words_may_be_in_different_texts_and_a_factor_lowers_them() -> None:
    asked = sought("garden party")
    assert relevancy(asked, [("garden", 1), ("party", 1)]) == 90
    assert relevancy(asked, [("nothing", 1), ("garden party", 0.5)]) == 50
    assert relevancy(asked, [("garden", 1), ("a party", 0.5)]) == round((100 + 50) / 2 * 0.9)
    assert relevancy(asked, []) == 0


def test_long_texts_and_long_questions_are_bounded() -> None:
    start = time.thread_time()
    assert found("needle", "ü" * LETTERS + " needle") == 0
    assert found("aaaaaaab" * 20, "aaaaaaaa" * 30_000) == 0
    assert found(" ".join(f"word{number}" for number in range(5000)), "word1 " * 40_000) == 0
    assert found("abcdefgh", "abcd" * 60_000) == 0
    assert time.thread_time() - start < 5


TEXTS = st.text(st.sampled_from("abcilnoşğüıİéø 1-"), max_size=24)


@given(TEXTS, TEXTS)
def test_an_index_proposes_what_matches(asked: str, text: str) -> None:
    folded = fold_header(text)
    if found(asked, text):
        for alternatives in lookups(sought(asked)):
            assert any(all(any(each in folded for each in spelled) for spelled in one) for one in alternatives)


@given(TEXTS, TEXTS, TEXTS)
def test_a_text_with_the_words_is_found_wherever_they_are(before: str, asked: str, after: str) -> None:
    assert found(asked, f"{before} {asked} {after}") == BEST


@given(TEXTS, TEXTS)
def test_accents_never_matter(asked: str, text: str) -> None:
    without = plain(fold_header(asked)), plain(fold_header(text))
    assert found(asked, text) == found(*without)


@given(st.text(max_size=20), st.text(max_size=30))
def test_any_text_is_taken(asked: str, text: str) -> None:
    assert 0 <= found(asked, text) <= BEST
    lookups(sought(asked))
