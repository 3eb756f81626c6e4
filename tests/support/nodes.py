"""Several nodes on one PostgreSQL: ``mektup serve`` processes, each with a data directory of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from mektup.server.bus import Bus
from mektup.store.interface import Store
from mektup.store.postgres import open_store
from tests.server.process import Process
from tests.support.runner import Connection
from tests.support.sockets import SocketWire

PASSWORD = "Pa$$123"
START_SECONDS = 55.0
"""A node starts beside the servers that it needs, and those of other tests."""
MARKER = "marker"
"""The account whose changes show that what changed before has arrived."""


class Node:
    """One node."""

    def __init__(self, folder: Path, database: str, bus: str, *, workers: int = 1, more: str = "") -> None:
        folder.mkdir()
        self.data = folder / "data"
        config = folder / "mektup.toml"
        config.write_text(f"""
data = "data"
workers = {workers}
[log]
format = "json"
[listen]
imap = ["127.0.0.1:0"]
pop3 = ["127.0.0.1:0"]
lmtp = ["127.0.0.1:0"]
metrics = ["127.0.0.1:0"]
[store]
engine = "postgres"
directory = "{database}"
shards = {{ a = "{database}" }}
{f'bus = "{bus}"' if bus else ""}
[limits]
login_delay_seconds = 0.001
{more}
""")
        self.process = Process(config, start_seconds=START_SECONDS)

    async def connect(self, protocol: str = "imap") -> SocketWire:
        """A connection of a client."""
        port = self.process.ports[protocol]
        # nobody starts TLS here
        return SocketWire(*await asyncio.open_connection("127.0.0.1", port), None, secure=False)  # type: ignore[arg-type]


@contextmanager
def running_nodes(folder: Path, database: str, count: int, bus: str = "", workers: int = 1) -> Iterator[list[Node]]:
    """Nodes until the block ends; then each must end quietly. Without *bus*, notices go through PostgreSQL."""
    nodes: list[Node] = []
    try:
        while len(nodes) < count:
            nodes.append(Node(folder / f"node{len(nodes)}", database, bus, workers=workers))
        yield nodes
        for node in nodes:
            assert node.process.stop() == 0
            assert not node.process.noise
    except BaseException:
        for node in nodes:
            print(*node.process.log, *node.process.noise, sep="\n")  # pytest shows it with the failure
        raise
    finally:
        for node in nodes:
            node.process.end()


@asynccontextmanager
async def store_beside(node: Node, database: str) -> AsyncIterator[Store]:
    """The same store in the process of the test, whose changes the nodes are told of by way of *node*."""
    bus = Bus(node.data)
    store = await open_store(database, {"a": database}, bus=bus)
    bus.start(store.changed_elsewhere, store.missed_notices)
    try:
        yield store
    finally:
        await store.close()
        bus.close()


class Device:
    """A client of one node that runs commands one after the other."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def command(self, line: str) -> list[bytes]:
        """The responses to a command, with the tagged one, which must be OK."""
        self.connection.wire.send(b"t " + line.encode() + b"\r\n")
        came: list[bytes] = []
        while (response := await self.connection.response()) is not None:
            came.append(response)
            if response.startswith(b"t "):
                assert response.startswith(b"t OK"), response
                return came
        raise AssertionError(f"closed after {line}: {came}")

    async def until(self, part: bytes) -> bytes:
        """The next response that has *part*."""
        while (response := await self.connection.response()) is not None:
            if part in response:
                return response
        raise AssertionError(f"closed before {part!r}")

    async def idle(self) -> None:
        """Begins to wait in IDLE."""
        self.connection.wire.send(b"t IDLE\r\n")
        await self.until(b"+ ")

    async def done(self) -> None:
        """Ends IDLE."""
        self.connection.wire.send(b"DONE\r\n")
        await self.until(b"t OK")

    async def close(self) -> None:
        """Closes the connection."""
        wire = self.connection.wire
        assert isinstance(wire, SocketWire)
        await wire.close()


async def device(node: Node, name: str, *commands: str) -> Device:
    """A client that has logged in, and run *commands*."""
    connection = Connection(await node.connect(), literals=True)
    await connection.response()
    made = Device(connection)
    for command in (f"LOGIN {name} {PASSWORD}", *commands):
        await made.command(command)
    return made


class Settling:
    """Waits until every node has heard what was changed before: a change that comes later has arrived, too."""

    def __init__(self, writers: Sequence[Device], waiters: Sequence[Device]) -> None:
        self._writers = writers
        self._waiters = waiters
        self._seen = False

    async def after(self, node: int) -> None:
        """Waits until all nodes have heard what *node* has told until now."""
        self._seen = not self._seen
        # its own session is told by the tagged answer
        await self._writers[node].command(f"STORE 1 {'+' if self._seen else '-'}FLAGS (\\Seen)")
        wanted = b"FLAGS (\\Seen" if self._seen else b"FLAGS ("
        for waiter in self._waiters:
            await waiter.until(wanted)


@asynccontextmanager
async def settling(nodes: Sequence[Node]) -> AsyncIterator[Settling]:
    """See ``Settling``; the account MARKER must be there, with a message in INBOX."""
    writers = [await device(node, MARKER, "SELECT INBOX", "STORE 1 -FLAGS.SILENT (\\Seen)") for node in nodes]
    waiters = [await device(node, MARKER, "EXAMINE INBOX") for node in nodes]
    for waiter in waiters:
        await waiter.idle()
    try:
        yield Settling(writers, waiters)
    finally:
        for each in (*writers, *waiters):
            with contextlib.suppress(OSError):
                await each.close()
