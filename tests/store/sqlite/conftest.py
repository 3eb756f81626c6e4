"""A data directory of this engine, and the files in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from mektup.store.sqlite import open_store, text_blocks
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.numbers import AccountId


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def store(data: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(data)
    yield store
    await store.close()


def texts_kept(connection: apsw.Connection) -> set[int]:
    """The contents of which SEARCH has texts."""
    cursor = connection.cursor()
    kept: set[int] = set()
    for first, last in cursor.execute("SELECT first, last FROM search_texts ORDER BY first").fetchall():
        bodies, headers = text_blocks.bodies(cursor, first), text_blocks.headers(cursor, first)
        assert bodies.keys() == headers.keys()
        assert not kept & bodies.keys()
        assert all(first <= content <= last for content in bodies)
        kept |= bodies.keys()
    return kept


def file_of(data: Path, account: AccountId) -> Path:
    """Where an account's file is."""
    return data / "accounts" / account[:2] / f"{account}.db"
