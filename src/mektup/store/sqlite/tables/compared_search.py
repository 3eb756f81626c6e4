"""Searching and sorting by another comparator than the default one: SQL expressions, and what the index proposes.

``rules.compared_texts`` says what matches.
"""

from __future__ import annotations

from dataclasses import dataclass

import apsw

from mektup.message.comparing import COMPARISONS, certain_part
from mektup.message.text import fold, fold_header
from mektup.store.rules.compared_texts import field_has, sort_text, texts_have
from mektup.store.rules.text_tests import fit
from mektup.store.sorting.sort_keys import ComparedKey
from mektup.store.sqlite.file.cursor import add_function
from mektup.store.sqlite.tables import trigrams
from mektup.store.sqlite.tables.text_blocks import encode
from mektup.store.sqlite.tables.text_index import ASKED_LAST, FIELD_NAME, FIRST_CHUNK, Reader
from mektup.terms import search as terms
from mektup.terms.comparators import Comparator
from mektup.terms.limits import Limits
from mektup.terms.sorting import SortKey


@dataclass(frozen=True, slots=True)
class Tested:
    """Whether a message matches: SQL that is 0 or 1, which reads the message."""

    sql: str
    parameters: tuple[object, ...]
    match: str | None
    """The match for the messages that the index proposes; None for all."""


def tested_by(key: terms.Compared) -> Tested:
    """The test of a message for *key*."""
    text = fit(key.key.text)
    certain = certain_part(text)
    match key.key:
        case terms.InAddress(field):
            return _in_field(field.value, text, key.comparator, trigrams.in_header(fold_header(certain)))
        case terms.InSubject():
            return _in_field("subject", text, key.comparator, trigrams.in_header(fold_header(certain)))
        case terms.InHeader(name):
            match = trigrams.in_header(name, fold_header(certain)) if FIELD_NAME.fullmatch(name) else None
            return _in_field(name, text, key.comparator, match, always=False)
        case terms.InBody():
            return _in_message(text, key.comparator, trigrams.in_body(fold(certain)), in_headers=False)
        case terms.InText():
            match = trigrams.anywhere(fold_header(certain), fold(certain))
            return _in_message(text, key.comparator, match, in_headers=True)


def _in_field(name: str, text: str, comparator: Comparator, match: str | None, *, always: bool = True) -> Tested:
    """*always*: an empty text is in every message, even in one without the field; as by the default comparator."""
    if always and not text:
        return Tested("1", (), None)
    sql = f"compared_field({ASKED_LAST}, {FIRST_CHUNK}, ?, ?, ?)"
    return Tested(sql, (name, text, comparator.value), match)


def _in_message(text: str, comparator: Comparator, match: str | None, *, in_headers: bool) -> Tested:
    return Tested(f"compared_message({ASKED_LAST}, (SELECT ?), ?, ?)", (text, comparator.value, int(in_headers)), match)


def key_of(key: ComparedKey) -> str:
    """SQL: the text of *key* of a message, in the form for order."""
    return f"compared_key(m.content, {FIRST_CHUNK}, '{key.key.value}', '{key.comparator.value}')"


def equip(connection: apsw.Connection, reader: Reader, limits: Limits) -> None:
    """Gives *connection* the functions of these expressions; *reader* reads messages on it."""

    def of_field(number: int, header: bytes, name: str, text: str, comparator: str) -> bool:
        return field_has(reader.header(number, header), name, text, Comparator(comparator), limits)

    def of_message(number: int, text: str, comparator: str, in_headers: int) -> bool:
        # what is stored by the default comparator is quickly looked into
        certain = certain_part(text)
        may_be = encode(fold(certain)) in reader.body(number)
        if not may_be and not (in_headers and encode(fold_header(certain)) in reader.headers(number)):
            return False
        asked = Comparator(comparator)
        return texts_have(reader.texts(number, COMPARISONS[asked].fold), text, asked, in_headers=bool(in_headers))

    def of_key(number: int, header: bytes, key: str, comparator: str) -> str:
        return sort_text(reader.header(number, header), SortKey(key), Comparator(comparator), limits)

    add_function(connection, "compared_field", 5, of_field)
    add_function(connection, "compared_message", 4, of_message)
    add_function(connection, "compared_key", 4, of_key)
