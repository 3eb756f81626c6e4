"""The channel between the parent and a worker: messages over a socket pair. A message can carry sockets.

The end of the channel means that the other process is gone.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mektup.server.addresses import Endpoint, Service
from mektup.server.config import Config
from mektup.server.control.messages import Question
from mektup.server.report import Report
from mektup.terms.texts import Text

MESSAGE_BYTES = 128 * 1024
MAX_SOCKETS = 64


@dataclass(frozen=True, slots=True)
class Start:
    """To a worker, the first message: its configuration and its number."""

    config: Config
    number: int


@dataclass(frozen=True, slots=True)
class Listen:
    """To a worker: accept connections at the sockets that come with this message."""

    service: Service
    configured: Endpoint


@dataclass(frozen=True, slots=True)
class StopListening:
    """To a worker: stop accepting at this address."""

    service: Service
    configured: Endpoint


@dataclass(frozen=True, slots=True)
class Offer:
    """To a worker: accept at the sockets that come with this message as soon as the change is committed."""

    service: Service
    configured: Endpoint


@dataclass(frozen=True, slots=True)
class Prepare:
    """To a worker: check that *config* and the offered sockets can be used, and reply; nothing changes yet."""

    change: int
    config: Config


@dataclass(frozen=True, slots=True)
class Commit:
    """To a worker: apply the prepared change."""

    change: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """To a worker: drop the prepared configuration and the offered sockets."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """From a worker: the change can be applied."""

    change: int


@dataclass(frozen=True, slots=True)
class Ping:
    """To a worker: reply with Pong."""


@dataclass(frozen=True, slots=True)
class Pong:
    """From a worker: the reply to Ping."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker: it accepts connections."""


@dataclass(frozen=True, slots=True)
class Failed:
    """From a worker: it cannot start, or cannot prepare the change."""

    reason: Text | str


@dataclass(frozen=True, slots=True)
class AskReport:
    """To a worker: send a report."""


@dataclass(frozen=True, slots=True)
class Reported:
    """From a worker: its report."""

    report: Report


@dataclass(frozen=True, slots=True)
class Asked:
    """To a worker: send the answers to the socket that comes with this message."""

    question: Question
    worker: int


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
    | Asked
    | AskReport
    | Reported
)
Receive = Callable[[Message, list[socket.socket]], None]


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that preserve message boundaries (SOCK_SEQPACKET). Only on Linux."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Channel:
    """One end of the channel. Both ends are processes of one program, so messages are trusted and unpickled."""

    def __init__(self, end: socket.socket, received: Receive, ended: Callable[[], None]) -> None:
        """Calls *received* for each message, and *ended* once when the other end is closed."""
        self._socket = end
        self._received = received
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        end.setblocking(False)
        self._loop.add_reader(end.fileno(), self._read)

    def send(self, message: Message, sockets: Sequence[socket.socket] = ()) -> None:
        """Sends *message*. It is lost if the other end is gone or stuck."""
        try:
            socket.send_fds(self._socket, [pickle.dumps(message)], [each.fileno() for each in sockets])
        except OSError:
            # _read notices that the other end is gone; the parent's pings find a stuck worker
            return

    def close(self) -> None:
        """Ends the channel; may be called twice."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def read_rest(self) -> None:
        """Reads the messages that the other end sent before its process ended, and closes."""
        while self._socket.fileno() >= 0:
            if not self._read():
                self.close()

    def _read(self) -> bool:
        """Reads one message; returns false if there is none."""
        try:
            octets, descriptors, _, _ = socket.recv_fds(self._socket, MESSAGE_BYTES, MAX_SOCKETS)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            octets, descriptors = b"", []
        if octets:
            self._received(pickle.loads(octets), [socket.socket(fileno=each) for each in descriptors])
        else:
            self.close()
            self._ended()
        return bool(octets)
