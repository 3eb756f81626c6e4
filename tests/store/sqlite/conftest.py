"""A data directory of this engine, and the files in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mektup.store.sqlite import open_store
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


def file_of(data: Path, account: AccountId) -> Path:
    """Where an account's file is."""
    return data / "accounts" / account[:2] / f"{account}.db"
