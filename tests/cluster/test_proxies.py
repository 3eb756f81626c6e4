"""The proxies that tests put before PostgreSQL count and drop what they say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg.rows import scalar_row

from tests.support.postgres import OWNER, NewDatabase, Postgres
from tests.support.postgres_proxy import PostgresProxy, before_postgres


@pytest.fixture
async def proxy(postgres: Postgres) -> AsyncIterator[PostgresProxy]:
    async with before_postgres(postgres.folder) as proxy:
        yield proxy


@pytest.fixture
def database(new_database: NewDatabase) -> str:
    with psycopg.connect(new_database()) as connection:
        connection.execute("CREATE TABLE given (n int)")
        return connection.info.dbname


@pytest.fixture
async def connection(proxy: PostgresProxy, database: str) -> AsyncIterator[psycopg.AsyncConnection[tuple[int]]]:
    connected = await psycopg.AsyncConnection[tuple[int]].connect(proxy.dsn(OWNER, database), autocommit=True)
    yield connected
    await connected.close()


async def numbers(database: str, postgres: Postgres) -> list[int]:
    async with await psycopg.AsyncConnection.connect(postgres.dsn(database), row_factory=scalar_row) as direct:
        return await (await direct.execute("SELECT n FROM given ORDER BY n")).fetchall()


Connection = psycopg.AsyncConnection[tuple[int]]


async def test_a_login_counts_for_nothing(connection: Connection, proxy: PostgresProxy) -> None:
    assert proxy.trips == []


async def test_a_statement_is_a_round_trip(connection: Connection, proxy: PostgresProxy) -> None:
    await connection.execute("SELECT 1")
    await connection.execute("SELECT %s::int", (2,))
    assert [str(trip) for trip in proxy.trips] == ["SELECT 1", "SELECT $1::int"]


async def test_a_prepared_statement_is_known_by_its_text(connection: Connection, proxy: PostgresProxy) -> None:
    """psycopg prepares it first, which is a round trip where it is not in a pipeline."""
    for number in range(3):
        await connection.execute("SELECT %s::int", (number,), prepare=True)
    assert [str(trip) for trip in proxy.trips] == ["(nothing)", *["SELECT $1::int"] * 3]


async def test_a_pipeline_is_a_round_trip(connection: Connection, proxy: PostgresProxy) -> None:
    async with connection.pipeline():
        cursors = [await connection.execute("SELECT %s::int", (number,), prepare=True) for number in range(3)]
    assert [await cursor.fetchone() for cursor in cursors] == [(0,), (1,), (2,)]
    assert [str(trip) for trip in proxy.trips] == ["SELECT $1::int; SELECT $1::int; SELECT $1::int"]


async def test_waiting_in_a_pipeline_is_a_round_trip_more(connection: Connection, proxy: PostgresProxy) -> None:
    async with connection.pipeline():
        first = await connection.execute("SELECT 1")
        assert await first.fetchone() == (1,)
        await connection.execute("SELECT 2")
    assert len(proxy.trips) == 2


async def test_a_transaction_costs_what_it_costs(connection: Connection, proxy: PostgresProxy) -> None:
    async with connection.transaction():
        await connection.execute("INSERT INTO given VALUES (1)")
    assert [str(trip) for trip in proxy.trips] == ["BEGIN", "INSERT INTO given VALUES (1)", "COMMIT"]


async def test_rows_that_are_copied_in_are_a_round_trip(connection: Connection, proxy: PostgresProxy) -> None:
    async with connection.cursor().copy("COPY given FROM STDIN") as copy:
        for number in range(10):
            await copy.write_row((number,))
    assert [str(trip) for trip in proxy.trips] == ["COPY given FROM STDIN", "(rows)"]


async def test_a_large_answer_passes_whole(connection: Connection, proxy: PostgresProxy) -> None:
    cursor = await connection.execute("SELECT repeat('x', 20000000)")
    row = await cursor.fetchone()
    assert row is not None
    assert len(str(row[0])) == 20_000_000
    assert len(proxy.trips) == 1


async def test_a_dropped_answer_comes_after_the_commit(
    connection: Connection, proxy: PostgresProxy, postgres: Postgres, database: str
) -> None:
    proxy.drop_answer(lambda statement: statement.startswith("INSERT"))
    await connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        await connection.execute("INSERT INTO given VALUES (%s)", (7,))
    assert await numbers(database, postgres) == [7]
    assert proxy.dropped == ["INSERT INTO given VALUES ($1)"]


async def test_a_dropped_question_never_comes(
    connection: Connection, proxy: PostgresProxy, postgres: Postgres, database: str
) -> None:
    proxy.drop_question(lambda statement: statement.startswith("INSERT"))
    with pytest.raises(psycopg.OperationalError):
        await connection.execute("INSERT INTO given VALUES (7)")
    assert await numbers(database, postgres) == []


async def test_only_one_answer_is_dropped(proxy: PostgresProxy, postgres: Postgres, database: str) -> None:
    proxy.drop_answer(lambda statement: True)
    for number in range(3):
        try:
            async with await psycopg.AsyncConnection.connect(proxy.dsn(OWNER, database), autocommit=True) as each:
                await each.execute("INSERT INTO given VALUES (%s)", (number,))
        except psycopg.OperationalError:
            assert number == 0
    assert await numbers(database, postgres) == [0, 1, 2]


async def test_what_is_swallowed_comes_later(connection: Connection, proxy: PostgresProxy) -> None:
    proxy.swallow()
    asked = asyncio.ensure_future(connection.execute("SELECT 1"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asked), 0.1)
    proxy.let_pass()
    assert await (await asked).fetchone() == (1,)


async def test_a_cut_connection_is_an_error_and_a_refusing_server_too(
    connection: Connection, proxy: PostgresProxy, database: str
) -> None:
    await proxy.cut()
    with pytest.raises(psycopg.OperationalError):
        await connection.execute("SELECT 1")
    await proxy.refuse()
    with pytest.raises(psycopg.OperationalError):
        await psycopg.AsyncConnection.connect(proxy.dsn(OWNER, database))
    await proxy.start()
    await (await psycopg.AsyncConnection.connect(proxy.dsn(OWNER, database))).close()


async def test_a_query_is_cancelled_through_it(connection: Connection) -> None:
    asked = asyncio.ensure_future(connection.execute("SELECT pg_sleep(30)"))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(asked, 0.2)
    cursor = await connection.execute("SELECT 5")
    assert await cursor.fetchone() == (5,)
