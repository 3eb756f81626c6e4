"""Blocks of header fields: the fields that a client fetches for whole mailboxes, selected once and kept in wire form.

Every mail client has its own set of fields, and fetches it for all messages when it opens a folder. So the fields of
neighbouring messages are kept together, compressed: a block has one set of fields, for the messages whose UIDs differ
only in their last bits. UIDs and headers never change, so a block stays right. A block is made when many of its
messages are fetched and no more can arrive in it. It is removed when one of its messages is removed.

Blocks only save time: fields that are in no block are selected from the message's header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from mektup.store.arrival import field_chooser
from mektup.store.columns import HeaderFields, Row
from mektup.store.rules import packs
from mektup.terms.sets import NumberSet, Uids

BLOCK_BITS: Final = 7
"""The number of low bits in which the UIDs of a block differ."""

MANY: Final = 32
"""Blocks are used for at least so many fetched messages per block; for fewer, selecting from headers is faster."""

MOST_KEPT: Final = 4096
"""The most octets of a message's fields in a block; longer ones are selected each time."""

MOST_CHOICES: Final = 4
"""How many sets of fields are kept for a message; one more replaces all of them."""

FORM: Final = b"no NUL"
"""The version of the wire form; changing it makes all older blocks unused."""

LEVEL: Final = 3
"""The level of zstandard."""

Fields = packs.Octets
"""A literal for each UID."""


def names_of(choice: HeaderFields) -> bytes:
    """The field names as ``choose_fields`` takes them."""
    return b"\0".join(sorted(choice.names))


@lru_cache(64)
def number_of(choice: HeaderFields) -> int:
    """The number that identifies *choice* among the kept blocks."""
    return int.from_bytes(blake2b(names_of(choice), digest_size=8, person=FORM).digest(), signed=True)


@lru_cache(64)
def chooser(names: bytes) -> Callable[[bytes], bytes]:
    """A function that selects fields from a message's header; *names* come from ``names_of``."""
    return field_chooser(frozenset(names.split(b"\0")))


def are_many(uids: Uids) -> bool:
    """Whether blocks are faster for *uids*."""
    return len(uids) >= MANY * len(blocks_of(uids))


def blocks_of(uids: Uids) -> set[int]:
    """The blocks of *uids*."""
    return {block for first, last in uids.runs for block in range(first >> BLOCK_BITS, (last >> BLOCK_BITS) + 1)}


def uids_of(block: int) -> Uids:
    """All UIDs of a block."""
    return NumberSet.span(block << BLOCK_BITS, ((block + 1) << BLOCK_BITS) - 1)


@dataclass(frozen=True, slots=True)
class Block:
    """A block to keep."""

    number: int
    messages: int
    """How many of the block's messages existed when it was made."""
    fields: Fields
    packed: bytes


def made(block: int, slices: Iterable[Sequence[Row]]) -> Block:
    """Makes *block* from *slices* of rows, each with a UID and the selected fields."""
    messages = 0
    fields: Fields = {}
    for rows in slices:
        messages += len(rows)
        fields.update((uid, chosen) for uid, chosen in rows if len(chosen) <= MOST_KEPT)
    return Block(block, messages, fields, packs.packed(fields, LEVEL))
