"""A million accounts in one shard: their rows, a sweep of those that are watched, and logins after a lost node.

The rows are made by PostgreSQL itself: an account, its INBOX and its entry in the directory each. There is no mail:
what is tried is whether the number of accounts costs anything where it must not.
"""

from __future__ import annotations

import asyncio
import json
import time
from hashlib import md5
from random import Random
from typing import Final

from mektup.store.postgres import open_store
from mektup.store.postgres.shard import Shard
from mektup.store.postgres.sweep import Sweep
from mektup.store.watch import WatchHub
from mektup.terms.numbers import AccountId, MailboxId, ModSeq
from reliability.cluster.servers import PostgresServer, servers

WATCHED: Final = 100_000
CHANGED: Final = 1_000
LOGINS: Final = 20_000
AT_ONCE: Final = 2_000
"""How many clients wait for their login at a time; the others wait to connect."""

ID: Final = "md5('account ' || n)::uuid"
FILL: Final = (
    f"INSERT INTO accounts (account, name, modseq, uidvalidity, mailbox, mailboxes) "
    f"SELECT {ID}, 'user' || n, 1, 1, 1, 1 FROM generate_series(1, %d) AS n",
    f"INSERT INTO mailboxes (account, id, name, uidvalidity, highestmodseq, mailboxid) "
    f"SELECT {ID}, 1, 'INBOX', 1, 1, 'F' || n FROM generate_series(1, %d) AS n",
    f"INSERT INTO entries (id, name, folded, secrets, shard) "
    f"SELECT {ID}, 'user' || n, 'user' || n, %%s, 'a' FROM generate_series(1, %d) AS n",
)
SECRETS: Final = json.dumps({"password": "{ARGON2ID}" + "x" * 97})


async def simulate(count: int, seed: int) -> list[str]:
    """Fills a new PostgreSQL with *count* accounts, and returns the lines of the table."""
    with servers(1) as (server,):
        await asyncio.to_thread(server.make)
        store = await open_store(server.dsn, {"a": server.dsn})
        lines = [await asyncio.to_thread(_fill, server, count)]
        shard = Shard("a", server.dsn)
        await shard.open()
        lines += await _sweeps(shard, server, count, seed)
        lines += await _logins(store, count, seed)
        await shard.close()
        await store.close()
        return lines


def _fill(server: PostgresServer, count: int) -> str:
    began = time.monotonic()
    for statement in FILL:
        server.ask((statement % count).replace("%s", f"'{SECRETS}'"))
    server.ask("VACUUM ANALYZE")
    took = time.monotonic() - began
    sizes = ", ".join(
        f"{table} {server.ask(f'SELECT pg_total_relation_size($${table}$$)')[0][0] / 1e6:.0f} MB"  # type: ignore[operator]
        for table in ("accounts", "mailboxes", "entries")
    )
    return f"{count:,} accounts made in {took:.0f} s: {sizes}"


def account_of(number: int) -> AccountId:
    """The ID that PostgreSQL gave to account *number*."""
    return AccountId(md5(f"account {number}".encode()).hexdigest())


async def _sweeps(shard: Shard, server: PostgresServer, count: int, seed: int) -> list[str]:
    random = Random(seed)
    hub = WatchHub()
    numbers = random.sample(range(1, count + 1), min(WATCHED, count))
    watches = {number: hub.watch(account_of(number), MailboxId(1)) for number in numbers}
    for watch in watches.values():
        watch.knows(ModSeq(1))
    sweep = Sweep(hub, lambda account: shard)
    lines = []
    for name, changed in (("first", 0), ("nothing changed", 0), (f"{CHANGED:,} changed", CHANGED)):
        some = random.sample(numbers, min(changed, len(numbers)))
        if some:
            ids = ", ".join(f"'{account_of(number)}'" for number in some)
            server.ask(f"UPDATE accounts SET modseq = 2 WHERE account IN ({ids})")
            server.ask(f"UPDATE mailboxes SET highestmodseq = 2 WHERE account IN ({ids})")
        wall, own, theirs = time.monotonic(), time.process_time(), server.processor_seconds()
        if not await sweep.sweep():
            raise RuntimeError("a shard did not answer")
        took, mine = time.monotonic() - wall, time.process_time() - own
        lines.append(
            f"sweep of {len(numbers):,} watched, {name}: {took:.1f} s; processor {mine:.2f} s of the node, "
            f"{server.processor_seconds() - theirs:.2f} s of PostgreSQL"
        )
        fired = {number for number, watch in watches.items() if watch.fired}
        if fired != set(some):
            raise RuntimeError(f"{len(fired)} watches fired, {len(some)} accounts had changed")
    return lines


async def _logins(store, count: int, seed: int) -> list[str]:
    random = Random(seed)
    gate = asyncio.Semaphore(AT_ONCE)
    loop = asyncio.get_running_loop()
    waits: list[float] = []

    async def login(number: int) -> None:
        began = loop.time()
        async with gate:
            entry = await store.directory.find(f"user{number}")
            assert entry is not None
            account = await store.account(entry)
            await account.select("INBOX", claim_recent=False)
        waits.append(loop.time() - began)

    numbers = random.sample(range(1, count + 1), min(LOGINS, count))
    own, wall = time.process_time(), time.monotonic()
    results = await asyncio.gather(*map(login, numbers), return_exceptions=True)
    took = time.monotonic() - wall
    failed = [result for result in results if result is not None]
    waits.sort()
    if failed:
        raise RuntimeError(f"{len(failed)} logins failed, the first: {failed[0]!r}")
    cost = (time.process_time() - own) / len(numbers) * 1000
    return [
        f"{len(numbers):,} logins at once on one process (entry, account, SELECT INBOX; no password): {took:.1f} s, "
        f"none failed; wait p50 {waits[len(waits) // 2]:.1f} s, longest {waits[-1]:.1f} s; "
        f"{cost:.2f} ms of processor each"
    ]
