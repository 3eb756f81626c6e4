"""A proxy between clients and a server, for tests of what goes wrong between them.

It passes octets on until a test says otherwise: it may swallow them (both sides wait, nothing is closed), refuse new
connections, and cut those that it has. ``postgres_proxy`` knows PostgreSQL's messages as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, Self

PIECE_BYTES: Final = 64 * 1024

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]


class Proxy:
    """Listens on a port of 127.0.0.1."""

    def __init__(self, connect: Connect) -> None:
        """*connect* opens a connection to the server."""
        self._connect = connect
        self._open: set[asyncio.Task[None]] = set()
        self._passes = asyncio.Event()
        self._passes.set()
        self._listener: asyncio.Server | None = None
        self.port = 0
        self.connections = 0
        """How many connections clients have made so far."""

    async def start(self) -> Self:
        """Begins to listen: on a free port, later on the same one."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    def swallow(self) -> None:
        """Passes nothing on from now on, in both directions. Connections are still accepted."""
        self._passes.clear()

    def let_pass(self) -> None:
        """Passes on what came meanwhile, and everything after it."""
        self._passes.set()

    async def refuse(self) -> None:
        """Accepts no connections from now on, until ``start``."""
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()
            self._listener = None

    async def cut(self) -> None:
        """Closes all connections of now."""
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def close(self) -> None:
        """Ends everything."""
        await self.refuse()
        await self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self.passes()
            server = await self._connect()
            try:
                await self._between((reader, writer), server)
            finally:
                await closed(server[1])
        except (OSError, EOFError, asyncio.CancelledError):  # one of them is gone, or the test cuts it
            pass
        finally:
            self._open.discard(task)
            await closed(writer)

    async def passes(self) -> None:
        """Returns when octets may be passed on."""
        await self._passes.wait()

    async def _between(self, client: Streams, server: Streams) -> None:
        await until_one_ends(self._pass(client[0], server[1]), self._pass(server[0], client[1]))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(PIECE_BYTES):
            await self.passes()
            writer.write(octets)
            await writer.drain()


async def until_one_ends(*work: Awaitable[None]) -> None:
    """Does both, until the first of them ends or fails."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def closed(writer: asyncio.StreamWriter) -> None:
    """Closes a stream at once, whatever is left to write."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


def to_port(port: int) -> Connect:
    """Connects to a port of 127.0.0.1."""
    return lambda: asyncio.open_connection("127.0.0.1", port)


@asynccontextmanager
async def before(connect: Connect) -> AsyncIterator[Proxy]:
    """A proxy before the server that *connect* reaches."""
    proxy = await Proxy(connect).start()
    try:
        yield proxy
    finally:
        await proxy.close()
