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
from typing import Final

from mektup.store.arrival import field_chooser
from mektup.store.interface import HeaderFields, Row
from mektup.store.rules import packs
from mektup.terms.sets import NumberSet, Uids

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


def names_of(choice: HeaderFields) -> bytes:
    """The names, as ``choose_fields`` takes them."""
    return b"\0".join(sorted(choice.names))


@lru_cache(64)
def number_of(choice: HeaderFields) -> int:
    """Stands for the *choice* where blocks of many are kept."""
    return int.from_bytes(blake2b(names_of(choice), digest_size=8, person=FORM).digest(), signed=True)


@lru_cache(64)
def chooser(names: bytes) -> Callable[[bytes], bytes]:
    """Chooses from a message's header; *names* as of ``names_of``."""
    return field_chooser(frozenset(names.split(b"\0")))


def are_many(uids: Uids) -> bool:
    """Whether it pays to look into blocks for *uids*."""
    return len(uids) >= MANY * len(blocks_of(uids))


def blocks_of(uids: Uids) -> set[int]:
    """The blocks that *uids* are in."""
    return {block for first, last in uids.runs for block in range(first >> BLOCK_BITS, (last >> BLOCK_BITS) + 1)}


def uids_of(block: int) -> Uids:
    """All UIDs of a block."""
    return NumberSet.span(block << BLOCK_BITS, ((block + 1) << BLOCK_BITS) - 1)


@dataclass(frozen=True, slots=True)
class Block:
    """What is to be kept."""

    number: int
    messages: int
    """How many there were."""
    fields: Fields
    packed: bytes


def made(block: int, slices: Iterable[Sequence[Row]]) -> Block:
    """The *block* of what is chosen of its messages: *slices* of rows, each a UID and what was chosen."""
    messages = 0
    fields: Fields = {}
    for rows in slices:
        messages += len(rows)
        fields.update((uid, chosen) for uid, chosen in rows if len(chosen) <= MOST_KEPT)
    return Block(block, messages, fields, packs.packed(fields, LEVEL))
