"""The trials: each lets one thing fail under writers, and looks afterwards."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from mektup.store.postgres.parts import SHARD
from mektup.store.postgres.schema import Part
from mektup.store.postgres.shard import Shard
from reliability.cluster.node import WRITERS, replay
from reliability.cluster.scene import Outcome, opened, played
from reliability.cluster.servers import DATABASE, PostgresServer, any_of, servers
from tests.support.postgres import OWNER
from tests.support.postgres_proxy import PostgresProxy, to_socket

Trial = Callable[[int, int], Awaitable[Outcome]]
"""Takes a seed and a size: about how many changes are to be acknowledged before, during and after the fault."""


async def killed_and_started(seed: int, size: int) -> Outcome:
    """PostgreSQL and all its processes are killed with -9, and started again in place."""
    with servers(1) as (server,):
        await asyncio.to_thread(server.make)
        async with played(server.dsn, server.dsn, seed) as scene:
            await scene.start()
            await scene.until(size)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(1.0)
            await asyncio.to_thread(server.start)
            await scene.until(size)
            await scene.stop()
            fresh = await opened(server.dsn)
            outcome = await scene.outcome("PostgreSQL killed with -9, started again", fresh)
            await fresh.close()
            return outcome


async def promoted(seed: int, size: int) -> Outcome:
    """The primary is killed with -9, and its synchronous standby is promoted."""
    with servers(2) as (primary, standby):
        await asyncio.to_thread(primary.make)
        await asyncio.to_thread(standby.copy_of, primary)
        primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.ask("SELECT pg_reload_conf()")
        standby.ask("ALTER SYSTEM SET synchronous_standby_names = ''")
        dsn = any_of(primary, standby)
        async with played(dsn, dsn, seed) as scene:
            await scene.start()
            await scene.until(size)
            await asyncio.to_thread(primary.kill)
            began = time.monotonic()
            await asyncio.sleep(1.0)
            standby.ask("SELECT pg_reload_conf()", database="postgres")
            await asyncio.to_thread(standby.promote)
            took = time.monotonic() - began
            await scene.until(size)
            await scene.stop()
            fresh = await opened(dsn)
            outcome = await scene.outcome("standby promoted under 32 writers", fresh)
            outcome.more = f"promoted {took:.1f} s after the kill"
            await fresh.close()
            return outcome


def is_write(statement: str) -> bool:
    """Whether a statement that a node sends changes mail."""
    return any(word in statement for word in WRITES)


WRITES: Final = ("begin_1(",)
"""The functions that each write of mail calls."""


async def _with_proxy(name: str, seed: int, size: int, trouble: Callable[[PostgresProxy], Awaitable[str]]) -> Outcome:
    """Lets *trouble* happen to a proxy between the nodes and PostgreSQL."""
    with servers(1) as (server,):
        await asyncio.to_thread(server.make)
        proxy = PostgresProxy(to_socket(server.folder))
        await proxy.start()
        try:
            async with played(server.dsn, proxy.dsn(OWNER, DATABASE), seed) as scene:
                await scene.start()
                await scene.until(size)
                more = await trouble(proxy)
                await scene.until(size)
                await scene.stop()
                fresh = await opened(server.dsn)
                outcome = await scene.outcome(name, fresh)
                outcome.more = more
                await fresh.close()
                return outcome
        finally:
            await proxy.close()


async def answers_dropped(seed: int, size: int) -> Outcome:
    """The answer of one write after the other is cut off, after the commit."""
    return await _with_proxy("answers dropped after the commit", seed, size, partial(_drop, size, answers=True))


async def questions_dropped(seed: int, size: int) -> Outcome:
    """One write after the other is cut off before PostgreSQL hears of it."""
    return await _with_proxy("writes dropped before PostgreSQL", seed, size, partial(_drop, size, answers=False))


async def _drop(size: int, proxy: PostgresProxy, *, answers: bool) -> str:
    count = max(10, size // 5)
    for number in range(count):
        (proxy.drop_answer if answers else proxy.drop_question)(is_write)
        await proxy.dropping(number + 1)
    return f"{count} dropped"


async def swallowed(seed: int, size: int) -> Outcome:
    """Nothing passes between the nodes and PostgreSQL for some seconds, without any error."""

    async def trouble(proxy: PostgresProxy) -> str:
        proxy.swallow()
        await asyncio.sleep(3.0)
        proxy.let_pass()
        return "3 s"

    return await _with_proxy("packets swallowed, then passed on", seed, size, trouble)


async def swallowed_for_good(seed: int, size: int) -> Outcome:
    """Nothing passes any more on the connections of now; new ones work."""

    async def trouble(proxy: PostgresProxy) -> str:
        proxy.swallow()
        await asyncio.sleep(3.0)
        await proxy.cut()
        proxy.let_pass()
        return "3 s, then cut"

    return await _with_proxy("packets swallowed, then cut", seed, size, trouble)


IN_THE_MIDDLE: Final = {"APPEND": "add_1(", "STORE": "note_flags_1(", "MOVE": "false)"}
"""What the statement of each verb has, and no other one."""


async def nodes_killed(seed: int, size: int) -> Outcome:
    """Nodes are killed with -9 in the middle of an APPEND, a STORE and a MOVE, in turn."""
    count = max(6, size // 10)
    with servers(1) as (server,), tempfile.TemporaryDirectory() as folder:
        await asyncio.to_thread(server.make)
        proxy = PostgresProxy(to_socket(server.folder))
        await proxy.start()
        try:
            async with played(server.dsn, server.dsn, seed, nodes=1) as scene:
                await scene.start(writers=4)
                name = scene.names[0]
                for number in range(count):
                    verb = IN_THE_MIDDLE[list(IN_THE_MIDDLE)[number % 3]]
                    file = Path(folder) / str(number)
                    await _killed_at(verb, proxy, (name, 1000 + number * WRITERS, seed, file), after=number % 2 == 0)
                    replay(file, scene.journals[name])
                await scene.stop()
                fresh = await opened(server.dsn)
                outcome = await scene.outcome("nodes killed in an APPEND, a STORE, a MOVE", fresh)
                outcome.more = f"{count} killed"
                await fresh.close()
                return outcome
        finally:
            await proxy.close()


async def _killed_at(verb: str, proxy: PostgresProxy, arguments: Sequence[object], *, after: bool) -> None:
    """Starts a node, and kills it at its next statement with *verb*; *after*: when it is on its way."""
    command = [sys.executable, "-m", "reliability.cluster.node", proxy.dsn(OWNER, DATABASE), *map(str, arguments)]
    node = await asyncio.create_subprocess_exec(*command)
    proxy.on_drop = node.kill
    written = len(proxy.trips)
    while len(proxy.trips) < written + 40:  # it has begun to write
        await asyncio.sleep(0.01)
        if node.returncode is not None:
            raise RuntimeError("a node ended by itself")
    dropped = len(proxy.dropped)
    (proxy.drop_answer if after else proxy.drop_question)(lambda statement: verb in statement)
    await proxy.dropping(dropped + 1)
    await node.wait()
    proxy.on_drop = None


BALLAST: Final = "ballast"
ROOM_MIB: Final = 160


async def disk_full(seed: int, size: int) -> Outcome:
    """The disk of PostgreSQL is full for a while; only root can try it, as it mounts a small one."""
    name = "PostgreSQL's disk full, then not"
    if os.getuid() != 0:
        return Outcome(name, more="not tried: only root can mount a small disk")
    with servers(1) as (server,):
        await asyncio.to_thread(_mount, server.folder)
        try:
            return await _filled(server, name, seed, size)
        finally:
            server.end()
            await asyncio.to_thread(subprocess.run, ["umount", "--lazy", server.folder], check=True)


def _mount(folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM_MIB}m", "none", folder], check=True)
    folder.chmod(0o755)


async def _filled(server: PostgresServer, name: str, seed: int, size: int) -> Outcome:
    server.settings["wal_keep_size"] = "0"
    server.settings["max_wal_size"] = "48MB"
    await asyncio.to_thread(server.make)
    async with played(server.dsn, server.dsn, seed) as scene:
        await scene.start()
        await scene.until(size)
        fill_up(server.folder / BALLAST)
        refused = 0
        for _ in range(200):
            await asyncio.sleep(0.05)
            refused = sum(journal.refused + journal.uncertain for journal in scene.journals.values())
            if refused > WRITERS_HELD:
                break
        (server.folder / BALLAST).unlink()
        if not server.is_alive():
            await asyncio.to_thread(server.start)
        await scene.until(size)
        await scene.stop()
        fresh = await opened(server.dsn)
        outcome = await scene.outcome(name, fresh)
        outcome.more = f"{refused} were refused or not known meanwhile"
        await fresh.close()
        return outcome


WRITERS_HELD: Final = 32


def fill_up(file: Path) -> None:
    """Writes into *file* until the disk is full."""
    with file.open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(64 * 1024))


async def two_versions(seed: int, size: int) -> Outcome:
    """A node of the next version upgrades the tables while others of this one write; then one of this one starts."""
    with servers(1) as (server,):
        await asyncio.to_thread(server.make)
        async with played(server.dsn, server.dsn, seed) as scene:
            await scene.start()
            await scene.until(size)
            await _upgrade(server.dsn)
            await scene.until(size)
            late = await opened(server.dsn)  # a node of this version, started after the upgrade
            scene.nodes = [*scene.nodes, late]
            await scene.until(size)
            await scene.stop()
            outcome = await scene.outcome("two versions of the tables at once", late)
            await late.close()
            return outcome


NEXT: Final = (
    "ALTER TABLE contents ADD COLUMN of_the_next_version bigint NOT NULL DEFAULT 0",
    "CREATE TABLE of_the_next_version (account uuid PRIMARY KEY)",
)
"""What a version may do: new tables, and columns with defaults in one table (see ``postgres.schema``)."""


async def _upgrade(dsn: str) -> None:
    function = "CREATE OR REPLACE FUNCTION of_the_next_version() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    later = Part(SHARD.name, (*SHARD.versions, NEXT), SHARD.oldest_reader, (*SHARD.functions, function))
    node = Shard("a", dsn)
    await node.open(later)
    await node.close()


TRIALS: Final[tuple[Trial, ...]] = (
    killed_and_started,
    promoted,
    answers_dropped,
    questions_dropped,
    swallowed,
    swallowed_for_good,
    nodes_killed,
    disk_full,
    two_versions,
)
