"""``mektup serve --check`` looks at the databases and at the bus between nodes."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from mektup.server.checking import texts
from mektup.server.checking.databases import databases
from mektup.server.checking.finding import Finding, Weight
from mektup.server.store_config import ON_FILES, Engine, StoreConfig
from mektup.store.postgres import open_store
from tests.support.nats import nats_server
from tests.support.postgres import NewDatabase, Postgres, running


def found(directory: str, shards: dict[str, str] | None = None, bus: tuple[str, ...] = ()) -> dict[str, list[Finding]]:
    config = StoreConfig(
        engine=Engine.POSTGRES, directory=directory, shards={"a": directory} if shards is None else shards, bus=bus
    )
    by_key: dict[str, list[Finding]] = {}
    for each in databases(config):
        by_key.setdefault(each.about, []).append(each)
    return by_key


def prepare(database: str) -> None:
    async def opening() -> None:
        store = await open_store(database, {"a": database})
        await store.close()

    asyncio.run(opening())


def test_files_have_no_databases() -> None:
    assert list(databases(ON_FILES)) == []


def test_an_empty_database_and_one_with_tables_can_be_used(postgres: Postgres) -> None:
    postgres.run("CREATE DATABASE nothing TEMPLATE template1")
    database = postgres.dsn("nothing")
    assert [findings[0].what for findings in found(database).values()] == [
        texts.DATABASE_EMPTY,
        texts.DATABASE_EMPTY,
        texts.BUS_FINE,
    ]
    prepare(database)
    said = found(database)
    assert said["store.directory"][0].what == said["store.shards.a"][0].what == texts.DATABASE_FINE
    postgres.run("DROP DATABASE nothing WITH (FORCE)")


def test_a_database_without_a_synchronous_standby_is_a_warning(new_database: NewDatabase) -> None:
    (_, warned) = found(new_database())["store.shards.a"]
    assert (warned.weight, warned.what) == (Weight.WARNING, texts.NOT_SYNCHRONOUS)


def test_a_synchronous_standby_is_no_warning() -> None:
    with running(synchronous_standby_names="other", synchronous_commit="off") as server:
        assert [each.weight for each in found(server.dsn("postgres"))["store.shards.a"]] == [Weight.FINE]


def test_a_shard_that_is_down_does_not_hide_the_others(new_database: NewDatabase) -> None:
    database = new_database()
    down = "postgresql://mektup:Pa$$123@127.0.0.1:9/mail"
    said = found(database, {"a": database, "b": down})
    assert said["store.shards.a"][0].weight is Weight.FINE
    (failed,) = said["store.shards.b"]
    assert (failed.weight, failed.mending) == (Weight.ERROR, texts.OTHERS_SERVE)
    assert "127.0.0.1" in str(failed.what)
    assert "Pa$$" not in str(failed.what)


@pytest.mark.parametrize("dsn", ["host=db passwort=Pa$$123", "postgresql://linda:Pa$$123@db/mail?sslmod=on"])
def test_a_connection_string_that_postgresql_does_not_read_is_not_shown(dsn: str) -> None:
    (failed,) = found(dsn)["store.directory"]
    assert (failed.weight, failed.what) == (Weight.ERROR, texts.DATABASE_WRONG)


def test_tables_of_a_mektup_that_is_too_new_are_refused(new_database: NewDatabase) -> None:
    database = new_database()
    prepare(database)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE schema SET version = 1000, oldest_reader = 1000 WHERE part = 'shard'")
    said = found(database)
    assert said["store.directory"][0].weight is Weight.FINE
    (failed,) = said["store.shards.a"]
    assert (failed.weight, failed.what, failed.mending) == (Weight.ERROR, texts.SCHEMA_TOO_NEW, texts.UPGRADE)


def test_a_clock_that_differs_is_a_warning(new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mektup.server.checking.databases.SECONDS_APART", -1.0)
    warned = found(new_database())["store.directory"][-1]
    assert (warned.weight, warned.what.english) == (Weight.WARNING, texts.CLOCKS_DIFFER.english)


def test_the_bus_is_asked(new_database: NewDatabase) -> None:
    database = new_database()
    with nats_server() as nats:
        assert [each.weight for each in found(database, bus=(nats.url,))["store.bus"]] == [Weight.FINE]
    (warned,) = found(database, bus=("nats://linda:Pa$$123@127.0.0.1:9",))["store.bus"]
    assert warned.weight is Weight.WARNING
    assert "Pa$$" not in str(warned.what)
