"""Looks at a database as a server would use it, and changes nothing; for ``mektup serve --check``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mektup.store.inspected import Inspected, State
from mektup.store.postgres.parts import DIRECTORY, SHARD
from mektup.store.postgres.schema import Part
from mektup.store.postgres.tables import inspections, versions

SECONDS: Final = 5.0
OLDEST_SERVER: Final = 150000
"""PostgreSQL 15, as ``server_version`` of libpq has it."""


_WRITABLE: Final[Mapping[str, Any]] = {"target_session_attrs": "read-write"}


async def inspect(directory: str, shards: Sequence[str]) -> Sequence[Inspected]:
    """Looks at the database of the directory, and at the shards, all at once; within SECONDS."""
    looking = [_inspect(directory, DIRECTORY), *(_inspect(dsn, SHARD) for dsn in shards)]
    return await asyncio.gather(*looking)


async def _inspect(dsn: str, part: Part) -> Inspected:
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.Error:
        # the library's text quotes the string, which may hold a password
        return Inspected(State.WRONG)
    try:
        async with asyncio.timeout(SECONDS):
            options = {} if "target_session_attrs" in given else _WRITABLE
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, **options) as connection:
                return await _look(connection, part)
    except TimeoutError:
        return Inspected(State.DOWN, "it does not answer")
    except psycopg.Error as error:
        return Inspected(State.DOWN, " ".join(str(error).split()) or type(error).__name__)


async def _look(connection: psycopg.AsyncConnection, part: Part) -> Inspected:
    if connection.info.server_version < OLDEST_SERVER:
        return Inspected(State.OLD_SERVER, str(connection.info.server_version // 10000))
    began = time.time()
    row = await (await connection.execute(inspections.SETTINGS)).fetchone()
    assert row is not None
    is_synchronous, moment, is_there = row
    ahead = float(moment) - (began + time.time()) / 2
    found = None
    if is_there:
        found = await (await connection.execute(versions.LOOK, (part.name,))).fetchone()
    state = State.EMPTY if found is None else State.TOO_NEW if found[1] > part.version else State.READY
    return Inspected(state, "", bool(is_synchronous), ahead)
