"""One PostgreSQL database: its connections, and the ways to ask it.

A read is one statement, or a pipeline of some, so it is one round trip. A hot write is the call of one function, which
is a transaction. A rare write is a plain transaction. Reads are asked again while the database cannot be reached, up
to ``patience`` seconds. So are calls whose transaction was undone. Where the answer of a write is lost, its fate is not
known, and the caller says what to do (see ``LostAnswer``).

After any error that is not one of our own functions' the connection is closed, and the pool makes another one. A read
that is cancelled is cancelled in the server as well, and its connection goes back to the pool.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, TypeVar

import psycopg
from psycopg.abc import AdaptContext
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper
from psycopg_pool import AsyncConnectionPool, PoolClosed

from mektup.store import texts
from mektup.store.faults import Fault, FaultRefused
from mektup.store.postgres import schema
from mektup.store.postgres.change import Change, Params, Row
from mektup.store.postgres.failures import (
    AGAIN,
    NOT_CONNECTED,
    StateChanged,
    fault_of,
    is_elsewhere,
    is_lost,
    refusal_of_function,
    refused_for,
)
from mektup.store.postgres.held_moment import HeldMoment
from mektup.store.postgres.tables import transactions
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import AccountId

T = TypeVar("T")
Connection = psycopg.AsyncConnection[Row]
AskMoment = Callable[[str, Params], Awaitable[list[Row]]]
"""Asks one statement that only reads."""

PATIENCE: Final = 20.0
"""How many seconds a command waits for a database that cannot be reached."""
CONNECTIONS: Final = 4
"""The most connections of a process to a database."""
TRIES: Final = 5
"""How often a call is made whose transaction was undone because of others."""
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
"""Seconds between two tries to reach a database."""
SETTINGS: Final = {
    "connect_timeout": "3",
    "keepalives_idle": "5",
    "tcp_user_timeout": "10000",
    "application_name": "mektup",
}
"""Without a timeout, a host that vanishes would hang its sessions for a quarter of an hour."""


class LostAnswer(Exception):
    """The answer of a write was lost: it was done, or not."""

    def __init__(self, refused: FaultRefused) -> None:
        super().__init__(refused)
        self.refused = refused
        """What to raise where it cannot be found out."""


class Shard:
    """A database that is asked by any number of tasks."""

    def __init__(
        self,
        name: str,
        dsn: str,
        *,
        most: int = CONNECTIONS,
        patience: float = PATIENCE,
        faulty: Callable[[Fault], None] | None = None,
    ) -> None:
        """*name* is for logs. *faulty* gets each fault once a command, for the operator."""
        self.name = name
        self.dsn = dsn
        self._conninfo = psycopg.conninfo.make_conninfo(dsn, **_settings(dsn))
        self._patience = patience
        self._faulty = faulty
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self._conninfo,
            connection_class=psycopg.AsyncConnection[Row],
            kwargs={"autocommit": True},
            min_size=1,
            max_size=most,
            open=False,
            name=name,
            configure=_configure,
            timeout=patience,
        )

    async def open(self, *parts: schema.Part) -> None:
        """Connects, and makes what *parts* need. Raises Refused(UNAVAILABLE)."""
        await self._pool.open()
        for part in parts:
            await self._patiently(partial(schema.prepare, part=part), is_read=True)

    async def close(self) -> None:
        """Closes all connections; may be called twice."""
        await self._pool.close(timeout=2.0)

    # Reads

    async def ask(self, statement: str, parameters: Params = ()) -> list[Row]:
        """The rows of one statement that only reads, or that may be done twice. Raises Refused(UNAVAILABLE)."""

        async def asking(connection: Connection) -> list[Row]:
            cursor = connection.cursor(binary=True)
            await cursor.execute(statement.encode(), parameters)
            return await cursor.fetchall() if cursor.description else []

        return await self._patiently(asking, is_read=True)

    async def ask_all(self, questions: Sequence[tuple[str, Params]]) -> list[list[Row]]:
        """The rows of each of *questions*, in one round trip. Each is answered as of a moment of its own."""
        if len(questions) == 1:
            return [await self.ask(*questions[0])]

        async def asking(connection: Connection) -> list[list[Row]]:
            async with connection.pipeline():
                cursors = [
                    await connection.cursor(binary=True).execute(statement.encode(), parameters)
                    for statement, parameters in questions
                ]
            return [await cursor.fetchall() for cursor in cursors]

        return await self._patiently(asking, is_read=True)

    async def at_one_moment(self, read: Callable[[AskMoment], Awaitable[T]]) -> T:
        """The result of *read*, whose questions are all answered as of one moment. For reads that are rare."""

        async def reading(connection: Connection) -> T:
            async def ask(statement: str, parameters: Params) -> list[Row]:
                cursor = connection.cursor(binary=True)
                await cursor.execute(statement.encode(), parameters)
                return await cursor.fetchall()

            async with connection.transaction():
                await connection.execute(transactions.OF_ONE_MOMENT)
                return await read(ask)

        return await self._patiently(reading, is_read=True)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[HeldMoment]:
        """The database at one moment, on a connection of its own. Raises Refused(UNAVAILABLE)."""
        try:
            connection = await psycopg.AsyncConnection[Row].connect(self._conninfo, autocommit=True)
        except psycopg.Error as error:
            raise self._refused(error) from error
        await _configure(connection)
        held = HeldMoment(connection, self._refused)
        try:
            await held.begin()
            # the moment of a transaction begins with its first question
            await held.ask(transactions.ONE, ())
            yield held
        finally:
            await held.let_go()

    def _refused(self, error: psycopg.Error) -> Exception:
        """What to raise for an error of a read that is not tried again."""
        fault = fault_of(error, self.name)
        if fault is None:
            return error  # a bug of ours
        self._tell(fault)
        return refused_for(fault, is_uncertain=False)

    # Writes

    async def call(self, statement: str, parameters: Params) -> list[Row]:
        """The rows of a statement that calls a function of ``tables``, which writes. One transaction.

        Raises Refused, StateChanged (nothing was changed), and LostAnswer.
        """

        async def calling(connection: Connection) -> list[Row]:
            cursor = connection.cursor(binary=True)
            await cursor.execute(statement.encode(), parameters)
            return await cursor.fetchall()

        return await asyncio.shield(asyncio.ensure_future(self._patiently(calling, is_read=False)))

    async def change(
        self, account: AccountId, moment: int, make: Callable[[Change], Awaitable[T]], *, keeps_expunged: bool = False
    ) -> tuple[T, Change]:
        """The result of *make* in a transaction that has locked *account*, and the transaction after its commit.

        *make* may be called again. Raises as ``call``, and what *make* raises; then nothing was changed.
        """

        async def changing(connection: Connection) -> tuple[T, Change]:
            async with connection.transaction():
                change = Change(connection, account, moment, keeps_expunged=keeps_expunged)
                await change.lock()
                return await make(change), change

        return await asyncio.shield(asyncio.ensure_future(self._patiently(changing, is_read=False)))

    async def transaction(self, make: Callable[[Connection], Awaitable[T]]) -> T:
        """The result of *make* in a transaction that locks no account; for the directory. Raises as ``change``."""

        async def changing(connection: Connection) -> T:
            async with connection.transaction():
                return await make(connection)

        return await asyncio.shield(asyncio.ensure_future(self._patiently(changing, is_read=False)))

    # What all of them share

    async def _patiently(self, ask: Callable[[Connection], Awaitable[T]], *, is_read: bool) -> T:
        """The result of *ask* with a connection, asked again where that is right."""
        ends = time.monotonic() + self._patience
        pause = FIRST_PAUSE
        undone = 0
        while True:
            try:
                async with self._connection(ends) as connection:
                    return await ask(connection)
            except psycopg.Error as error:
                refused = refusal_of_function(error)
                if refused is not None:
                    raise refused from error
                if error.sqlstate in AGAIN and undone < TRIES:
                    undone += 1
                    await asyncio.sleep(random.uniform(0, 0.01 * undone))
                    continue
                if isinstance(error, PoolClosed):
                    raise Refused(Code.UNAVAILABLE, texts.STOPPING) from error
                fault = fault_of(error, self.name)
                if fault is None:
                    raise  # a bug of ours
                did_nothing = isinstance(error, NOT_CONNECTED) or is_elsewhere(error)
                if not is_read and is_lost(error) and not did_nothing:
                    self._tell(fault)
                    raise LostAnswer(refused_for(fault, is_uncertain=True)) from error
                if not (did_nothing or is_lost(error)) or time.monotonic() + pause > ends:
                    self._tell(fault)
                    raise refused_for(fault, is_uncertain=False) from error
            await asyncio.sleep(random.uniform(pause / 2, pause))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _tell(self, fault: Fault) -> None:
        if self._faulty is not None:
            self._faulty(fault)

    @asynccontextmanager
    async def _connection(self, ends: float) -> AsyncIterator[Connection]:
        """A connection; it is closed where the library raised an error that no function of ours did."""
        connection = await self._pool.getconn(timeout=max(0.001, ends - time.monotonic()))
        try:
            yield connection
        except psycopg.Error as error:
            if not _is_told(error):
                with suppress(psycopg.Error):
                    await connection.close()
            raise
        finally:
            await self._pool.putconn(connection)


def _is_told(error: psycopg.Error) -> bool:
    """Whether the server told the error, and goes on."""
    state = error.sqlstate or ""
    return state.startswith("MK") or state in AGAIN


def _settings(dsn: str) -> dict[str, str]:
    """The settings that *dsn* does not give."""
    given = psycopg.conninfo.conninfo_to_dict(dsn)
    return {name: value for name, value in SETTINGS.items() if name not in given}


async def _configure(connection: AdaptContext) -> None:
    # all our integers are bigint, so that each statement is prepared once and finds its functions
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(int, Int8BinaryDumper)


__all__ = ["Change", "Connection", "LostAnswer", "Row", "Shard", "StateChanged"]
