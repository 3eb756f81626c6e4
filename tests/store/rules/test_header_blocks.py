"""Blocks of header fields: which UIDs share a block, when blocks are used, and which fields are stored."""

from __future__ import annotations

from mektup.store.columns import HeaderFields
from mektup.store.rules import packs
from mektup.store.rules.header_blocks import (
    BLOCK_BITS,
    MANY,
    MOST_KEPT,
    are_many,
    blocks_of,
    chooser,
    made,
    names_of,
    number_of,
    uids_of,
)
from mektup.terms.sets import Uids

SIZE = 1 << BLOCK_BITS


def choice(*names: bytes) -> HeaderFields:
    return HeaderFields(frozenset(names))


def test_every_uid_is_in_one_block() -> None:
    for uid in (1, SIZE - 1, SIZE, 5 * SIZE + 3):
        (block,) = blocks_of(Uids.span(uid, uid))
        assert uid in uids_of(block)
        assert uid not in uids_of(block + 1)
    assert blocks_of(Uids.span(SIZE - 1, 2 * SIZE)) == {0, 1, 2}
    assert blocks_of(Uids()) == set()


def test_blocks_are_used_for_many_messages_of_each() -> None:
    assert are_many(Uids.span(SIZE, SIZE + MANY - 1))
    assert not are_many(Uids.span(SIZE, SIZE + MANY - 2))
    assert not are_many(Uids.span(SIZE, SIZE + MANY - 1) | Uids.span(9 * SIZE, 9 * SIZE))


def test_a_choice_is_its_names_in_any_order() -> None:
    assert names_of(choice(b"to", b"from")) == b"from\0to"
    assert number_of(choice(b"to", b"from")) == number_of(choice(b"from", b"to"))
    assert number_of(choice(b"to")) != number_of(choice(b"from"))
    assert -(2**63) <= number_of(choice(b"to")) < 2**63


def test_fields_are_chosen_as_a_literal() -> None:
    assert chooser(b"subject")(b"From: a\r\nSubject: b\r\n\r\n") == b"{14}\r\nSubject: b\r\n\r\n"


def test_a_block_counts_all_its_messages_and_keeps_what_is_short() -> None:
    block = made(3, [[(385, b"short"), (386, b"x" * MOST_KEPT)], [(390, b"x" * (MOST_KEPT + 1))]])
    assert (block.number, block.messages) == (3, 3)
    assert block.fields == {385: b"short", 386: b"x" * MOST_KEPT}
    assert packs.unpacked(block.packed) == block.fields
