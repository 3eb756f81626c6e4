"""Defines an attack, and the server that it runs against."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from bench.hostile.client import HostileClient, Overtime
from bench.hostile.crowd import Crowd
from bench.mektup import Mektup
from bench.rows.registry import PASSWORD

BYSTANDER, ATTACKER, OTHER = "alice", "mallory", "carol"
"""The user who sends NOOPs, the attacker, and one more user."""

ATTACK_SECONDS = 20.0
PREPARE_SECONDS = 120.0


class Who(Enum):
    """Who can run an attack."""

    STRANGER = "stranger"
    USER = "user"
    MAIL = "mail"


class Stage:
    """A server with one worker, and ways to connect to it."""

    def __init__(self, server: Mektup, *, is_short: bool) -> None:
        self.server = server
        self.is_short = is_short
        """Whether the run should take only seconds: the same attacks on smaller mailboxes."""
        self.deadline = time.monotonic() + PREPARE_SECONDS
        self._clients: list[HostileClient] = []

    def connect(
        self, service: str = "imap", *, receive_buffer: int | None = None, source: str = "127.0.0.1"
    ) -> HostileClient:
        """A connection from *source*, not logged in; closed at the end."""
        client = HostileClient(self.server.ports[service], self.deadline, receive_buffer=receive_buffer, source=source)
        self._clients.append(client)
        return client

    def imap(
        self, name: str = ATTACKER, mailbox: str | None = None, *, receive_buffer: int | None = None
    ) -> HostileClient:
        """A connection that is logged in, with *mailbox* selected if one is named."""
        client = self.connect(receive_buffer=receive_buffer).log_in(name, PASSWORD)
        if mailbox is not None and b" OK" not in (answer := client.ask(b"SELECT " + mailbox.encode())):
            raise OSError(f"{mailbox} could not be selected: {answer!r}")
        return client

    def append(self, raw: Iterable[bytes], mailbox: str = "INBOX", name: str = ATTACKER) -> None:
        """Adds the messages *raw* to *mailbox* by APPEND."""
        client = self.imap(name)
        for each in raw:
            client.send(b"a APPEND %b {%d}\r\n" % (mailbox.encode(), len(each)))
            client.until(rb"\+")
            client.send(each + b"\r\n")
            if b" OK" not in (answer := client.until(b"a ")):
                raise OSError(f"not appended: {answer!r}")

    def crowd(self, service: str = "imap", *, sources: Iterable[str] = ("127.0.0.66",)) -> Crowd:
        """Very many connections, each from one of *sources* in turn."""
        return Crowd(self.server.ports[service], self.deadline, sources=sources)

    def deliver(self, raw: bytes, name: str = ATTACKER) -> bytes:
        """Sends a mail by LMTP; returns the answer."""
        client = self.connect("lmtp")
        client.until(b"220 ")
        client.send(f"LHLO x\r\nMAIL FROM:<x@x.example>\r\nRCPT TO:<{name}>\r\nDATA\r\n".encode())
        client.until(b"354 ")
        client.send(raw.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
        return client.until(b"[245][0-9][0-9] ")

    def rest(self, seconds: float) -> None:
        """Sleeps for *seconds*, but not beyond the deadline."""
        time.sleep(max(0.0, min(seconds, self.deadline - time.monotonic())))

    def hang_up(self) -> None:
        """Closes all connections."""
        for client in self._clients:
            client.close()
        self._clients.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One row of the table."""

    key: str
    who: Who
    what: str
    before: str
    """The effect on the server of commit 6045af2, which had no such bounds."""
    run: Callable[[Stage], str]
    """Runs the attack, for ATTACK_SECONDS at most; returns the attacker's result in a few words. May raise Overtime."""
    prepare: Callable[[Stage], None] | None = None
    """Prepares the data, if the attack needs any; the server is restarted afterwards."""
    settings: str = ""
    """More lines for the top of the server's configuration."""
    stall_ms: float = 50.0
    """How long a NOOP of another user may wait: the longest one, or for a crowd 99 of 100."""
    growth_mb: float = 64.0
    """How much the server's memory may grow."""
    is_in_short: bool = True
    is_crowd: bool = False
    """Whether very many connections or commands are the attack; *growth_mb* is then a bound for the whole server."""


__all__ = ["ATTACKER", "BYSTANDER", "OTHER", "PASSWORD", "Attack", "Overtime", "Stage", "Who"]
