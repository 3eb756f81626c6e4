"""The table of header blocks, see ``rules.header_blocks``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import apsw

from mektup.message.headers import FieldChooser
from mektup.store.arrival import chosen_literal
from mektup.store.columns import HeaderFields
from mektup.store.rules import packs
from mektup.store.rules.header_blocks import (
    BLOCK_BITS,
    MOST_CHOICES,
    Block,
    Fields,
    blocks_of,
    chooser,
    made,
    number_of,
    uids_of,
)
from mektup.store.sqlite.file.cursor import Cursor, add_function
from mektup.store.sqlite.tables.uids import Query, slices
from mektup.terms.numbers import MailboxId
from mektup.terms.sets import Uids

if TYPE_CHECKING:
    from mektup.store.sqlite.file.change import Change

TABLE: Final = """
CREATE TABLE header_fields (
    mailbox INTEGER NOT NULL,
    block INTEGER NOT NULL,         -- the common high bits of its UIDs
    choice INTEGER NOT NULL,        -- identifies the set of field names
    fields BLOB NOT NULL,           -- fields by UID, packed
    PRIMARY KEY (mailbox, block, choice)
);
"""


def equip(connection: apsw.Connection, pieces: Callable[[int], Iterable[bytes]]) -> None:
    """Gives *connection* the functions for such a column of ``fetch``.

    These are ``choose_fields(names, header)``, and ``choose_long_fields(names, content)`` for a header that is too
    large to read at once: *pieces* yields the parts of the header of a content.
    """
    add_function(connection, "choose_fields", 2, lambda names, header: chooser(names)(header))

    def choose_long_fields(names: bytes, content: int) -> bytes:
        choosing = FieldChooser(frozenset(names.split(b"\0")), exclude=False)
        return chosen_literal([*map(choosing.take, pieces(content)), choosing.finish()])

    add_function(connection, "choose_long_fields", 2, choose_long_fields)


# Reading

# two, because a slice begins in the block in which the one before it ended
_unpacked = lru_cache(2)(packs.unpacked)


def read(cursor: Cursor, mailbox: MailboxId, uids: Uids, choice: HeaderFields) -> tuple[Fields, list[int]]:
    """The kept fields of *uids* and of others in the same blocks; and the blocks that are missing but could be made."""
    fields: Fields = {}
    missing: list[int] = []
    for block in blocks_of(uids):
        packed = cursor.execute(
            "SELECT fields FROM header_fields WHERE mailbox = ? AND block = ? AND choice = ?",
            (mailbox, block, number_of(choice)),
        ).get
        if packed is None:
            missing.append(block)
        else:
            fields.update(_unpacked(packed))
    if missing:
        uidnext = cursor.execute("SELECT uidnext FROM mailboxes WHERE id = ?", (mailbox,)).get or 0
        missing = [block for block in missing if uids_of(block).last < uidnext]
    return fields, missing


# Writing


def make(cursor: Cursor, mailbox: MailboxId, blocks: Sequence[int], query: Query) -> list[Block]:
    """Makes *blocks* of the fields that *query* reads, for ``put``. For a thread."""
    return [made(block, slices(cursor, query, mailbox, uids_of(block))) for block in blocks]


def put(change: Change, mailbox: MailboxId, blocks: Sequence[Block], choice: HeaderFields) -> None:
    """Stores *blocks*, except those with a message that was removed since."""
    cursor = change.cursor
    for block in blocks:
        span = uids_of(block.number)
        there = "SELECT count(*) FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ?"
        if cursor.execute(there, (mailbox, span.first, span.last)).get == block.messages:
            _make_room(cursor, mailbox, block.number)
            cursor.execute(
                "INSERT OR REPLACE INTO header_fields VALUES (?, ?, ?, ?)",
                (mailbox, block.number, number_of(choice), block.packed),
            )


def _make_room(cursor: Cursor, mailbox: MailboxId, block: int) -> None:
    key = (mailbox, block)
    if cursor.execute("SELECT count(*) FROM header_fields WHERE mailbox = ? AND block = ?", key).get >= MOST_CHOICES:
        cursor.execute("DELETE FROM header_fields WHERE mailbox = ? AND block = ?", key)


def drop(cursor: Cursor, mailbox: MailboxId, uids: Iterable[int]) -> None:
    """Removes the blocks of *uids*."""
    cursor.executemany(
        "DELETE FROM header_fields WHERE mailbox = ? AND block = ?",
        [(mailbox, block) for block in {uid >> BLOCK_BITS for uid in uids}],
    )
