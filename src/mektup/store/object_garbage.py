"""Removes objects that no message has any more.

An object that was freed stays for a while, because a backup of the database that is put back may name it again: its row
of ``garbage`` says until when. The object is removed first, then the row, so what was interrupted is done again. An
orphan was written for a row that was never committed, because a node was killed; it is found by listing all objects.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Final, NamedTuple, Protocol

from mektup.store.objects import Objects
from mektup.terms.numbers import AccountId

AT_ONCE: Final = 1000
"""Objects that one request removes, the most that S3 allows."""

ORPHAN_SECONDS: Final = 2 * 24 * 3600
"""A younger object may belong to a commit that is still on its way."""


class Freed(NamedTuple):
    """A row of ``garbage`` that is due."""

    account: AccountId
    object: str


class ObjectRows(Protocol):
    """What the database of a shard knows of objects."""

    async def due(self, now: int, most: int) -> Sequence[Freed]:
        """At most *most* rows of ``garbage`` whose time has come."""

    async def forget(self, freed: Sequence[Freed]) -> None:
        """Removes these rows."""

    async def named(self, account: AccountId, names: Sequence[str]) -> Collection[str]:
        """Those of the objects *names* that a message or a row of ``garbage`` of *account* names."""


async def remove_due(objects: Objects, rows: ObjectRows, now: int) -> int:
    """Removes the objects that are due at *now*, in seconds since 1970; returns how many. Raises Refused."""
    removed = 0
    while freed := await rows.due(now, AT_ONCE):
        await objects.delete([each.object for each in freed])
        await rows.forget(freed)
        removed += len(freed)
        if len(freed) < AT_ONCE:
            break
    return removed


async def remove_orphans(objects: Objects, rows: ObjectRows, shard: str, now: int) -> int:
    """Removes the objects of *shard* that no row names and that are old enough; returns how many. Raises Refused.

    It must not run on a copy of a shard: what was written since the copy was made belongs to the shard itself.
    """
    removed = 0
    async for listed in objects.listed(shard):
        old = [each.name for each in listed if each.modified + ORPHAN_SECONDS <= now and each.name.count("/") == 2]
        for account, names in groupby(old, _account_of):
            mine = list(names)
            orphans = sorted(set(mine).difference(await rows.named(account, mine)))
            if orphans:
                await objects.delete(orphans)
                removed += len(orphans)
    return removed


def _account_of(name: str) -> AccountId:
    return AccountId(name.split("/")[1])
