"""A small HTTP server: ``/metrics`` for Prometheus, ``/health`` and ``/health.json`` for health checks.

Everything is bounded: the octets of a request, the seconds of a connection, and the number of connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable

from mektup.server.health import health_of
from mektup.server.metrics import Status, exposition
from mektup.store import system

REQUEST_BYTES = 8 * 1024
REQUEST_SECONDS = 5.0
"""From the connection to the last octet of the answer."""

CONNECTIONS_AT_ONCE = 100
"""More connections are closed without an answer."""

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/1\.[01]")
"""RFC 9112 §3."""

_AUTHORITY = re.compile(rb"^https?://[^/?]*", re.IGNORECASE)
"""The part before the path in the absolute form of a target, which a server must accept (RFC 9112 §3.2.2)."""

_PLAIN = "text/plain; charset=utf-8"


class StatusPage:
    """Serves the pages."""

    def __init__(self, status: Callable[[], Awaitable[Status]]) -> None:
        self._status = status
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, bound: list[socket.socket]) -> None:
        """Starts serving at the sockets *bound*."""
        for each in bound:
            if each.family == system.UNIX_SOCKETS:
                server = await asyncio.start_unix_server(self._came, sock=each, limit=REQUEST_BYTES)
            else:
                server = await asyncio.start_server(self._came, sock=each, limit=REQUEST_BYTES)
            self._servers.append(server)

    async def close(self) -> None:
        """Stops serving; may be called twice."""
        for server in self._servers:
            server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= CONNECTIONS_AT_ONCE:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                writer.write(await self._answer_to(reader))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # a client that is too slow or gone gets no answer
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer_to(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _page("431 Request Header Fields Too Large", b"The request is too long\n")
        request = _REQUEST_LINE.fullmatch(head.split(b"\r\n", 1)[0])
        if request is None:
            return _page("400 Bad Request", b"HTTP/1.1 is spoken here\n")
        method, target = request.groups()
        if method not in (b"GET", b"HEAD"):
            # RFC 9110 §15.5.6
            return _page("405 Method Not Allowed", b"GET or HEAD\n", more="Allow: GET, HEAD\r\n")
        return await self._page_at(_AUTHORITY.sub(b"", target).partition(b"?")[0], with_body=method == b"GET")

    async def _page_at(self, path: bytes, *, with_body: bool) -> bytes:
        if path == b"/metrics":
            page = exposition(await self._status())
            return _page("200 OK", page, "text/plain; version=0.0.4; charset=utf-8", with_body=with_body)
        if path in (b"/health", b"/health.json"):
            health = health_of(await self._status())
            outcome = "200 OK" if health.is_well else "503 Service Unavailable"
            if path == b"/health":
                return _page(outcome, health.text(), with_body=with_body)
            return _page(outcome, health.json(), "application/json", with_body=with_body)
        return _page("404 Not Found", b"/metrics, /health or /health.json\n", with_body=with_body)


def _page(status: str, body: bytes, kind: str = _PLAIN, *, more: str = "", with_body: bool = True) -> bytes:
    # RFC 9110 §9.3.2: the answer to HEAD has the header of the answer to GET
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    ).encode("ascii")
    return head + body if with_body else head
