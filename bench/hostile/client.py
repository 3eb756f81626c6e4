"""The attacker's side of a connection: it may send anything, read or not, and gives up at its deadline."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from types import TracebackType
from typing import Self

RECEIVED_AT_ONCE = 1 << 18


class Overtime(Exception):
    """The server was not done when the attack's time was over."""


class HostileClient:
    """A socket; each wait ends with Overtime at *until*, by ``time.monotonic``."""

    def __init__(
        self, port: int, until: float, *, receive_buffer: int | None = None, source: str = "127.0.0.1"
    ) -> None:
        """*receive_buffer*: octets that the kernel may hold for a client that does not read; *source*: its address."""
        self._until = until
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(10)
        self._socket.bind((source, 0))
        self._socket.connect(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.octets = 0
        """The number of octets received so far."""
        self._tail = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection, and wakes a thread that waits for it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def send(self, octets: bytes) -> None:
        """Sends all of *octets*, or as much as the server takes until the time is over."""
        self._hurry()
        try:
            self._socket.sendall(octets)
        except TimeoutError:
            raise Overtime from None

    def until(self, pattern: bytes) -> bytes:
        """Reads until *pattern* matches at the start of a line; returns that line."""
        wanted = re.compile(rb"(?m)^(?:" + pattern + rb").*\r\n")
        seen = self._tail
        while (found := wanted.search(seen)) is None:
            self._hurry()
            try:
                octets = self._socket.recv(RECEIVED_AT_ONCE)
            except TimeoutError:
                raise Overtime from None
            if not octets:
                raise OSError("the server closed the connection")
            self.octets += len(octets)
            # the last 4 KiB are kept, because the beginning of a line may have come before its end
            seen = seen[-4096:] + octets
        self._tail = seen[found.end() :]
        return found[0]

    def ask(self, command: bytes, tag: bytes = b"a") -> bytes:
        """Sends *command*, reads the answer without keeping it, and returns the tagged line."""
        self.send(b"%b %b\r\n" % (tag, command))
        return self.until(re.escape(tag) + b" (?:OK|NO|BAD)")

    def log_in(self, name: str, password: str) -> Self:
        """Logs in, and returns the connection."""
        answer = self.ask(f'LOGIN "{name}" "{password}"'.encode())
        if b" OK" not in answer:
            raise OSError(f"no login: {answer!r}")
        return self

    def _hurry(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise Overtime
        self._socket.settimeout(left)


def shown(answer: bytes) -> str:
    """A tagged answer as text for the table."""
    text = answer.decode("ascii", "replace").strip()
    return text.partition(" ")[2][:40]
