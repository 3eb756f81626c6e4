"""Objects that no message has are removed: in time, never too early, and again after an interruption."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from mektup.store import object_garbage
from mektup.store.faults import Fault
from mektup.store.object_garbage import ORPHAN_SECONDS, Freed, remove_due, remove_orphans
from mektup.store.objects import Objects, open_objects
from mektup.terms.numbers import AccountId
from tests.support.object_store import ObjectStore

ONE, OTHER = AccountId("1" * 32), AccountId("2" * 32)


class Rows:
    """What a database would know of objects."""

    def __init__(self) -> None:
        self.garbage: dict[Freed, int] = {}
        """When each is due."""
        self.kept: set[str] = set()
        self.fails = False

    async def due(self, now: int, most: int) -> Sequence[Freed]:
        return [freed for freed, due in self.garbage.items() if due <= now][:most]

    async def forget(self, freed: Sequence[Freed]) -> None:
        if self.fails:
            raise ConnectionError
        for each in freed:
            del self.garbage[each]

    async def named(self, account: AccountId, names: Sequence[str]) -> Collection[str]:
        assert all(name.split("/")[1] == account for name in names)
        return self.kept.union(freed.object for freed in self.garbage).intersection(names)


class Untold:
    def happened(self, fault: Fault) -> None:
        raise AssertionError(fault)


@pytest.fixture
def objects(object_store: ObjectStore, prefix: str) -> Objects:
    return open_objects(object_store.url(prefix), Untold())


async def there(objects: Objects) -> set[str]:
    return {each.name for shard in ("a", "b") async for listed in objects.listed(shard) for each in listed}


async def put(objects: Objects, count: int, account: AccountId = ONE, shard: str = "a") -> list[str]:
    return [(await objects.put(shard, account, b"octets")).name for _ in range(count)]


async def now(objects: Objects) -> int:
    """The time of the object store."""
    name = (await put(objects, 1, shard="clock"))[0]
    return next(
        each.modified for listed in [x async for x in objects.listed("clock")] for each in listed if each.name == name
    )


async def test_due_objects_are_removed_and_others_stay(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_garbage, "AT_ONCE", 2)
    kept, early, due = await put(objects, 2), await put(objects, 2), await put(objects, 5)
    rows = Rows()
    rows.garbage = {Freed(ONE, name): 100 for name in due} | {Freed(ONE, name): 101 for name in early}
    assert await remove_due(objects, rows, 100) == 5
    assert await there(objects) == {*kept, *early}
    assert set(rows.garbage) == {Freed(ONE, name) for name in early}
    assert await remove_due(objects, rows, 100) == 0


async def test_an_interruption_leaves_no_object_without_its_row(objects: Objects) -> None:
    names = await put(objects, 3)
    rows = Rows()
    rows.garbage = {Freed(ONE, name): 1 for name in names}
    rows.fails = True
    with pytest.raises(ConnectionError):
        await remove_due(objects, rows, 1)
    assert len(rows.garbage) == 3
    rows.fails = False
    assert await remove_due(objects, rows, 1) == 3
    assert not rows.garbage
    assert await there(objects) == set()


async def test_orphans_are_removed_when_they_are_old(objects: Objects) -> None:
    named, freed = await put(objects, 2), await put(objects, 1, OTHER)
    orphans = [*await put(objects, 2), *await put(objects, 2, OTHER)]
    elsewhere = await put(objects, 1, shard="b")
    rows = Rows()
    rows.kept, rows.garbage = set(named), {Freed(OTHER, freed[0]): 10**10}
    at = await now(objects)
    assert await remove_orphans(objects, rows, "a", at + ORPHAN_SECONDS - 60) == 0
    assert await there(objects) == {*named, *freed, *orphans, *elsewhere}
    assert await remove_orphans(objects, rows, "a", at + ORPHAN_SECONDS + 60) == 4
    assert await there(objects) == {*named, *freed, *elsewhere}


async def test_what_is_not_ours_stays(objects: Objects, object_store: ObjectStore, prefix: str) -> None:
    for name in ("a/notes.txt", "a/x/y/z"):
        object_store.store(prefix).put(name, b"somebody else's")
    assert await remove_orphans(objects, Rows(), "a", await now(objects) + 2 * ORPHAN_SECONDS) == 0
    assert await there(objects) == {"a/notes.txt", "a/x/y/z"}
