"""``idle-scale``: ten thousand connections in IDLE over five hundred accounts, and a delivery to each account.

The server has two workers. Dovecot gets far fewer connections, because it uses a process for each.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

from bench.client import Address, LmtpClient
from bench.crowd import percentile
from bench.rows.registry import PASSWORD, Bench
from bench.sets.lines import Line

ACCOUNTS = tuple(f"idler{number:03}" for number in range(500))
CONNECTIONS = {"mektup": 10_000, "Dovecot": 100}
DELIVERIES = {"mektup": len(ACCOUNTS), "Dovecot": 20}
"""Dovecot takes half a second for each, and an inotify instance for each session; Linux allows a user 128 of these."""

MOST_KIB, MOST_MS = 16, 100

FROM_EACH_SOURCE = 5_000
"""Connections from one loopback address to one port; about 28,000 are possible."""

PATIENCE = 20.0
"""Seconds after which a missing EXISTS counts as lost; Dovecot without a free inotify takes thirty."""


def idle_scale(bench: Bench) -> list[Line]:
    """Measures memory for each connection, how long an EXISTS takes under that load, and how many sessions are lost."""
    bench.restart(workers=2)
    bench.wait_for_rest()
    count, deliveries = CONNECTIONS[bench.kind], DELIVERIES[bench.kind]
    before = bench.processes.proportional_memory()
    begun = time.perf_counter()
    waiting = _Waiting(bench.address("imap"), count)
    seconds = time.perf_counter() - begun
    bench.wait_for_rest()
    memory = (bench.processes.proportional_memory() - before) / count / 1024
    with bench.stopwatch() as watch:
        waits = [wait for number in range(deliveries) for wait in _delivered(bench, waiting, number)]
    lost = sum(map(len, waiting.by_account[:deliveries])) - len(waits)
    dropped = waiting.end()
    name = bench.name
    return [
        Line("connections", "", {name: count}),
        Line("logins per second", "/s", {name: count / seconds}),
        Line("memory for a connection", "KiB", {name: memory}, MOST_KIB),
        Line("from delivery to EXISTS, median", "ms", {name: percentile(waits, 0.5) * 1000}),
        Line("from delivery to EXISTS, 99th percentile", "ms", {name: percentile(waits, 0.99) * 1000}, MOST_MS),
        Line("from delivery to EXISTS, longest", "ms", {name: max(waits) * 1000}, MOST_MS),
        Line("processor time for a delivery", "ms", {name: watch.cpu / deliveries * 1000}),
        Line("EXISTS that never came", "", {name: lost}, 0),
        Line("sessions that were dropped", "", {name: dropped}, 0),
    ]


class _Waiting:
    """Connections in IDLE, spread evenly over the accounts, and one epoll that watches them."""

    def __init__(self, address: Address, count: int) -> None:
        self.poll = select.epoll()
        self.by_account: list[set[int]] = [set() for _ in ACCOUNTS]
        self.sockets: dict[int, socket.socket] = {}
        for number in range(count):
            source = (f"127.0.0.{1 + number // FROM_EACH_SOURCE}", 0)
            account = number % len(ACCOUNTS)
            opened = _in_idle(address, source, ACCOUNTS[account])
            self.by_account[account].add(opened.fileno())
            self.sockets[opened.fileno()] = opened
            self.poll.register(opened, select.EPOLLIN)

    def end(self) -> int:
        """Ends every IDLE; returns how many sessions do not answer."""
        dropped = 0
        for waiting in self.sockets.values():
            try:
                waiting.sendall(b"DONE\r\n")
                _read_until(waiting, b"c ")
            except OSError:
                dropped += 1
            waiting.close()
        self.poll.close()
        return dropped


def _in_idle(address: Address, source: Address, account: str) -> socket.socket:
    opened = socket.create_connection(address, timeout=60, source_address=source)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _read_until(opened, b"* OK")
    opened.sendall(b'a LOGIN "%b" "%b"\r\n' % (account.encode(), PASSWORD.encode()))
    _read_until(opened, b"a OK")
    opened.sendall(b"b SELECT INBOX\r\nc IDLE\r\n")
    _read_until(opened, b"+")
    return opened


def _read_until(opened: socket.socket, begin: bytes) -> None:
    octets = b""
    while not (octets.endswith(b"\r\n") and octets[:-2].rpartition(b"\n")[2].startswith(begin)):
        chunk = opened.recv(65536)
        if not chunk:
            raise OSError(f"the server closed the connection after {octets[-200:]!r}")
        octets += chunk


def _delivered(bench: Bench, waiting: _Waiting, number: int) -> Sequence[float]:
    """Delivers to one account; returns the seconds from the end of the message to the EXISTS of each session."""
    client = LmtpClient(bench.address("lmtp"), f"{ACCOUNTS[number]}@example.org")
    pending = set(waiting.by_account[number])
    waits = []
    begun = client.begin_delivery(bench.mail[number % len(bench.mail)].raw)
    deadline = begun + PATIENCE
    while pending and time.perf_counter() < deadline:
        for descriptor, _ in waiting.poll.poll(1):
            octets = waiting.sockets[descriptor].recv(65536)
            if not octets:
                waiting.poll.unregister(descriptor)
            if b" EXISTS\r\n" in octets and descriptor in pending:
                waits.append(time.perf_counter() - begun)
                pending.discard(descriptor)
    client.end_delivery()
    client.close()
    return waits
