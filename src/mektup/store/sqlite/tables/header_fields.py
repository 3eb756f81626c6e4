"""Header fields that clients ask for of whole mailboxes, chosen once and kept as they stand on the wire.

Every mail client has its own set of fields, and asks them of all messages when it opens a folder. So those of
neighbouring messages are kept together, compressed: a block holds one set's fields of the messages whose UIDs differ in
their last bits alone. Neither UIDs nor headers ever change, so a block is right for as long as it is there. It is made
when many of its messages are asked for and no more can arrive in it, and it goes when one of its messages does.

Nothing depends on blocks but speed: what is in none is chosen from the message's header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import apsw

from mektup.message.headers import FieldChooser
from mektup.store.arrival import chosen_literal, field_chooser
from mektup.store.interface import HeaderFields
from mektup.store.rules import packs
from mektup.store.sqlite.file.cursor import Cursor, add_function
from mektup.store.sqlite.tables.uids import Query, slices
from mektup.terms.numbers import MailboxId
from mektup.terms.sets import NumberSet, Uids

if TYPE_CHECKING:
    from mektup.store.sqlite.file.change import Change

TABLE: Final = """
CREATE TABLE header_fields (
    mailbox INTEGER NOT NULL,
    block INTEGER NOT NULL,         -- what the UIDs in it have in common, see header_fields.py
    choice INTEGER NOT NULL,        -- stands for the names of the fields
    fields BLOB NOT NULL,           -- by UID, packed
    PRIMARY KEY (mailbox, block, choice)
);
"""

BLOCK_BITS: Final = 7
"""The bits in which the UIDs of a block differ."""

MANY: Final = 32
"""Messages of a block that have to be asked for at once to make it worth looking into; fewer are chosen sooner."""

MOST_KEPT: Final = 4096
"""Octets of a message's fields; more are chosen anew each time."""

MOST_CHOICES: Final = 4
"""How many sets of fields are kept of a message; with one more it starts anew."""

FORM: Final = b"no NUL"
"""How fields are rendered; with another word here, what was kept before is not looked at any more."""

LEVEL: Final = 3
"""Of zstandard."""

Fields = packs.Octets
"""By UID, each a literal."""


def equip(connection: apsw.Connection, pieces: Callable[[int], Iterable[bytes]]) -> None:
    """Gives *connection* the functions that such a column of ``fetch`` uses.

    ``choose_fields(names, header)``, and ``choose_long_fields(names, content)`` for a header that is too large to be
    read at once, of which *pieces* yields what is looked at.
    """
    add_function(connection, "choose_fields", 2, lambda names, header: _chooser(names)(header))

    def choose_long_fields(names: bytes, content: int) -> bytes:
        chooser = FieldChooser(frozenset(names.split(b"\0")), exclude=False)
        return chosen_literal([*map(chooser.take, pieces(content)), chooser.finish()])

    add_function(connection, "choose_long_fields", 2, choose_long_fields)


@lru_cache(64)
def _chooser(names: bytes) -> Callable[[bytes], bytes]:
    return field_chooser(frozenset(names.split(b"\0")))


def names_of(choice: HeaderFields) -> bytes:
    """The names, as ``choose_fields`` takes them."""
    return b"\0".join(sorted(choice.names))


@lru_cache(64)
def _number_of(choice: HeaderFields) -> int:
    return int.from_bytes(blake2b(names_of(choice), digest_size=8, person=FORM).digest(), signed=True)


# Reading

# A slice of a list begins in the block that the one before it ended in.
_unpacked = lru_cache(2)(packs.unpacked)


def are_many(uids: Uids) -> bool:
    """Whether it pays to look into blocks for *uids*."""
    return len(uids) >= MANY * len(_blocks_of(uids))


def _blocks_of(uids: Uids) -> set[int]:
    return {block for first, last in uids.runs for block in range(first >> BLOCK_BITS, (last >> BLOCK_BITS) + 1)}


def _uids_of(block: int) -> Uids:
    return NumberSet.span(block << BLOCK_BITS, ((block + 1) << BLOCK_BITS) - 1)


def read(cursor: Cursor, mailbox: MailboxId, uids: Uids, choice: HeaderFields) -> tuple[Fields, list[int]]:
    """What is kept of *uids*, and of others in the same blocks; and the blocks that could be there, and are not."""
    fields: Fields = {}
    missing: list[int] = []
    for block in _blocks_of(uids):
        packed = cursor.execute(
            "SELECT fields FROM header_fields WHERE mailbox = ? AND block = ? AND choice = ?",
            (mailbox, block, _number_of(choice)),
        ).get
        if packed is None:
            missing.append(block)
        else:
            fields.update(_unpacked(packed))
    if missing:
        uidnext = cursor.execute("SELECT uidnext FROM mailboxes WHERE id = ?", (mailbox,)).get or 0
        missing = [block for block in missing if _uids_of(block).last < uidnext]
    return fields, missing


# Writing


@dataclass(frozen=True, slots=True)
class Block:
    """What is to be kept."""

    number: int
    messages: int
    """How many there were."""
    fields: Fields
    packed: bytes


def make(cursor: Cursor, mailbox: MailboxId, blocks: Sequence[int], query: Query) -> list[Block]:
    """The *blocks* of the fields that *query* reads, to be ``put``. For a thread."""
    return [_made(cursor, mailbox, block, query) for block in blocks]


def _made(cursor: Cursor, mailbox: MailboxId, block: int, query: Query) -> Block:
    messages = 0
    fields: Fields = {}
    for rows in slices(cursor, query, mailbox, _uids_of(block)):
        messages += len(rows)
        fields.update((uid, chosen) for uid, chosen in rows if len(chosen) <= MOST_KEPT)
    return Block(block, messages, fields, packs.packed(fields, LEVEL))


def put(change: Change, mailbox: MailboxId, blocks: Sequence[Block], choice: HeaderFields) -> None:
    """Keeps *blocks*, but not those of which a message has gone since."""
    cursor = change.cursor
    for block in blocks:
        span = _uids_of(block.number)
        there = "SELECT count(*) FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ?"
        if cursor.execute(there, (mailbox, span.first, span.last)).get == block.messages:
            _make_room(cursor, mailbox, block.number)
            cursor.execute(
                "INSERT OR REPLACE INTO header_fields VALUES (?, ?, ?, ?)",
                (mailbox, block.number, _number_of(choice), block.packed),
            )


def _make_room(cursor: Cursor, mailbox: MailboxId, block: int) -> None:
    key = (mailbox, block)
    if cursor.execute("SELECT count(*) FROM header_fields WHERE mailbox = ? AND block = ?", key).get >= MOST_CHOICES:
        cursor.execute("DELETE FROM header_fields WHERE mailbox = ? AND block = ?", key)


def drop(cursor: Cursor, mailbox: MailboxId, uids: Iterable[int]) -> None:
    """Forgets the blocks that *uids* are in."""
    cursor.executemany(
        "DELETE FROM header_fields WHERE mailbox = ? AND block = ?",
        [(mailbox, block) for block in {uid >> BLOCK_BITS for uid in uids}],
    )
