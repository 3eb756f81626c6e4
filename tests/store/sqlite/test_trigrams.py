"""The index proposes every message that contains the searched text, whatever the characters."""

from __future__ import annotations

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.store.rules import text_documents
from mektup.store.sqlite.tables import trigrams

TEXT = st.text(
    st.sampled_from("abcABC iİıßé\N{COMBINING ACUTE ACCENT}漢字😀\"'*()^:+-\0\n\t\r")
    | st.sampled_from("\U0010fffd\uffff\ufffe\ufffd\ud83d\ude00")
    | st.characters(),
    max_size=12,
)


@pytest.fixture(scope="module")
def index() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(trigrams.TABLE)
    return connection


def proposes(index: apsw.Connection, document: str, match: str | None) -> bool:
    index.execute("INSERT INTO trigrams (rowid, document) VALUES (1, ?)", (document,))
    try:
        return match is None or bool(index.execute("SELECT 1 FROM trigrams WHERE trigrams MATCH ?", (match,)).get)
    finally:
        index.execute("DELETE FROM trigrams WHERE rowid = 1")


@given(before=TEXT, sought=TEXT, behind=TEXT, other=TEXT)
def test_messages_with_the_text_are_proposed(
    index: apsw.Connection, before: str, sought: str, behind: str, other: str
) -> None:
    text = before + sought + behind
    assert proposes(index, text_documents.document(text, other), trigrams.in_header(sought))
    assert proposes(index, text_documents.document(text, other), trigrams.anywhere(sought, sought))
    assert proposes(index, text_documents.document(other, text), trigrams.in_body(sought))
    assert proposes(index, text_documents.document(other, text), trigrams.anywhere(sought, sought))
    assert proposes(index, text_documents.ALWAYS, trigrams.anywhere(sought, sought))


OPERATORS = ("AND", "NOT", "NEAR(a b)", 'a"b', '"""', "document:abc", "abc*", "^abc", "a-b+c", "   ", "{a b}: c")


@pytest.mark.parametrize("sought", OPERATORS)
def test_searched_texts_have_no_operators(index: apsw.Connection, sought: str) -> None:
    assert proposes(index, text_documents.document("", f"x{sought}x"), trigrams.in_body(sought))
    assert not proposes(index, text_documents.document("", "something else"), trigrams.in_body(sought))


def test_headers_and_bodies_are_told_apart(index: apsw.Connection) -> None:
    document = text_documents.document("subject: dinner", "at eight")
    assert proposes(index, document, trigrams.in_header("dinner", "subject"))
    assert not proposes(index, document, trigrams.in_header("dinner", "eight"))
    assert not proposes(index, document, trigrams.in_body("dinner"))
    assert proposes(index, document, trigrams.in_body("eight"))
    assert not proposes(index, document, trigrams.anywhere("dinner\nat eight", "dinner\nat eight"))


def test_a_long_text_is_asked_for_in_parts(index: apsw.Connection) -> None:
    sought = "".join(chr(0x4E00 + number % 5000) for number in range(100_000))
    match = trigrams.in_body(sought)
    assert match is not None
    assert len(match) < 1000
    assert proposes(index, text_documents.document("", sought[:200_000]), match)
    assert not proposes(index, text_documents.document("", sought[:1000]), match)


def test_a_text_that_is_too_short_may_be_anywhere() -> None:
    assert trigrams.in_body("ab") is trigrams.in_header("ab", "") is trigrams.anywhere("", "") is None
    assert trigrams.in_header("abc", "d") is not None
