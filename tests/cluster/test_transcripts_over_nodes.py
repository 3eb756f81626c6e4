"""Transcripts with several devices, each on another node than the one before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from mektup.auth.passwords import secrets_for
from mektup.store.arrival import prepare
from mektup.store.interface import Incoming, Store
from tests.support.backend import accounts_of
from tests.support.nats import nats_server
from tests.support.nodes import MARKER, PASSWORD, Node, Settling, running_nodes, settling, store_beside
from tests.support.postgres import Postgres
from tests.support.runner import USER, Connection, Player
from tests.support.sockets import SocketWire
from tests.support.stage import set_stage
from tests.support.transcript import Send, Step, Transcript, read

HERE = Path(__file__).parents[1] / "transcripts"
MAIL = HERE / "mail"
ALL = {str(path.relative_to(HERE)): read(path) for path in sorted(HERE.glob("*/*.txt"))}

NEEDS_THE_PROCESS = frozenset({"clock", "restart", "stop", "tls", "compress"})
"""Acts that need another server, or its certificate."""

RACES = frozenset({"42-uidonly/notify.txt"})
"""Two devices have the mailbox open, and either of them may be the one that has a new message as \\Recent."""


def is_for_devices(transcript: Transcript) -> bool:
    """Whether it has several devices, and needs no settings of its own."""
    devices = {step.connection for step in transcript.steps if isinstance(step, Send)}
    plain = not list(transcript.all("config")) and not transcript.head("tls") and transcript.head("state") != "none"
    return len(devices) > 1 and plain and not NEEDS_THE_PROCESS & set(transcript.acts)


TRANSCRIPTS = {name: each for name, each in ALL.items() if is_for_devices(each) and name not in RACES}


class NodesWorld:
    """A ``support.runner.World`` of several nodes: each connection is on the next one."""

    login = (USER, PASSWORD)
    lenient = False

    def __init__(self, nodes: list[Node], store: Store) -> None:
        self._nodes = nodes
        self._store = store
        self._wires: list[SocketWire] = []
        self.node_of: dict[int, int] = {}
        """The node of each wire, by its identity."""

    async def connect(self, protocol: str) -> SocketWire:
        node = len(self._wires) % len(self._nodes)
        wire = await self._nodes[node].connect(protocol)
        self._wires.append(wire)
        self.node_of[id(wire)] = node
        return wire

    async def deliver(self, raw: bytes, account: str) -> None:
        entry = await self._store.directory.find(account)
        assert entry is not None
        opened = await self._store.account(entry)
        await opened.append((await opened.mailbox("INBOX")).id, [Incoming(prepare(raw))])

    def advance(self, seconds: float) -> None:
        raise NotImplementedError("a server on sockets has the time that it is")

    async def stop(self) -> None:
        raise NotImplementedError("the nodes are used again")

    async def restart(self) -> None:
        raise NotImplementedError("the nodes are used again")

    async def close(self) -> None:
        for wire in self._wires:
            await wire.close()


class PlayerOverNodes(Player):
    """Before another device has its turn, what the one before changed has come to all nodes.

    In one process that is so in any case; a transcript says nothing of how long it takes.
    """

    def __init__(self, transcript: Transcript, world: NodesWorld, settling: Settling) -> None:
        super().__init__(transcript, world, MAIL)
        self._nodes = world
        self._settling = settling
        self._last: Connection | None = None

    async def _connection(self, step: Step) -> Connection:
        connection = await super()._connection(step)
        if isinstance(step, Send):
            if self._last is not None and self._last is not connection and not self._last.held:
                await self._settling.after(self._nodes.node_of[id(self._last.wire)])
            self._last = connection
        return connection


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[str]:
    postgres.run("CREATE DATABASE over_nodes TEMPLATE template")
    yield postgres.dsn("over_nodes")
    postgres.run("DROP DATABASE over_nodes WITH (FORCE)")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[list[Node]]:
    with nats_server() as nats, running_nodes(tmp_path_factory.mktemp("nodes"), database, 2, nats.url) as made:

        async def add_marker() -> None:
            async with store_beside(made[0], database) as store:
                account = await store.account(await store.directory.add(MARKER, secrets_for(PASSWORD)))
                await account.append((await account.mailbox("INBOX")).id, [Incoming(prepare(b"Subject: x\r\n\r\n"))])

        asyncio.run(add_marker())
        yield made


@pytest.mark.parametrize("transcript", TRANSCRIPTS.values(), ids=TRANSCRIPTS.keys())
async def test_over_nodes(transcript: Transcript, nodes: list[Node], database: str) -> None:
    accounts = accounts_of(transcript)
    async with AsyncExitStack() as ending:
        store = await ending.enter_async_context(store_beside(nodes[0], database))
        settled = await ending.enter_async_context(settling(nodes))
        for name, password in accounts.items():
            await store.directory.add(name, secrets_for(password))
            ending.push_async_callback(store.directory.remove, name)
        world = NodesWorld(nodes, store)
        ending.push_async_callback(world.close)
        await set_stage(transcript, world, MAIL)
        await PlayerOverNodes(transcript, world, settled).play()


def test_enough_transcripts_have_several_devices() -> None:
    assert len(TRANSCRIPTS) > 30
