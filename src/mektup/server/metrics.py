"""What Prometheus reads: ``/metrics``, and ``/health`` for whoever only asks whether the server is well.

Counting is done by plain numbers in each process (``auth.services.Tally``); here they are only put into
words, one sample for each worker, so that a worker's restart is seen as the restart of its own counter.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mektup.server.node import Report

REQUEST_BYTES = 8 * 1024
REQUEST_SECONDS = 5.0

_COUNTERS: Mapping[str, tuple[str, str]] = {
    "connections": ("mektup_connections", "Connections accepted"),
    "refused_connections": ("mektup_refused_connections", "Connections over a limit"),
    "logins": ("mektup_logins", "Logins that succeeded"),
    "refused_logins": ("mektup_refused_logins", "Logins that were refused"),
    "commands": ("mektup_commands", "Commands answered"),
    "messages": ("mektup_messages", "Messages taken into a mailbox"),
    "bugs": ("mektup_bugs", "Internal errors"),
    "octets_in": ("mektup_received_bytes", "Octets received, by connections that have ended"),
    "octets_out": ("mektup_sent_bytes", "Octets sent, by connections that have ended"),
}


@dataclass(frozen=True, slots=True)
class Status:
    """A server's state when it was asked."""

    reports: Mapping[str, Report]
    """By worker; those that are up."""
    workers: int
    """How many there should be."""
    certificate_days: float


def exposition(status: Status) -> bytes:
    """*status* in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(status))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        for field, (name, text) in _COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=("worker", "protocol"))
            for worker, report in status.reports.items():
                for protocol, tally in report.items():
                    counter.add_metric((worker, protocol), tally[field])
            yield counter
        gauge = GaugeMetricFamily("mektup_open_connections", "Connections open now", labels=("worker", "protocol"))
        for worker, report in status.reports.items():
            for protocol, tally in report.items():
                gauge.add_metric((worker, protocol), tally["open"])
        yield gauge
        yield GaugeMetricFamily("mektup_workers", "Workers that should be up", value=status.workers)
        yield GaugeMetricFamily("mektup_workers_up", "Workers that are up", value=len(status.reports))
        yield GaugeMetricFamily(
            "mektup_certificate_expires_days", "Days until the certificate expires", value=status.certificate_days
        )


class MetricsPage:
    """A small HTTP server with two pages."""

    def __init__(self, status: Callable[[], Awaitable[Status]]) -> None:
        self._status = status
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, bound: list[socket.socket]) -> None:
        """Serves at the sockets *bound*, too."""
        for each in bound:
            if each.family == socket.AF_UNIX:
                server = await asyncio.start_unix_server(self._came, sock=each, limit=REQUEST_BYTES)
            else:
                server = await asyncio.start_server(self._came, sock=each, limit=REQUEST_BYTES)
            self._servers.append(server)

    async def close(self) -> None:
        """Serves no more; may be called twice."""
        for server in self._servers:
            server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(head.split(b"\r\n", 1)[0].split(b" ")))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked like that gets nothing
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, request: list[bytes]) -> bytes:
        method, target = request[0], request[1].partition(b"?")[0] if len(request) > 1 else b""
        if method not in (b"GET", b"HEAD"):
            return _page("405 Method Not Allowed", b"GET /metrics or /health\n")
        if target == b"/metrics":
            return _page("200 OK", exposition(await self._status()), "text/plain; version=0.0.4; charset=utf-8")
        if target == b"/health":
            status = await self._status()
            well = len(status.reports) > 0
            text = f"{len(status.reports)} of {status.workers} workers up\n".encode()
            return _page("200 OK" if well else "503 Service Unavailable", text)
        return _page("404 Not Found", b"/metrics or /health\n")


def _page(status: str, body: bytes, kind: str = "text/plain; charset=utf-8") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode("ascii") + body
