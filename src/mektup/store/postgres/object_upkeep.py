"""Removes the objects of a shard that nobody needs: those that are due each hour, and orphans each week.

One node does it: the row of ``work`` is both who does it and when it is due again. A node that is killed in the middle
loses nothing, as all of it can be done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final
from uuid import uuid4

from mektup.store.object_garbage import Freed, remove_due, remove_orphans
from mektup.store.objects import Objects
from mektup.store.postgres.message_calls import KEPT_OBJECT_SECONDS
from mektup.store.postgres.shard import LostAnswer, Shard
from mektup.store.postgres.tables import objects as tables
from mektup.store.postgres.values import account_id, storable_ids
from mektup.terms.errors import Refused
from mektup.terms.numbers import AccountId

LOOK_SECONDS: Final = 15 * 60.0
"""How often a node looks whether there is work to take."""

DUE_SECONDS: Final = 3600
ORPHANS_SECONDS: Final = 7 * 24 * 3600

NOBODY: Final = "00000000000000000000000000000000"
"""In place of an account, where the work is of the whole shard."""


class PostgresObjectRows:
    """The ``object_garbage.ObjectRows`` of a shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def due(self, now: int, most: int) -> Sequence[Freed]:
        """See ``ObjectRows``, also for the other methods."""
        return [Freed(account_id(account), name) for account, name in await self._shard.ask(tables.DUE, (now, most))]

    async def forget(self, freed: Sequence[Freed]) -> None:
        await self._shard.ask(tables.FORGET, ([each.account for each in freed], [each.object for each in freed]))

    async def named(self, account: AccountId, names: Sequence[str]) -> Collection[str]:
        if not storable_ids((account,)):
            return names  # it is not ours, so it stays
        found = await self._shard.ask(tables.NAMED, {"account": account, "names": list(names)})
        return {name for (name,) in found}


class ObjectUpkeep:
    """The work of a node."""

    def __init__(
        self,
        objects: Objects,
        shards: Mapping[str, Shard],
        clock: Callable[[], float],
        kept: float = KEPT_OBJECT_SECONDS,
    ) -> None:
        """*kept*: how many seconds an object stays. The rows say when it is due after KEPT_OBJECT_SECONDS."""
        self._objects, self._shards, self._clock = objects, shards, clock
        self._sooner = int(KEPT_OBJECT_SECONDS - kept)
        self._owner = uuid4()
        self._task: asyncio.Task[None] | None = None
        self.removed = 0
        """Objects that this node has removed."""

    def start(self) -> None:
        """Begins, in the background."""
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            for name in self._shards:
                with suppress(Refused, LostAnswer):  # the fault was reported; the work waits
                    await self.look_after(name)
            await asyncio.sleep(LOOK_SECONDS)

    async def look_after(self, name: str) -> None:
        """Does what is due on the shard *name*, if this node gets it. Raises Refused and LostAnswer."""
        shard = self._shards[name]
        rows, now = PostgresObjectRows(shard), int(self._clock())
        if await self._takes(shard, "garbage", now, DUE_SECONDS):
            self.removed += await remove_due(self._objects, rows, now + self._sooner)
        if await self._takes(shard, "orphans", now, ORPHANS_SECONDS):
            self.removed += await remove_orphans(self._objects, rows, name, now)

    async def _takes(self, shard: Shard, kind: str, now: int, seconds: int) -> bool:
        parameters = {"nobody": NOBODY, "kind": kind, "owner": self._owner, "until": now + seconds, "now": now}
        return bool(await shard.call(tables.TAKE, parameters))

    async def close(self) -> None:
        """Ends it, even in the middle."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
