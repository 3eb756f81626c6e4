"""A data directory of this engine, and the files in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from mektup.store.faults import Fault
from mektup.store.sqlite import open_store
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables import text_blocks
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.numbers import AccountId

KEEPS_NOTHING = Limits(expunged_seconds=0)
"""For tests of space that is given back at once."""


class Book:
    """Records faults."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def happened(self, fault: Fault) -> None:
        self.faults.append(fault)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def store(data: Path, request: pytest.FixtureRequest) -> AsyncIterator[SqliteStore]:
    """A store with the LIMITS of the module, if it has some."""
    store = await open_store(data, limits=getattr(request.module, "LIMITS", DEFAULT_LIMITS))
    yield store
    await store.close()


def texts_kept(connection: apsw.Connection) -> set[int]:
    """The contents whose texts are stored for SEARCH."""
    cursor = connection.cursor()
    kept: set[int] = set()
    for first, last in cursor.execute("SELECT first, last FROM search_texts ORDER BY first").fetchall():
        bodies, headers = text_blocks.bodies(cursor, first), text_blocks.headers(cursor, first)
        assert bodies.keys() == headers.keys()
        assert not kept & bodies.keys()
        assert all(first <= content <= last for content in bodies)
        kept |= bodies.keys()
    return kept


def shape_of(path: Path) -> set[tuple[object, ...]]:
    """The tables with their columns, the indices, and the version of an account's file."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        columns = connection.execute(
            'SELECT s.name, c.name, c.type, c."notnull", c.dflt_value, c.pk '
            "FROM sqlite_schema AS s JOIN pragma_table_info(s.name) AS c WHERE s.type = 'table'"
        ).fetchall()
        indices = connection.execute("SELECT tbl_name, name, sql FROM sqlite_schema WHERE type = 'index'").fetchall()
        return {("version", connection.pragma("user_version")), *columns, *indices}
    finally:
        connection.close()


_STEPS_BACK_OF_DIRECTORY = {
    7: "DROP TABLE logins; DROP TABLE usages",
    6: "DROP TABLE domains; DROP TABLE aliases",
    5: "ALTER TABLE accounts DROP COLUMN hidden",
    4: "DROP TABLE metadata",
    3: "DROP TABLE sharing",
    2: "DROP TABLE unfinished; ALTER TABLE accounts DROP COLUMN seen",
}

_STEPS_BACK = {
    13: "DROP TABLE retained; DROP TABLE past_flags; DROP TABLE past_sets; DROP TABLE past_names; "
    "DROP TABLE late_arrivals; ALTER TABLE touched DROP COLUMN moment; ALTER TABLE touched DROP COLUMN flipped; "
    "ALTER TABLE account DROP COLUMN retained; ALTER TABLE account DROP COLUMN past_from; "
    "ALTER TABLE mailboxes DROP COLUMN named",
    12: "DROP TABLE imported",
    11: "DROP TABLE metadata",
    10: "DROP TABLE quota",
    9: "DROP TABLE access",
    8: "DROP TABLE thread_keys; ALTER TABLE contents DROP COLUMN thread",
    7: "DROP TABLE tombstones; DROP INDEX mailboxes_by_change; DROP INDEX subscriptions_by_change; "
    "ALTER TABLE account DROP COLUMN log_floor; ALTER TABLE subscriptions DROP COLUMN changed; "
    "ALTER TABLE mailboxes DROP COLUMN created; ALTER TABLE mailboxes DROP COLUMN changed",
    6: "ALTER TABLE account DROP COLUMN closed; ALTER TABLE account DROP COLUMN place",
    5: "INSERT INTO trigrams (trigrams) VALUES ('delete-all'); "
    "INSERT INTO trigrams (rowid, document) SELECT id, 'another document' FROM contents",
    4: "DROP TABLE header_fields",
    3: "DROP TABLE touched; ALTER TABLE mailboxes DROP COLUMN runs; "
    "CREATE INDEX messages_by_modseq ON messages (mailbox, modseq)",
    2: "DROP TABLE trigrams; DROP TABLE freed; DROP TABLE search_texts; DROP INDEX messages_by_content",
}


def make_older(path: Path, version: int, kind: str = "account") -> None:
    """Turns an account's file, or the directory, of the current version into one of *version*."""
    steps = _STEPS_BACK if kind == "account" else _STEPS_BACK_OF_DIRECTORY
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    for step in range(connection.pragma("user_version"), version, -1):
        connection.execute(steps[step])
    connection.pragma("user_version", version)
    connection.close()


def file_of(data: Path, account: AccountId) -> Path:
    """The path of an account's file."""
    return data / "accounts" / account[:2] / f"{account}.db"
