"""The parts of a store: an account is on one of them, and one that is down or unknown harms nobody else."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from mektup.store.faults import Fault, Kind
from mektup.store.interface import Store
from mektup.store.postgres import open_store
from mektup.store.texts import UNKNOWN_SHARD
from mektup.terms.errors import Code, Refused
from tests.support.postgres import NewDatabase


class Recorded:
    """The faults that were told."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def happened(self, fault: Fault) -> None:
        self.faults.append(fault)


async def refused_with(code: Code, asking: object) -> Refused:
    with pytest.raises(Refused) as caught:
        await asking  # type: ignore[misc]
    assert caught.value.code is code
    return caught.value


async def names(store: Store) -> dict[str, str]:
    """The shard of each account."""
    return {entry.name: entry.shard for entry in await store.directory.entries("", 100)}


async def test_new_accounts_go_to_the_emptiest_shard(new_database: NewDatabase) -> None:
    directory, a, b, c = [new_database() for _ in range(4)]
    store = await open_store(directory, {"a": a, "b": b})
    for number in range(4):
        await store.directory.add(f"user{number}", {})
    assert sorted((await names(store)).values()) == ["a", "a", "b", "b"]
    await store.close()
    store = await open_store(directory, {"a": a, "b": b, "c": c})
    for number in range(4, 6):
        await store.directory.add(f"user{number}", {})
    assert sorted((await names(store)).values()) == ["a", "a", "b", "b", "c", "c"]
    await store.directory.remove("user0")
    await store.directory.add("again", {})
    assert sorted((await names(store)).values()) == ["a", "a", "b", "b", "c", "c"]
    for entry in await store.directory.entries("", 10):
        assert len(await (await store.account(entry)).mailboxes()) == 6
    accounts = await store.usages([entry.id for entry in await store.directory.entries("", 10)])
    assert len(accounts) == 6
    await store.close()


async def test_a_shard_that_is_down_harms_only_its_accounts(new_database: NewDatabase, tmp_path: Path) -> None:
    directory, a, b = [new_database() for _ in range(3)]
    store = await open_store(directory, {"a": a, "b": b})
    for name in ("on a", "on b"):
        await store.directory.add(name, {})
    await store.close()

    recorded = Recorded()
    nowhere = f"host={tmp_path} user=nobody"
    store = await open_store(directory, {"a": a, "b": nowhere}, faults=recorded, patience=0.2)
    here, there = await store.directory.entries("", 10)
    account = await store.account(here)
    await account.create("work")
    await refused_with(Code.UNAVAILABLE, store.account(there))
    assert recorded.faults[-1].kind is Kind.SHARD
    assert recorded.faults[-1].file == "b"
    # new accounts go elsewhere, and what is left of the removed one waits for the shard
    added = await store.directory.add("another", {})
    assert added.shard == "a"
    assert (await refused_with(Code.UNAVAILABLE, store.directory.remove("on b"))).uncertain
    assert await store.directory.find("on b") is None
    assert set(await store.usages([here.id, there.id])) == {here.id}
    await store.close()

    with psycopg.connect(directory) as connection:
        connection.execute("UPDATE unfinished SET since = 0")
    store = await open_store(directory, {"a": a, "b": b})
    assert (await store.tidy()).removed >= 1
    with psycopg.connect(directory) as connection, psycopg.connect(b) as shard:
        assert connection.execute("SELECT count(*) FROM unfinished").fetchone() == (0,)
        assert shard.execute("SELECT count(*) FROM accounts").fetchone() == (0,)
        assert shard.execute("SELECT count(*) FROM mailboxes").fetchone() == (0,)
    await store.close()


async def test_a_directory_that_is_down_is_told_at_the_start(new_database: NewDatabase, tmp_path: Path) -> None:
    recorded = Recorded()
    opening = open_store(f"host={tmp_path} user=nobody", {"a": new_database()}, faults=recorded, patience=0.2)
    await refused_with(Code.UNAVAILABLE, opening)
    assert {fault.file for fault in recorded.faults} == {"directory"}


async def test_an_unknown_shard_is_named(new_database: NewDatabase) -> None:
    directory, a, b = [new_database() for _ in range(3)]
    store = await open_store(directory, {"a": a})
    added = await store.directory.add("linda", {})
    await store.close()
    store = await open_store(directory, {"b": b})
    other = await store.directory.add("ali", {})
    refused = await refused_with(Code.UNAVAILABLE, store.account(added))
    assert refused.text == UNKNOWN_SHARD.of(shard="a")
    assert len(await (await store.account(other)).mailboxes()) == 6
    await store.close()


async def test_an_addition_that_another_node_has_taken_for_a_killed_one_is_not_made(new_database: NewDatabase) -> None:
    database = new_database()
    store = await open_store(database, {"a": database})
    with psycopg.connect(database, autocommit=True) as connection:
        # whoever adds finds its work claimed
        connection.execute(
            "CREATE FUNCTION claim() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN UPDATE unfinished SET removing = true; RETURN NULL; END'"
        )
        connection.execute("CREATE TRIGGER claim AFTER INSERT ON accounts EXECUTE FUNCTION claim()")
        await refused_with(Code.UNAVAILABLE, store.directory.add("linda", {}))
        assert await store.directory.find("linda") is None
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (0,)
        connection.execute("DROP TRIGGER claim ON accounts")
    assert (await store.directory.add("linda", {})).name == "linda"
    await store.close()
