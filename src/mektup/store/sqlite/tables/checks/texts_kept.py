"""The blocks of texts for SEARCH, the documents of the index, and the blocks of header fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mektup.store.rules import packs
from mektup.store.rules.consistency import Finding, Kind, finding
from mektup.store.rules.header_blocks import uids_of
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.store.sqlite.tables import content
from mektup.store.sqlite.tables.checks.octets import UNREADABLE
from mektup.store.sqlite.tables.text_blocks import LAST
from mektup.terms.errors import Refused
from mektup.terms.numbers import ContentId

_IN_THE_WAY: Final = (
    "SELECT b.first FROM search_texts AS b WHERE b.last < b.first "
    "OR b.last >= (SELECT first FROM search_texts WHERE first > b.first ORDER BY first LIMIT 1)"
)

_NO_DOCUMENT: Final = (
    f"SELECT id FROM contents AS c WHERE id <= {LAST} "
    "AND NOT EXISTS (SELECT 1 FROM trigrams_docsize WHERE id = c.id >> 1)"
)

_DOCUMENT_OF_NOTHING: Final = (
    "SELECT id FROM trigrams_docsize AS d "
    "WHERE NOT EXISTS (SELECT 1 FROM contents WHERE id BETWEEN d.id << 1 AND d.id << 1 | 1) "
    "AND NOT EXISTS (SELECT 1 FROM freed WHERE content BETWEEN d.id << 1 AND d.id << 1 | 1)"
)


def documents(cursor: Cursor) -> Iterator[Finding]:
    """Which messages have a document in the index, and which blocks have their texts."""
    with moment(cursor):
        for name, asked in (("document", _DOCUMENT_OF_NOTHING), ("content", _NO_DOCUMENT)):
            yield from finding(Kind.TEXT_INDEX, "", name, (number for (number,) in cursor.execute(asked)))
        rows = cursor.execute(_IN_THE_WAY)
        yield from finding(Kind.SEARCH_TEXT, "", "block", (first for (first,) in rows), mendable=False)


def blocks(cursor: Cursor) -> Iterator[Finding]:
    """Each block of texts: whether it can be read, and has the texts of the contents that it names."""
    yield from finding(Kind.SEARCH_TEXT, "", "block", wrong_blocks(cursor))


def wrong_blocks(cursor: Cursor) -> Iterator[int]:
    """The first content of each wrong block."""
    after = -1
    while True:
        with moment(cursor):
            row = cursor.execute(
                "SELECT first, last, octets, bodies, headers FROM search_texts WHERE first > ? ORDER BY first LIMIT 1",
                (after,),
            ).get
            if row is None:
                return
            after = row[0]
            is_right = _is_right(cursor, *row)
        if not is_right:
            yield after


def _is_right(cursor: Cursor, first: int, last: int, octets: int, packed_bodies: bytes, packed_headers: bytes) -> bool:
    try:
        bodies, headers = packs.unpacked(packed_bodies), packs.unpacked(packed_headers)
    except UNREADABLE:
        return False
    if bodies.keys() != headers.keys() or not all(first <= number <= last for number in bodies):
        return False
    if sum(map(len, bodies.values())) + sum(map(len, headers.values())) != octets:
        return False
    rows = cursor.execute(
        "SELECT id FROM contents WHERE id BETWEEN ?1 AND ?2 UNION SELECT content FROM freed "
        "WHERE content BETWEEN ?1 AND ?2",
        (first, last),
    ).fetchall()
    return bodies.keys() <= {number for (number,) in rows}


def header_fields(cursor: Cursor) -> Iterator[Finding]:
    """Each block of header fields: whether it can be read, and has only fields that are in the headers."""
    wrong: list[str] = []
    for mailbox, block, choice in cursor.execute("SELECT mailbox, block, choice FROM header_fields").fetchall():
        with moment(cursor):
            packed = cursor.execute(
                "SELECT fields FROM header_fields WHERE mailbox = ? AND block = ? AND choice = ?",
                (mailbox, block, choice),
            ).get
            if packed is not None and not _says_what_headers_say(cursor, mailbox, block, packed):
                wrong.append(f"{mailbox}/{block}")
    yield from finding(Kind.HEADER_FIELDS, "", "block", wrong)


def _says_what_headers_say(cursor: Cursor, mailbox: int, block: int, packed: bytes) -> bool:
    try:
        fields = packs.unpacked(packed)
    except UNREADABLE:
        return False
    return all(uid in uids_of(block) and _is_in_header(cursor, mailbox, uid, fields[uid]) for uid in fields)


def _is_in_header(cursor: Cursor, mailbox: int, uid: int, literal: bytes) -> bool:
    number = cursor.execute("SELECT content FROM messages WHERE mailbox = ? AND uid = ?", (mailbox, uid)).get
    size, _, chosen = literal.partition(b"\r\n")
    if number is None or size != b"{%d}" % len(chosen):
        return False
    try:
        header = b"".join(content.header_pieces(cursor, ContentId(number)))
    except (*UNREADABLE, Refused):
        return True  # the check of the octets says so
    return set(header.split(b"\r\n")).issuperset(chosen.split(b"\r\n"))
