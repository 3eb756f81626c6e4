"""How many round trips to PostgreSQL each IMAP command costs, counted by a proxy: a budget that may only shrink.

A network adds one distance for each. *cold* is a node that knows nothing of the mailbox but what SELECT told it; *warm*
is the same command again, when nothing has changed. A statement that psycopg sees for the sixth time is prepared, which
costs one more, once a connection; no statement comes so often here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog

from mektup.auth.authenticator import Authenticator
from mektup.imap.session import ImapSession
from mektup.session.services import Services
from mektup.store.interface import Incoming, Store
from mektup.store.postgres import open_store
from mektup.store.prepare import prepare_in_turn
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.sets import NumberSet
from tests.support.dialogue import Dialogue
from tests.support.postgres import OWNER, NewDatabase, Postgres
from tests.support.postgres_proxy import PostgresProxy, before_postgres

LIMITS = Limits(login_delay_seconds=0.001, text_index=False)
MESSAGES = 600
"""More than two blocks."""

RAW = b"Subject: number %d\r\nFrom: a@example.org\r\nDate: Mon, 7 Feb 2022 21:52:25 -0800\r\n\r\nword %d\r\n"


@pytest.fixture
async def proxy(postgres: Postgres) -> AsyncIterator[PostgresProxy]:
    async with before_postgres(postgres.folder) as proxy:
        yield proxy


@pytest.fixture
async def database(new_database: NewDatabase) -> str:
    """A database with linda's mail, folded into blocks; returns its name."""
    dsn = new_database()
    store = await open_store(dsn, {"a": dsn}, limits=LIMITS)
    account = await store.account(await store.directory.add("linda", {"password": "{PLAIN}Pa$$123"}))
    inbox = await account.target("INBOX")
    arrivals = [Incoming(await prepare_in_turn(RAW % (number, number))) for number in range(MESSAGES)]
    await account.append(inbox, arrivals)
    await account.store_flags(inbox, NumberSet.span(1, MESSAGES - 1), FlagChange.ADD, frozenset({"\\Seen"}))
    await store.close()
    return dsn.rpartition("dbname=")[2]


@asynccontextmanager
async def node(proxy: PostgresProxy, database: str) -> AsyncIterator[Store]:
    """A node that knows nothing."""
    dsn = proxy.dsn(OWNER, database)
    store = await open_store(dsn, {"a": dsn}, limits=LIMITS, connections=1)
    yield store
    await store.close()


def services(store: Store) -> Services:
    log = structlog.wrap_logger(
        structlog.ReturnLogger(), processors=[], wrapper_class=structlog.make_filtering_bound_logger(50)
    )
    return Services(store, Authenticator(store.directory, LIMITS), LIMITS, log, "s1", hostname="mx.example.org")


BUDGET: dict[str, tuple[int, int]] = {
    "NOOP": (1, 1),
    "FETCH 1:* FLAGS": (3, 1),
    "FETCH 1:* (UID FLAGS)": (3, 1),
    "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)": (4, 1),
    "UID FETCH 7 BODY.PEEK[]": (3, 1),
    "UID FETCH 7 BODY.PEEK[HEADER]": (3, 1),
    "UID STORE 7 +FLAGS (\\Flagged)": (3, 1),
    "UID STORE 1:* +FLAGS (\\Flagged)": (4, 2),
    "UID COPY 7 Archive": (3, 1),
    "UID MOVE 7 Archive": (3, 2),
    "UID EXPUNGE 7": (2, 1),
    "STATUS Archive (MESSAGES UNSEEN)": (2, 1),
    'LIST "" * RETURN (STATUS (MESSAGES UNSEEN))': (4, 3),
}
"""Cold and warm. The first command after SELECT looks for changes as well, which is one of the cold ones."""


async def trips_of(dialogue: Dialogue, proxy: PostgresProxy, tag: bytes, command: str) -> list[str]:
    proxy.trips.clear()
    dialogue.send(tag + b" " + command.encode() + b"\r\n")
    await dialogue.until(tag + b" ")
    assert (await dialogue.until(b"\r\n")).startswith(b"OK")
    return [str(trip) for trip in proxy.trips]


@pytest.mark.parametrize("command", BUDGET)
async def test_a_command_in_a_mailbox(command: str, proxy: PostgresProxy, database: str) -> None:
    cold, warm = BUDGET[command]
    async with node(proxy, database) as store, Dialogue(ImapSession, services(store)) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
        await dialogue.until(b"] Opened\r\n")
        first = await trips_of(dialogue, proxy, b"c1", command)
        again = await trips_of(dialogue, proxy, b"c2", command.replace("7", "8").replace("Flagged", "Answered"))
    assert len(first) <= cold, first
    assert len(again) <= warm, again
