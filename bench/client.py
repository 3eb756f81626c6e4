"""Clients that cost almost nothing: raw sockets, and no parsing while the clock runs."""

from __future__ import annotations

import re
import socket
import ssl
import time
from dataclasses import dataclass

RECEIVED_AT_ONCE = 1 << 20
LAST_LINE = 4096
"""More octets than the last line of an answer has."""

TAG = b"zz9plural"
"""No line of the mail begins with this tag, so the last line of an answer can be recognized."""

_REFUSAL = re.compile(rb"^a (?:NO|BAD) .*", re.MULTILINE)

Address = tuple[str, int]

TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""TLS without verification: the certificates here are self-signed, and nothing is secret."""
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer, and the time from the first octet sent to the last one received."""

    seconds: float
    octets: bytes


class Connection:
    """A socket to a server."""

    nodelay = True
    """Whether Nagle's algorithm is off."""

    def __init__(self, address: Address, *, tls: bool = False) -> None:
        self._socket = socket.create_connection(address, timeout=300)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, self.nodelay)
        if tls:
            self._socket = TRUSTING.wrap_socket(self._socket)
        self._buffer = bytearray(RECEIVED_AT_ONCE)

    @property
    def port(self) -> int:
        """The local port."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

    def line(self) -> bytes:
        """Reads from the server up to the end of a line."""
        octets = b""
        while not octets.endswith(b"\r\n"):
            octets += self._receive()
        return octets

    def send(self, octets: bytes) -> None:
        """Sends all of *octets*."""
        self._socket.sendall(octets)

    def _receive(self) -> bytes:
        return bytes(self._buffer[: self._receive_at(0)])

    def _receive_at(self, place: int) -> int:
        """Reads into the buffer from *place* on; returns the number of octets."""
        count = self._socket.recv_into(memoryview(self._buffer)[place:])
        if not count:
            raise OSError("the server closed the connection")
        return count


class ImapClient(Connection):
    """An IMAP client, logged in."""

    def __init__(self, address: Address, name: str, password: str, *, tls: bool = False) -> None:
        super().__init__(address, tls=tls)
        self.line()
        self.run(f'LOGIN "{name}" "{password}"'.encode())

    def run(self, *commands: bytes) -> Answer:
        """Sends *commands* pipelined, and waits until the last of them is done; raises OSError if one is not OK."""
        begun = time.perf_counter()
        self.send(
            b"".join([b"a " + command + b"\r\n" for command in commands[:-1]] + [TAG, b" ", commands[-1], b"\r\n"])
        )
        count = self._answer(keep=True)
        seconds = time.perf_counter() - begun
        octets = bytes(memoryview(self._buffer)[:count])
        self._check(commands[-1], count)
        if len(commands) > 1 and (refusal := _REFUSAL.search(octets)):
            raise OSError(f"one of {len(commands)} commands, such as {commands[0][:100]!r}, got {refusal[0]!r}")
        return Answer(seconds, octets)

    def run_and_forget(self, command: bytes) -> None:
        """Sends *command*, and reads its answer without keeping it; raises OSError if it is not OK."""
        self.send(b"%b %b\r\n" % (TAG, command))
        self._check(command, self._answer(keep=False))

    def _answer(self, *, keep: bool) -> int:
        """Reads up to the end of the line with TAG; returns the octets in the buffer: all, or without *keep* the
        last."""
        count = 0
        while True:
            if len(self._buffer) - count < RECEIVED_AT_ONCE:
                # the buffer only grows, so after the first runs no run pays for its growth
                self._buffer += bytes(len(self._buffer))
            received = self._receive_at(count)
            count += received
            # the last line is short, so only the end is examined
            start = self._buffer.rfind(b"\n", max(0, count - LAST_LINE), count - 1) + 1
            if self._buffer.startswith(TAG + b" ", start) and self._buffer.endswith(b"\r\n", 0, count):
                return count
            if not keep and count > LAST_LINE:
                self._buffer[:LAST_LINE] = self._buffer[count - LAST_LINE : count]
                count = LAST_LINE

    def _check(self, command: bytes, count: int) -> None:
        """Raises OSError if the answer to *command*, so many octets in the buffer, does not end in an OK."""
        tail = self._buffer[max(0, count - LAST_LINE) : count]
        if TAG + b" OK" not in tail:
            raise OSError(f"{command[:100]!r} was answered by {bytes(tail[-200:])!r}")

    def idle(self) -> None:
        """Begins to IDLE, and returns when the server has agreed."""
        self.send(b"i IDLE\r\n")
        while not re.search(rb"^\+", self.line(), re.MULTILINE):
            pass

    def done(self) -> None:
        """Ends the IDLE."""
        self.send(b"DONE\r\n")
        while b"i OK" not in self.line():
            pass


class SplitLiteralClient(ImapClient):
    """A client that sends a literal and the end of its line in two writes, with Nagle's algorithm on."""

    nodelay = False

    def run_with_literal(self, command: bytes, literal: bytes) -> Answer:
        """Runs *command* with *literal* as its last argument; raises OSError if it is not OK."""
        begun = time.perf_counter()
        self.send(b"%b %b {%d}\r\n" % (TAG, command, len(literal)))
        while not (answer := self.line()).startswith(b"+"):
            if answer.startswith(TAG):
                raise OSError(f"the literal was refused: {answer!r}")
        self.send(literal)
        self.send(b"\r\n")
        count = self._answer(keep=True)
        seconds = time.perf_counter() - begun
        self._check(command, count)
        return Answer(seconds, bytes(memoryview(self._buffer)[:count]))


class LmtpClient(Connection):
    """An LMTP client that has said LHLO, delivering to *recipient*."""

    def __init__(self, address: Address, recipient: str) -> None:
        super().__init__(address)
        self._envelope = f"MAIL FROM:<bench@example.org>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()
        self.line()
        self.send(b"LHLO bench.example\r\n")
        while not re.search(rb"^250 .*\r\n\Z", self.line(), re.MULTILINE):
            pass

    def deliver(self, raw: bytes) -> None:
        """Delivers *raw*, which must end with CRLF, and waits for its 250; raises OSError for anything else."""
        self.begin_delivery(raw)
        self.end_delivery()

    def begin_delivery(self, raw: bytes) -> float:
        """Sends *raw* without waiting for the answer; returns the perf_counter() time when its first octet left."""
        self.send(self._envelope)
        replies = b""
        while replies.count(b"\r\n") < 3:
            replies += self.line()
        if not replies.splitlines()[2].startswith(b"354"):
            raise OSError(f"the recipient was refused: {replies!r}")
        stuffed = re.sub(rb"(?m)^\.", b"..", raw) + b".\r\n"
        begun = time.perf_counter()
        self.send(stuffed)
        return begun

    def end_delivery(self) -> None:
        """Waits for the 250; raises OSError for anything else."""
        reply = self.line()
        if not reply.startswith(b"250"):
            raise OSError(f"the message was refused: {reply!r}")
