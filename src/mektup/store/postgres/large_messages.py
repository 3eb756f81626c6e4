"""The messages of a shard that are too large for its rows: their octets are in the object store, if there is one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Final

from mektup.store.arrival import Arrival
from mektup.store.objects import Objects, Placed
from mektup.store.postgres.message_calls import KEPT_OBJECT_SECONDS
from mektup.terms.errors import Refused
from mektup.terms.limits import KIB
from mektup.terms.numbers import AccountId

INLINE_BYTES: Final = 64 * KIB
"""A message of more octets is an object."""


class LargeMessages:
    """Where a node puts the octets of large messages."""

    def __init__(
        self, objects: Objects | None = None, inline_bytes: int = INLINE_BYTES, kept: float = KEPT_OBJECT_SECONDS
    ) -> None:
        self.objects = objects
        self.kept = kept
        """How many seconds an object stays that no message has any more."""
        self._inline_bytes = inline_bytes
        self._removing: set[asyncio.Task[None]] = set()

    async def place(self, shard: str, account: AccountId, arrivals: Sequence[Arrival]) -> list[Placed | None]:
        """Writes the large ones of *arrivals*, before they are committed; None for the others.

        Raises FaultRefused(UNAVAILABLE); then none is left.
        """
        placed: list[Placed | None] = []
        try:
            for arrival in arrivals:
                large = self.objects is not None and arrival.size > self._inline_bytes
                placed.append(await self.objects.put(shard, account, arrival.raw) if large and self.objects else None)
        except Refused:
            self.not_committed(placed)
            raise
        return placed

    def not_committed(self, placed: Sequence[Placed | None]) -> None:
        """Removes, behind the answer, what no row names. Only where this is certain."""
        names = [each.name for each in placed if each is not None]
        if names:
            task = asyncio.create_task(self._remove(names))
            self._removing.add(task)
            task.add_done_callback(self._removing.discard)

    async def _remove(self, names: Sequence[str]) -> None:
        assert self.objects is not None
        with suppress(Refused):  # the search for orphans finds them later
            await self.objects.delete(names)

    def read(self, placed: Placed, size: int, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """See ``Objects.read``."""
        assert self.objects is not None, "an object store is configured where there are objects"
        return self.objects.read(placed, size, start, stop)

    async def close(self) -> None:
        """Waits for what is being removed."""
        if self._removing:
            await asyncio.wait(tuple(self._removing))
