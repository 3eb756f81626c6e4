"""A connection that is read by lines or octets."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress

from reliability.own_address import HOST

SECONDS = 30.0
"""A server that runs answers within this time."""


Ports = tuple[int, int]
"""The ports of a connection: the server's and the client's. Connections to different ports may share the latter."""


class Cut(Exception):
    """The server has died, or ends."""

    def __init__(self, ports: Ports | None = None, *, was_greeted: bool = True) -> None:
        """*ports* of the connection; None if there is none. *was_greeted*: whether the server has said a word."""
        super().__init__()
        self.ports = ports
        self.was_greeted = was_greeted


class Farewell(Cut):
    """The server said that it ends the connection."""


class NoAnswer(AssertionError):
    """The server does not answer, although the connection stands."""


class Line:
    """A connection to a port of this machine."""

    def __init__(self, port: int) -> None:
        """Raises Cut if nobody listens."""
        try:
            self._socket = socket.create_connection((HOST, port), timeout=SECONDS)
        except OSError as error:
            raise Cut from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self.ports: Ports = port, int(self._socket.getsockname()[1])
        """Our end of the connection."""
        self._was_greeted = False

    def send(self, octets: bytes) -> None:
        """Sends all of *octets*. Raises Cut."""
        try:
            self._socket.sendall(octets)
        except OSError as error:
            raise self._cut() from error

    def line(self) -> bytes:
        """The next line, with its end. Raises Cut, NoAnswer."""
        line = self._read(self._file.readline)
        if not line.endswith(b"\n"):
            raise self._cut()
        self._was_greeted = True
        return line

    def has_more(self, seconds: float) -> bool:
        """Waits for octets for *seconds* at most; whether some came. Those that were read ahead do not count."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def _cut(self) -> Cut:
        return Cut(self.ports, was_greeted=self._was_greeted)

    def octets(self, count: int) -> bytes:
        """The next *count* octets. Raises Cut, NoAnswer."""
        octets = self._read(lambda: self._file.read(count))
        if len(octets) < count:
            raise self._cut()
        return octets

    def _read(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except TimeoutError:
            raise NoAnswer("no answer, and the connection stands") from None
        except OSError as error:
            raise self._cut() from error

    def close(self) -> None:
        """Closes the connection."""
        with suppress(OSError):
            self._file.close()
        self._socket.close()
