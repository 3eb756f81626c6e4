"""A small IMAP client for comparing servers: it sends one command and yields the untagged answers as values.

A string is bytes, whether it is quoted or a literal; NIL is None; a number or any other atom is a str; a list is a
list. So the same values in different forms compare equal.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

Value = Any
"""bytes, None, str, or a list of these."""

TOKEN = re.compile(
    rb'[ \r\n]*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|~?\{(\d+)\+?\}\r\n|((?:\[[^\]]*\]|[^ ()\r\n"{\[])+))', re.DOTALL
)


def parse(octets: bytes) -> list[Value]:
    """The values of one response, in order."""
    stack: list[list[Value]] = [[]]
    position = 0
    while match := TOKEN.match(octets, position):
        position = match.end()
        opening, closing, quoted, size, atom = match.groups()
        if opening:
            stack.append([])
        elif closing:
            done = stack.pop()
            stack[-1].append(done)
        elif quoted is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted, flags=re.DOTALL))
        elif size is not None:
            stack[-1].append(octets[position : position + int(size)])
            position += int(size)
        else:
            stack[-1].append(None if atom.upper() == b"NIL" else atom.decode("latin-1"))
    assert not octets[position:].strip(), f"not understood: {octets[position : position + 80]!r}"
    assert len(stack) == 1, f"unbalanced: {octets[:80]!r}"
    return stack[0]


class ImapClient:
    """One connection, logged in."""

    def __init__(self, host: str, port: int, user: str, password: str) -> None:
        self._socket = socket.create_connection((host, port), timeout=60)
        self._input = self._socket.makefile("rb")
        self._tags = 0
        assert self._response().startswith(b"* OK"), "no greeting"
        self.command(f'LOGIN {user} "{password}"'.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._input.close()
        self._socket.close()

    def _response(self) -> bytes:
        """One response with its literals."""
        octets = self._input.readline()
        assert octets, "the server closed the connection"
        while literal := re.search(rb"\{(\d+)\}\r\n\Z", octets):
            octets += self._input.read(int(literal[1]))
            octets += self._input.readline()
        return octets

    def _answers(self, tag: bytes, command: bytes) -> Iterator[bytes]:
        while True:
            octets = self._response()
            if octets.startswith(b"* "):
                yield octets[2:]
                continue
            assert octets.startswith(tag + b" OK"), f"{command[:80]!r}: {octets!r}"
            return

    def command(self, command: bytes) -> list[bytes]:
        """Sends *command* and yields the untagged responses, raw, without ``* ``. Fails if the answer is not OK."""
        self._tags += 1
        tag = b"t%d" % self._tags
        self._socket.sendall(tag + b" " + command + b"\r\n")
        return list(self._answers(tag, command))

    def append(self, mailbox: str, message: bytes, date: str | None = None) -> None:
        """Appends *message* to *mailbox*, with the internal date *date*."""
        arguments = mailbox if date is None else f'{mailbox} "{date}"'
        self._tags += 1
        tag = b"t%d" % self._tags
        self._socket.sendall(b"%b APPEND %b {%d}\r\n" % (tag, arguments.encode(), len(message)))
        assert self._response().startswith(b"+"), "no leave to send the literal"
        self._socket.sendall(message + b"\r\n")
        list(self._answers(tag, b"APPEND"))

    def fetch(self, seq: int, *items: str) -> dict[str, Value]:
        """The *items* of one message, by their names in the answer, in upper case."""
        for octets in self.command(f"FETCH {seq} ({' '.join(items)})".encode()):
            values = parse(octets)
            if len(values) == 3 and values[1] == "FETCH":
                pairs = values[2]
                return {str(name).upper(): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)}
        raise AssertionError(f"no answer for {items}")
