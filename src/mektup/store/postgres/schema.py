"""Makes the tables and functions of a database, and upgrades them while older nodes still use it.

Two versions run at once: a new version only adds tables, indexes and columns with defaults, and ``oldest_reader`` says
which versions can still use the result. Functions have their version in their names, so a node makes those that it
calls, and leaves the others. A version alters only one table that exists: with two, the transaction would wait for one
while it keeps writers from the other, and deadlock with them. All of this happens while the row of the part is locked,
so nodes that start together follow one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b

import psycopg

from mektup.store import texts
from mektup.store.postgres.tables import versions
from mektup.terms.errors import Code, Refused


@dataclass(frozen=True, slots=True)
class Part:
    """What stands in a database: a shard's tables, or the directory's."""

    name: str
    versions: Sequence[Sequence[str]]
    """The statements that make each version from the one before."""
    oldest_reader: int
    functions: Sequence[str]

    @property
    def version(self) -> int:
        """The version that this mektup makes."""
        return len(self.versions)

    @property
    def digest(self) -> str:
        """Tells whether the functions are those of this part."""
        return blake2b("\0".join(self.functions).encode(), digest_size=16).hexdigest()


async def prepare(connection: psycopg.AsyncConnection, part: Part) -> None:
    """Makes what *part* needs, where it is not there. Raises Refused(UNAVAILABLE) for tables that are too new."""
    if await _is_ready(connection, part):
        return
    # another node may be doing the same, and IF NOT EXISTS does not wait for it
    with suppress(psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable):
        await connection.execute(versions.CREATE)
    async with connection.transaction():
        await connection.execute(versions.BEGIN_PART, (part.name,))
        version, oldest_reader, functions = await _row(connection, versions.LOCK, part)
        _require_usable(part, oldest_reader)
        for statements in part.versions[version:]:
            for statement in statements:
                await connection.execute(statement.encode())
        if version < part.version:
            await connection.execute(versions.SET_VERSION, (part.version, part.oldest_reader, part.name))
        if functions != part.digest:
            for function in part.functions:
                await connection.execute(function.encode())
            await connection.execute(versions.SET_FUNCTIONS, (part.digest, part.name))


async def _is_ready(connection: psycopg.AsyncConnection, part: Part) -> bool:
    there = await (await connection.execute(versions.IS_THERE)).fetchone()
    if there is None or not there[0]:
        return False
    row = await (await connection.execute(versions.LOOK, (part.name,))).fetchone()
    if row is None:
        return False
    version, oldest_reader, functions = row
    _require_usable(part, oldest_reader)
    return bool(version >= part.version and functions == part.digest)


async def _row(connection: psycopg.AsyncConnection, statement: str, part: Part) -> tuple[int, int, str]:
    row = await (await connection.execute(statement.encode(), (part.name,))).fetchone()
    assert row is not None, "the row was made before"
    version, oldest_reader, functions = row
    return version, oldest_reader, functions


def _require_usable(part: Part, oldest_reader: int) -> None:
    if oldest_reader > part.version:
        raise Refused(Code.UNAVAILABLE, texts.SCHEMA_TOO_NEW.of(oldest=oldest_reader, known=part.version))
