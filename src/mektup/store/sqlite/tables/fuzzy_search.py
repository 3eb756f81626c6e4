"""FUZZY (RFC 6203): the relevancy of a message as an SQL expression, and the messages that the index proposes.

``rules.fuzzy`` says what matches, ``rules.relevancy`` what the relevancy of a whole program is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import apsw

from mektup.store.rules.fuzzy import OF_BODY, sought
from mektup.store.rules.relevancy import relevancies
from mektup.store.rules.text_tests import fit, likeness, likeness_of_any
from mektup.store.sqlite.file.cursor import Cursor, add_function, moment
from mektup.store.sqlite.tables import trigrams
from mektup.store.sqlite.tables.text_index import ADDRESS_COLUMNS, ASKED_LAST, FIELD_NAME, FIRST_CHUNK, Reader
from mektup.terms import search as terms
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.search import SearchKey
from mektup.terms.sets import Uids


@dataclass(frozen=True, slots=True)
class Scored:
    """The relevancy for a key: 1 to 100, or 0 where the message does not match."""

    sql: str
    parameters: tuple[Any, ...]
    reads_message: bool
    """Whether it reads more than the row of ``texts``."""
    match: str | None
    """The match for the messages that the index proposes; None for all."""


def relevancy_of(key: terms.Fuzzy) -> Scored:
    """The relevancy of a message for *key*."""
    text = fit(key.key.text)
    in_header = trigrams.fuzzy(sought(text), in_header=True, in_body=False)
    match key.key:
        case terms.InAddress(field):
            return Scored(f"fuzzy_text({ADDRESS_COLUMNS[field]}, ?)", (text,), False, in_header)
        case terms.InSubject():
            return Scored("fuzzy_text(t.subject, ?)", (text,), False, in_header)
        case terms.InHeader(name):
            sql = f"fuzzy_header({ASKED_LAST}, {FIRST_CHUNK}, ?, ?)"
            return Scored(sql, (name, text), True, in_header if FIELD_NAME.fullmatch(name) else None)
        case terms.InBody():
            match = trigrams.fuzzy(sought(text), in_header=False, in_body=True)
            return Scored(f"fuzzy_body({ASKED_LAST}, (SELECT ?))", (text,), True, match)
        case terms.InText():
            match = trigrams.fuzzy(sought(text), in_header=True, in_body=True)
            return Scored(f"fuzzy_anywhere({ASKED_LAST}, (SELECT ?))", (text,), True, match)


def equip(connection: apsw.Connection, reader: Reader) -> None:
    """Gives *connection* the functions of these expressions; *reader* reads messages on it."""

    def of_header(number: int, header: bytes, name: str, asked: str) -> int:
        return likeness_of_any(asked, reader.values(number, header, name))

    def of_body(number: int, asked: str) -> int:
        return likeness(asked, [(_decoded(reader.body(number)), 1)])

    def anywhere(number: int, asked: str) -> int:
        return likeness(asked, [(_decoded(reader.headers(number)), 1), (_decoded(reader.body(number)), OF_BODY)])

    add_function(connection, "fuzzy_text", 2, lambda text, asked: likeness(asked, [(text, 1)]))
    add_function(connection, "fuzzy_header", 4, of_header)
    add_function(connection, "fuzzy_body", 2, of_body)
    add_function(connection, "fuzzy_anywhere", 2, anywhere)


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogatepass")


def relevancy(cursor: Cursor, mailbox: MailboxId, key: SearchKey, uids: Uids) -> list[int]:
    """See ``interface.Account.relevancy``."""
    numbers = json.dumps(list(uids))

    def of_key(part: terms.Fuzzy) -> dict[Uid, int]:
        scored = relevancy_of(part)
        account = "CROSS JOIN account AS a" if scored.reads_message else ""
        sql = (
            f"SELECT uid, score FROM (SELECT m.uid AS uid, {scored.sql} AS score FROM messages AS m "
            f"CROSS JOIN texts AS t ON t.content = m.content {account} "
            "WHERE m.mailbox = ? AND m.uid IN (SELECT value FROM json_each(?))) WHERE score > 0"
        )
        return dict(cursor.execute(sql, (*scored.parameters, mailbox, numbers)).fetchall())

    with moment(cursor):
        return relevancies(key, uids, of_key)
