"""Upgrades are one transaction, after a backup; a newer version is never opened."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from mektup.store.sqlite import open_store
from mektup.store.sqlite.file.errors import DamagedError, NewerError
from mektup.store.sqlite.file.schema import Schema, back_up, bring_up_to_date
from mektup.store.sqlite.tables import schema
from mektup.store.sqlite.tables.schema import ACCOUNT
from tests.contract.mail import fill
from tests.store.sqlite.conftest import file_of


def add_column(connection: apsw.Connection) -> None:
    connection.execute("ALTER TABLE mailboxes ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'")


def paint(connection: apsw.Connection) -> None:
    connection.execute("UPDATE mailboxes SET colour = 'red' WHERE name = 'INBOX'")


def fail(connection: apsw.Connection) -> None:
    raise RuntimeError("half way")


NEXT = replace(ACCOUNT, upgrades=(*ACCOUNT.upgrades, add_column, paint))


@pytest.fixture
async def old(data: Path) -> Path:
    """An account's file of the current version, with mail in it."""
    store = await open_store(data)
    account = await store.account(await store.directory.add("linda", {}))
    await fill(account, 5)
    await store.close()
    return file_of(data, account.id)


def upgrade(path: Path, to: Schema) -> None:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        bring_up_to_date(connection, path, to)
    finally:
        connection.close()


def ask(path: Path, question: str) -> object:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        return connection.execute(question).get
    finally:
        connection.close()


async def test_an_upgrade_runs_every_step_after_a_backup(old: Path) -> None:
    upgrade(old, NEXT)
    assert ask(old, "PRAGMA user_version") == NEXT.version
    assert ask(old, "SELECT colour FROM mailboxes WHERE name = 'INBOX'") == "red"
    assert ask(old, "SELECT colour FROM mailboxes WHERE name = 'Sent'") == "blue"
    backup = old.with_name(f"{old.name}.v{ACCOUNT.version}")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert ask(backup, "PRAGMA user_version") == ACCOUNT.version
    assert ask(backup, "SELECT count(*) FROM messages") == 5
    assert ask(backup, "PRAGMA integrity_check") == "ok"
    assert {path.name for path in old.parent.iterdir()} == {old.name, backup.name}


async def test_an_upgrade_that_fails_changes_nothing(old: Path) -> None:
    with pytest.raises(RuntimeError):
        upgrade(old, replace(ACCOUNT, upgrades=(*ACCOUNT.upgrades, add_column, fail)))
    assert ask(old, "PRAGMA user_version") == ACCOUNT.version
    assert ask(old, "SELECT count(*) FROM pragma_table_info('mailboxes') WHERE name = 'colour'") == 0
    upgrade(old, NEXT)
    assert ask(old, "PRAGMA user_version") == NEXT.version


async def test_a_file_of_the_current_version_is_not_changed(old: Path) -> None:
    upgrade(old, ACCOUNT)
    assert {path.name for path in old.parent.iterdir()} == {old.name}


async def test_a_newer_file_or_one_of_another_program_is_refused(old: Path) -> None:
    upgrade(old, NEXT)
    with pytest.raises(
        NewerError, match=f"it has version {NEXT.version}, and this mektup knows versions up to {ACCOUNT.version}"
    ):
        upgrade(old, ACCOUNT)
    with pytest.raises(DamagedError, match="not a file of mektup: "):
        upgrade(old, schema.DIRECTORY)


async def test_the_store_upgrades_what_it_opens(data: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mektup.store.sqlite.store.ACCOUNT", NEXT)
    store = await open_store(data)
    account = await store.account((await store.directory.entries("", 1))[0])
    assert (await account.mailbox("INBOX")).messages == 5
    await store.close()
    assert old.with_name(f"{old.name}.v{ACCOUNT.version}").exists()
    assert ask(old, "PRAGMA user_version") == NEXT.version


async def test_a_backup_holds_what_others_are_still_writing_to(old: Path, tmp_path: Path) -> None:
    writer = apsw.Connection(str(old), flags=apsw.SQLITE_OPEN_READWRITE)
    writer.execute("INSERT INTO subscriptions VALUES ('committed', 1)")
    writer.execute("BEGIN IMMEDIATE; INSERT INTO subscriptions VALUES ('not committed', 1)")
    back_up(old, tmp_path / "backup")
    writer.execute("ROLLBACK")
    writer.close()
    assert ask(tmp_path / "backup", "SELECT count(*) FROM subscriptions WHERE name LIKE '%committed'") == 1
