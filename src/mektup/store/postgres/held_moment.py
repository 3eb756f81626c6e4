"""A connection of its own that sees a shard as it was at one moment, for a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import psycopg

from mektup.store.postgres.change import Params, Row
from mektup.store.postgres.tables import transactions

T = TypeVar("T")


class HeldMoment:
    """A transaction that only reads, on a connection that nobody else has."""

    def __init__(self, connection: psycopg.AsyncConnection[Row], refused: Callable[[psycopg.Error], Exception]) -> None:
        """*refused* makes what is raised for an error of the connection."""
        self._connection = connection
        self._refused = refused
        self.is_held = True
        """Whether it still sees that moment."""

    async def begin(self) -> None:
        """Begins the moment. Raises Refused."""

        async def beginning() -> None:
            await self._connection.execute(transactions.BEGIN_OF_ONE_MOMENT.encode())

        await self._asking(beginning)

    async def ask(self, statement: str, parameters: Params) -> list[Row]:
        """The rows of a statement that only reads. Raises Refused."""

        async def asking() -> list[Row]:
            cursor = self._connection.cursor(binary=True)
            await cursor.execute(statement.encode(), parameters)
            return await cursor.fetchall()

        return await self._asking(asking)

    async def _asking(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await ask()
        except psycopg.Error as error:
            await self.let_go()
            raise self._refused(error) from error

    async def let_go(self) -> None:
        """Ends the moment; may be called twice."""
        self.is_held = False
        with suppress(psycopg.Error):
            await self._connection.close()
