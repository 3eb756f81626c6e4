"""Plays the sessions of the README against the demonstration server."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from types import TracebackType

from mektup import Server
from mektup.cli.demo.command import PASSWORD, USER
from mektup.server.app import ThreadedServer

DIFFERENT_EACH_TIME = re.compile(r"(?<=session )[0-9a-f]+|(?<=UIDVALIDITY )\d+|(?<=MAILBOXID \()F[0-9a-f]+")
"""What differs each time, as the README says: the name of the session, UIDVALIDITY and MAILBOXID."""

TELNETS_OWN = re.compile(r"\$ telnet|Trying|Connected to|Escape character|Connection closed")
TYPED = re.compile(r"A\d+ (?!OK|NO|BAD)")


@contextmanager
def demo() -> Iterator[ThreadedServer]:
    """The server of ``mektup demo``, on free ports."""
    mail = files("mektup.cli.demo")
    with Server(users={USER: PASSWORD}).in_thread() as server:
        for name in sorted(entry.name for entry in mail.iterdir() if entry.name.endswith(".eml")):
            server.deliver(USER, mail.joinpath(name).read_bytes())
        yield server


class Talk:
    """A connection, line by line."""

    def __init__(self, server: ThreadedServer, protocol: str) -> None:
        self._socket = socket.create_connection(server.address(protocol), timeout=20)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lines.close()
        self._socket.close()

    def type(self, line: str) -> None:
        """Sends *line*."""
        self._socket.sendall(line.encode() + b"\r\n")

    def read(self) -> str:
        """The server's next line. Raises EOFError at the end of the stream."""
        if not (line := self._lines.readline()):
            raise EOFError("the server closed the connection")
        return line.decode().removesuffix("\r\n")

    @property
    def has_ended(self) -> bool:
        """Whether the server closed, with nothing left to read."""
        return not self._lines.readline()


def played(session: str, server: ThreadedServer) -> str:
    """*session* with the answers that the server now gives to the typed lines."""
    with Talk(server, "imap") as talk:
        lines = [talk.read()]
        for typed in filter(TYPED.match, session.splitlines()):
            talk.type(typed)
            lines.append(typed)
            tag = typed.split()[0]
            while not lines[-1].startswith((f"{tag} OK", f"{tag} NO", f"{tag} BAD")):
                lines.append(talk.read())
        assert talk.has_ended
    before = [line for line in session.splitlines() if TELNETS_OWN.match(line)]
    return "\n".join([*before[:-1], *lines, before[-1], ""])


def steady(session: str) -> str:
    """*session* without what differs each time."""
    return DIFFERENT_EACH_TIME.sub("*", session)
