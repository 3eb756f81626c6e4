"""Very many connections of one attacker: sockets that never block, in one thread.

A crowd comes from one address or from many networks of this machine (127.x.y.1). It opens connections, sends to all of
them, reads or does not, and counts what became of them. Each call ends at its deadline, done or not.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

CONNECTING_AT_ONCE = 256
"""So many handshakes of TCP may be unfinished; the queue of a listener is longer."""

RECEIVED_AT_ONCE = 1 << 16
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with which a close resets the connection."""


def networks(count: int) -> list[str]:
    """*count* addresses of this machine, each in a /24 of its own."""
    return [f"127.{100 + number // 250}.{number % 250}.1" for number in range(count)]


class Member:
    """One connection of a crowd."""

    __slots__ = ("file", "is_open", "seen", "socket")

    def __init__(self, made: socket.socket) -> None:
        self.socket = made
        self.file = made.fileno()
        self.is_open = True
        self.seen = b""
        """The last octets that came."""

    def send(self, octets: bytes) -> int:
        """Sends what the system takes; returns how many octets that were."""
        if not self.is_open:
            return 0
        try:
            return self.socket.send(octets)
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            return 0

    def close(self) -> None:
        """Closes the connection; may be called twice."""
        self.is_open = False
        self.socket.close()


class Crowd:
    """Connections to one port. A context manager: closes all of them."""

    def __init__(self, port: int, until: float, *, sources: Iterable[str] = ("127.0.0.66",)) -> None:
        """*until*: by ``time.monotonic``, when every call ends; *sources*: addresses that take turns."""
        self._port = port
        self._until = until
        self._sources = list(sources)
        self._poll = select.epoll()
        self._made = 0
        self.members: dict[int, Member] = {}
        """The open connections, by descriptor."""
        self.ended: list[bytes] = []
        """The last octets of each connection that the server closed."""
        self.octets = 0
        """How many octets came."""
        self.failed = 0
        """How many connections could not be made."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()
        self._poll.close()

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._until

    def connect(self, count: int, *, receive_buffer: int | None = None) -> list[Member]:
        """Opens *count* connections, CONNECTING_AT_ONCE at a time; returns those that were made."""
        made: list[Member] = []
        waiting: dict[int, Member] = {}
        left = count
        while (left or waiting) and not self.is_over:
            while left and len(waiting) < CONNECTING_AT_ONCE:
                left -= 1
                member = self._begun(receive_buffer)
                if member is not None:
                    waiting[member.file] = member
                    self._poll.register(member.file, select.EPOLLOUT)
            for file, _ in self._poll.poll(0.1):
                member = waiting.pop(file, None)
                if member is None:
                    self._receive(file)
                elif member.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    self._drop(member)
                    self.failed += 1
                else:
                    self._poll.modify(file, select.EPOLLIN)
                    self.members[file] = member
                    made.append(member)
        for member in waiting.values():
            self._drop(member)
        return made

    def _begun(self, receive_buffer: int | None) -> Member | None:
        source = self._sources[self._made % len(self._sources)]
        self._made += 1
        try:
            made = socket.socket()
        except OSError:
            self.failed += 1
            return None
        made.setblocking(False)
        if receive_buffer is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        # without it, one source has no more than the 28,000 ports of the system for all destinations
        made.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        try:
            made.bind((source, 0))
            status = made.connect_ex(("127.0.0.1", self._port))
        except OSError:
            status = errno.EADDRNOTAVAIL
        if status not in (0, errno.EINPROGRESS):
            made.close()
            self.failed += 1
            return None
        return Member(made)

    def send(self, octets: bytes) -> int:
        """Sends *octets* to each connection, as much as the system takes; returns how many octets that were."""
        return sum([member.send(octets) for member in tuple(self.members.values())])

    def read(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        """Reads whatever comes for *seconds*, or until *until* holds."""
        ends = min(self._until, time.monotonic() + seconds)
        while (left := ends - time.monotonic()) > 0 and not until():
            for file, _ in self._poll.poll(min(left, 0.1)):
                self._receive(file)

    def heard(self, octets: bytes, seconds: float, among: Iterable[Member] | None = None) -> None:
        """Waits until *octets* were among the last ones that came, on each open connection or those of *among*."""
        left = set(self.members.values() if among is None else among)

        def done() -> bool:
            left.difference_update([member for member in left if octets in member.seen or not member.is_open])
            return not left

        self.read(seconds, until=done)

    def ended_by_server(self, seconds: float) -> None:
        """Waits until the server has closed all connections."""
        self.read(seconds, until=lambda: not self.members)

    @staticmethod
    def client_hello() -> bytes:
        """The first octets of a TLS handshake; any number of connections may send the same ones."""
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            _unverified().wrap_bio(came, goes).do_handshake()
        return goes.read()

    def shake_hands(self, seconds: float) -> int:
        """Completes a TLS handshake on each connection, all at once; returns how many were completed.

        The certificate is not verified. Afterwards the connections can only be closed, or left open.
        """
        context = _unverified()
        waiting: dict[int, tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]] = {}
        done, ends = 0, min(self._until, time.monotonic() + seconds)
        for file, member in self.members.items():
            came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
            waiting[file] = context.wrap_bio(came, goes), came, goes
            with contextlib.suppress(ssl.SSLWantReadError):
                waiting[file][0].do_handshake()
            member.send(goes.read())
        while waiting and time.monotonic() < ends:
            for file, _ in self._poll.poll(0.1):
                hand = waiting.get(file)
                self._receive(file, None if hand is None else hand[1])
                if hand is None:
                    continue
                if (greeter := self.members.get(file)) is None:
                    del waiting[file]
                    continue
                try:
                    hand[0].do_handshake()
                except ssl.SSLWantReadError:
                    continue
                finally:
                    greeter.send(hand[2].read())
                del waiting[file]
                done += 1
        return done

    def hang_up(self) -> None:
        """Closes all connections."""
        for member in self.members.values():
            member.close()
        self.members.clear()

    def drip(self, octets: bytes, seconds: float, *, each: float = 1.0) -> int:
        """Sends one octet of *octets* to every connection every *each* seconds; returns how many octets were sent."""
        ends, sent, at = min(self._until, time.monotonic() + seconds), 0, 0
        while time.monotonic() < ends and at < len(octets) and self.members:
            begun = time.monotonic()
            sent += self.send(octets[at : at + 1])
            at += 1
            self.read(min(ends - time.monotonic(), max(0.0, begun + each - time.monotonic())))
        return sent

    def _receive(self, file: int, into: ssl.MemoryBIO | None = None) -> None:
        member = self.members.get(file)
        if member is None:
            return
        try:
            octets = member.socket.recv(RECEIVED_AT_ONCE) if member.is_open else b""
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if octets:
            self.octets += len(octets)
            member.seen = (member.seen + octets)[-2000:]
            if into is not None:
                into.write(octets)
        else:
            del self.members[file]
            self.ended.append(member.seen)
            self._drop(member)

    def _drop(self, member: Member) -> None:
        if member.is_open:
            self._poll.unregister(member.file)
        member.close()

    def came_to(self) -> str:
        """What became of the connections, in a few words."""
        refused = sum([b"BYE" in last or b"-ERR" in last or b"421" in last for last in self.ended])
        words = f"{len(self.members)} open, {len(self.ended)} closed by the server"
        return f"{words} ({refused} with a farewell)" if refused else words


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def storm(port: int, until: float, sources: Iterable[str], *, reset: bool) -> Iterator[None]:
    """Connects and closes at once, again and again; yields after each. With *reset*, closes by a reset."""
    addresses, count = list(sources), 0
    while time.monotonic() < until:
        with socket.socket() as made:
            made.settimeout(2)
            made.bind((addresses[count % len(addresses)], 0))
            try:
                made.connect(("127.0.0.1", port))
                if reset:
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            except OSError:
                continue
        count += 1
        yield
