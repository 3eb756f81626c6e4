"""What the parent and a worker say to each other: messages over a socket pair, sockets among them.

The end of the channel is a message, too: it means that the other process is gone.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mektup.server.addresses import Endpoint, Service
from mektup.server.config import Config
from mektup.server.report import Report

MESSAGE_BYTES = 128 * 1024
MAX_SOCKETS = 64


@dataclass(frozen=True, slots=True)
class Start:
    """To a worker, first: what it runs with."""

    config: Config
    number: int


@dataclass(frozen=True, slots=True)
class Listen:
    """To a worker: accept at the sockets that come with this."""

    service: Service
    configured: Endpoint


@dataclass(frozen=True, slots=True)
class StopListening:
    """To a worker: accept no more there."""

    service: Service
    configured: Endpoint


@dataclass(frozen=True, slots=True)
class Offer:
    """To a worker: the sockets that come with this are to be accepted at once the change is committed."""

    service: Service
    configured: Endpoint


@dataclass(frozen=True, slots=True)
class Prepare:
    """To a worker: make sure that this can be taken up, with what was offered, and say so; nothing changes yet."""

    change: int
    config: Config


@dataclass(frozen=True, slots=True)
class Commit:
    """To a worker: take up what was prepared."""

    change: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """To a worker: forget what was prepared and offered."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """From a worker: nothing stands in the way of that change."""

    change: int


@dataclass(frozen=True, slots=True)
class Ping:
    """To a worker: are you there?"""


@dataclass(frozen=True, slots=True)
class Pong:
    """From a worker: yes."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker: it serves."""


@dataclass(frozen=True, slots=True)
class Failed:
    """From a worker: it cannot start, or cannot take up what it was told to."""

    reason: str


@dataclass(frozen=True, slots=True)
class AskReport:
    """To a worker: say what happened so far."""


@dataclass(frozen=True, slots=True)
class Reported:
    """From a worker: what happened so far."""

    report: Report


Message = (
    Start
    | Listen
    | StopListening
    | Offer
    | Prepare
    | Prepared
    | Commit
    | Abandon
    | Ready
    | Failed
    | Ping
    | Pong
    | AskReport
    | Reported
)
Receive = Callable[[Message, list[socket.socket]], None]


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that keep messages apart; Linux has them."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Channel:
    """One end. Both are processes of one program, so what comes is trusted."""

    def __init__(self, end: socket.socket, received: Receive, ended: Callable[[], None]) -> None:
        """Calls *received* for each message, and *ended* once when the other end is closed."""
        self._socket = end
        self._received = received
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        end.setblocking(False)
        self._loop.add_reader(end.fileno(), self._read)

    def send(self, message: Message, sockets: Sequence[socket.socket] = ()) -> None:
        """Sends; what the other end does not take (it is gone, or stuck) is lost."""
        try:
            socket.send_fds(self._socket, [pickle.dumps(message)], [each.fileno() for each in sockets])
        except OSError:
            # its end is noticed by reading; a stuck one is noticed when it does not stop
            return

    def close(self) -> None:
        """Ends the channel; may be called twice."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _read(self) -> None:
        try:
            octets, descriptors, _, _ = socket.recv_fds(self._socket, MESSAGE_BYTES, MAX_SOCKETS)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            octets, descriptors = b"", []
        if octets:
            self._received(pickle.loads(octets), [socket.socket(fileno=each) for each in descriptors])
        else:
            self.close()
            self._ended()
