"""The functions of Python that the statements of an account's file use."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from mektup.store.arrival import internaldate
from mektup.store.sqlite.file.cursor import add_function
from mektup.store.sqlite.tables import (
    chunk_compression,
    compared_search,
    content,
    fuzzy_search,
    header_fields,
    text_index,
)
from mektup.store.sqlite.tables.text_blocks import KeptTexts
from mektup.terms.limits import Limits
from mektup.terms.numbers import ContentId


def equip(connection: apsw.Connection, limits: Limits) -> None:
    """Gives *connection* all of them."""
    add_function(connection, "internal_date", 2, _internal_date)
    texts = KeptTexts(connection)
    chunk_compression.equip(connection, texts)
    content.equip(connection)

    def header_of(number: int) -> Iterator[bytes]:
        return content.header_pieces(connection.cursor(), ContentId(number), limits.header_bytes)

    header_fields.equip(connection, header_of)
    reader = text_index.equip(connection, texts, limits)
    fuzzy_search.equip(connection, reader)
    compared_search.equip(connection, reader, limits)


def _internal_date(seconds: int, zone: int) -> bytes | None:
    """The internal date as FETCH shows it; None where the numbers make none."""
    try:
        return internaldate(seconds, zone)
    except (TypeError, ValueError, OverflowError):
        return None
