"""A document has every trigram that is looked up for a text in it, whatever the characters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mektup.store.rules.text_documents import (
    ALWAYS,
    MOST_ASKED,
    MOST_FIELDS,
    SHORTEST,
    asked_trigrams,
    body_text,
    document,
    document_of_message,
    header_text,
)

TEXT = st.text(st.sampled_from("abcABC iİıßé漢😀\0\n\ud83d") | st.characters(), max_size=12)


@given(before=TEXT, sought=TEXT, behind=TEXT, other=TEXT)
def test_a_document_with_the_text_has_its_trigrams(before: str, sought: str, behind: str, other: str) -> None:
    text = before + sought + behind
    for found, asked in (
        (document(text, other), asked_trigrams(header_text(sought))),
        (document(other, text), asked_trigrams(body_text(sought))),
    ):
        assert all(trigram in found for trigram in asked)
        assert bool(asked) == (len(sought) >= SHORTEST)


@given(text=st.text(st.characters(max_codepoint=0xFFFF), min_size=SHORTEST, max_size=12))
def test_headers_and_bodies_are_told_apart(text: str) -> None:
    in_header, in_body = document(text, ""), document("", text)
    assert not any(trigram in in_body for trigram in asked_trigrams(header_text(text)))
    assert not any(trigram in in_header for trigram in asked_trigrams(body_text(text)))


def test_few_trigrams_of_a_long_text_are_looked_up() -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 10_000)))
    assert 0 < len(asked_trigrams(text)) <= MOST_ASKED
    assert asked_trigrams("ab") == []


def test_fields_that_read_otherwise_by_themselves_are_in_the_document() -> None:
    found = document_of_message("subject: dinner", "at eight", ["dinner", "linda"])
    assert header_text("linda") in found
    assert found.count(header_text("dinner")) == 1


def test_a_header_of_very_many_fields_is_a_candidate_always() -> None:
    assert document_of_message("", "", ["x"] * (MOST_FIELDS + 1)) == ALWAYS
