"""Clients that cost next to nothing: raw sockets, no parsing while the clock runs."""

from __future__ import annotations

import hashlib
import re
import socket
import time
from dataclasses import dataclass

TAG = b"zz9plural"
"""No line of the mail begins with it, so that the end of an answer is known by its last line."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how long it took from the first octet sent to the last one received."""

    seconds: float
    octets: bytes

    @property
    def literals(self) -> list[bytes]:
        """The literals in it, in order."""
        found, place = [], 0
        while opening := _LITERAL.search(self.octets, place):
            place = opening.end() + int(opening[1])
            found.append(self.octets[opening.end() : place])
        return found


_LITERAL = re.compile(rb"\{(\d+)\}\r\n")


class Connection:
    """A socket to a server, with Nagle's algorithm off."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection(address, timeout=300)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Hangs up."""
        self._socket.close()

    def line(self) -> bytes:
        """What the server has to say, up to the end of a line."""
        octets = b""
        while not octets.endswith(b"\r\n"):
            octets += self._receive()
        return octets

    def send(self, octets: bytes) -> None:
        """Sends all of *octets*."""
        self._socket.sendall(octets)

    def _receive(self) -> bytes:
        octets = self._socket.recv(1 << 20)
        if not octets:
            raise OSError("the server closed the connection")
        return octets


class ImapClient(Connection):
    """An IMAP client, logged in."""

    def __init__(self, address: Address, name: str, password: str) -> None:
        super().__init__(address)
        self.line()
        self.run(f'LOGIN "{name}" "{password}"'.encode())

    def run(self, *commands: bytes) -> Answer:
        """Sends *commands* pipelined, and waits until the last of them is OK; raises OSError if it is not.

        Only the last one's answer is looked at; the octets are all that came.
        """
        begun = time.perf_counter()
        self.send(
            b"".join([b"a " + command + b"\r\n" for command in commands[:-1]] + [TAG, b" ", commands[-1], b"\r\n"])
        )
        chunks, tail = [], b""
        while True:
            chunk = self._receive()
            chunks.append(chunk)
            # The last line of the answer is short; only the end of what came is looked at.
            tail = (tail + chunk)[-4096:] if len(chunk) < 4096 else chunk[-4096:]
            if tail.endswith(b"\r\n") and tail.split(b"\r\n")[-2].startswith(TAG + b" "):
                break
        seconds = time.perf_counter() - begun
        octets = b"".join(chunks)
        if TAG + b" OK" not in tail:
            raise OSError(f"{commands[-1][:100]!r} was answered by {tail[-200:]!r}")
        return Answer(seconds, octets)

    def append(self, mailbox: bytes, raw: bytes) -> None:
        """Appends *raw*, and waits for the OK; the literal is not synchronising (RFC 7888)."""
        self.run(b"APPEND %b {%d+}\r\n%b" % (mailbox, len(raw), raw))


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
        self.send(self._envelope)
        replies = b""
        while replies.count(b"\r\n") < 3:
            replies += self.line()
        if not replies.splitlines()[2].startswith(b"354"):
            raise OSError(f"the recipient was refused: {replies!r}")
        self.send(re.sub(rb"(?m)^\.", b"..", raw) + b".\r\n")
        reply = self.line()
        if not reply.startswith(b"250"):
            raise OSError(f"the message was refused: {reply!r}")


def digest(pieces: list[bytes]) -> str:
    """Names the content of *pieces*, so that two servers' answers can be compared."""
    total = hashlib.blake2b(digest_size=8)
    for piece in pieces:
        total.update(b"%d:" % len(piece) + piece)
    return total.hexdigest()
