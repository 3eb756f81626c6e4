"""Mends contents: what was derived from the octets of messages, and the rows that refer to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import apsw

from mektup.store.arrival import prepare
from mektup.store.rules.keyword_sets import SYSTEM_MASK
from mektup.store.spool import Spool
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import content, retained
from mektup.store.sqlite.tables.checks.octets import UNREADABLE, chunks
from mektup.store.sqlite.tables.checks.references import RETAINED_WRONG
from mektup.store.sqlite.tables.chunk_compression import Packing
from mektup.store.sqlite.tables.repairs.mailboxes import recount
from mektup.store.sqlite.tables.schema import CHUNK_BITS
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId

AT_ONCE: Final = 20
"""How many contents are stored again in a transaction."""

_LEFT_OVER: Final = (
    "DELETE FROM structures WHERE content NOT IN (SELECT id FROM contents)",
    "DELETE FROM texts WHERE content NOT IN (SELECT id FROM contents)",
    "DELETE FROM freed WHERE content IN (SELECT id FROM contents)",
    *(
        f"DELETE FROM {table} WHERE mailbox NOT IN (SELECT id FROM mailboxes WHERE selectable)"
        for table in ("touched", "expunged", "header_fields")
    ),
    "DELETE FROM access WHERE mailbox NOT IN (SELECT id FROM mailboxes)",
    "DELETE FROM imported WHERE mailbox NOT IN (SELECT id FROM mailboxes)",
)


_HOLDERS: Final = "(SELECT content FROM messages UNION ALL SELECT content FROM retained WHERE NOT moved)"
"""The rows that hold a content."""


def left_over(change: Change) -> None:
    """Removes derived rows that belong to nothing."""
    for statement in _LEFT_OVER:
        change.cursor.execute(statement)


def header_fields(change: Change) -> None:
    """Removes all blocks of header fields: they only save time, and are made again when clients ask."""
    change.cursor.execute("DELETE FROM header_fields")


def copies(change: Change) -> None:
    """Counts the copies of each content."""
    change.cursor.execute("DELETE FROM shared")
    change.cursor.execute(
        f"INSERT INTO shared SELECT content, count(*) - 1 FROM {_HOLDERS} GROUP BY content HAVING count(*) > 1"
    )


def without_row(cursor: Cursor) -> list[int]:
    """The contents that have octets and no row."""
    asked = f"SELECT DISTINCT id >> {CHUNK_BITS} FROM chunks WHERE id >> {CHUNK_BITS} NOT IN (SELECT id FROM contents)"
    return [number for (number,) in cursor.execute(asked).fetchall()]


def store_again(change: Change, numbers: Collection[int], limits: Limits) -> int:
    """Stores contents as if they had just arrived, under new IDs, as sessions remember what belongs to the old ones.

    Leaves each content whose octets cannot be read, or are not those of its digest. Returns how many were stored.
    """
    cursor = change.cursor
    mailboxes: set[MailboxId] = set()
    stored = 0
    for old in numbers:
        with Spool(directory=_directory(cursor)) as spool:
            if not _read(cursor, old, spool):
                continue
            arrival = prepare(spool.octets(), limits)
            (new,) = change.name_contents(1)
            content.add(cursor, new, arrival, Packing(None))
        mailboxes |= _refer(cursor, old, new, arrival.size)
        _remove(cursor, old)
        stored += 1
    for mailbox in mailboxes:
        recount(change, mailbox)
    return stored


def _read(cursor: Cursor, number: int, spool: Spool) -> bool:
    """Fills *spool* with the octets of a content; False where they cannot be read whole."""
    row = cursor.execute("SELECT digest FROM contents WHERE id = ?1 UNION ALL SELECT NULL LIMIT 1", (number,)).get
    pieces: list[int] = []

    def read() -> Iterator[bytes]:
        for at, octets, _ in chunks(cursor, number):
            pieces.append(at)
            spool.write(octets)
            yield octets

    try:
        digest = content.digest_of(read())
    except (*UNREADABLE, apsw.CorruptError):
        return False
    return pieces == list(range(len(pieces))) and bool(pieces) and row in (None, digest)


def _refer(cursor: Cursor, old: int, new: int, size: int) -> set[MailboxId]:
    """Makes all messages refer to *new*; returns their mailboxes."""
    rows = cursor.execute("SELECT DISTINCT mailbox FROM messages WHERE content = ?", (old,)).fetchall()
    for table in ("messages", "retained"):
        cursor.execute(f"UPDATE {table} SET content = ?2, size = ?3 WHERE content = ?1", (old, new, size))
    retained.weigh_again(cursor)
    cursor.execute("DELETE FROM shared WHERE content IN (?, ?)", (old, new))
    cursor.execute(
        f"INSERT INTO shared SELECT content, count(*) - 1 FROM {_HOLDERS} WHERE content = ? GROUP BY content "
        "HAVING count(*) > 1",
        (new,),
    )
    known = {number for (number,) in cursor.execute("SELECT id FROM mailboxes WHERE selectable").fetchall()}
    return {MailboxId(number) for (number,) in rows} & known


def _remove(cursor: Cursor, old: int) -> None:
    cursor.execute("DELETE FROM freed WHERE content = ?", (old,))
    content.release(cursor, [old])


def sizes(change: Change) -> None:
    """Gives each message the size of its octets."""
    change.cursor.execute(
        "UPDATE messages SET size = c.size FROM contents AS c WHERE c.id = messages.content AND c.size <> messages.size"
    )


def kept(change: Change) -> None:
    """Removes what is kept of expunged messages and has no octets, and mends and weighs the rest."""
    # octets without a row of contents are stored again later
    has_octets = f"EXISTS (SELECT 1 FROM chunks WHERE id = content << {CHUNK_BITS})"
    lost = f"NOT moved AND content NOT IN (SELECT id FROM contents) AND NOT {has_octets}"
    change.cursor.execute(f"DELETE FROM retained WHERE {lost}")
    change.cursor.execute(
        f"UPDATE retained SET moved = moved = 1, flags = flags & {SYSTEM_MASK} WHERE {RETAINED_WRONG}"
    )
    change.cursor.execute("DELETE FROM past_flags WHERE first < 1 OR last < first OR flipped = 0")
    retained.weigh_again(change.cursor)


def in_blocks(cursor: Cursor, firsts: Collection[int]) -> list[int]:
    """The contents whose texts should be in the blocks *firsts*."""
    asked = "SELECT id FROM contents JOIN search_texts ON id BETWEEN first AND last WHERE first = ?"
    return [number for first in firsts for (number,) in cursor.execute(asked, (first,)).fetchall()]


def remove_unused_blocks(change: Change, firsts: Collection[int]) -> None:
    """Removes blocks of texts that cannot be read, if no content needs them any more."""
    for first in firsts:
        last = change.cursor.execute("SELECT last FROM search_texts WHERE first = ?", (first,)).get
        needed = "SELECT 1 FROM contents WHERE id BETWEEN ? AND ?"
        if last is not None and change.cursor.execute(needed, (first, last)).get is None:
            change.cursor.execute("DELETE FROM search_texts WHERE first = ?", (first,))
            change.cursor.execute("DELETE FROM freed WHERE content BETWEEN ? AND ?", (first, last))


def _directory(cursor: Cursor) -> Path | None:
    with suppress(apsw.Error):
        if cursor.connection.filename:
            return Path(cursor.connection.filename).parent
    return None
