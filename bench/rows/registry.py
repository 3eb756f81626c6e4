"""Defines a row, and what a row needs to talk to a server.

A row is a function that takes a :class:`Bench`, does its work on that server and returns a :class:`Measured`. The
answers are reduced to a value that must be the same for every server, so that a server cannot be faster by doing less.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from bench.client import Address, ImapClient, LmtpClient
from bench.mail import Mail
from bench.processes import ProcessTree

READER, WRITER, FOLDERS = "reader", "writer", "folders"
"""The account whose INBOX holds all the mail, the one that mail is added to, and the one with many mailboxes."""

CROWD = tuple(f"crowd{number:03}" for number in range(50))
"""Accounts for many connections at once."""

CROWD_MESSAGES = 40
"""The number of messages in the INBOX of each of them."""

PASSWORD = "benchmark"
"""The password of every account."""


QUIET = 0.02
"""A server is at rest if its processes use less than this share of a processor ..."""

QUIET_SECONDS = 1.8
"""... for this time: mektup begins to index when no mail has arrived for a second."""

REST_SECONDS = 300.0
"""The longest wait for a server to be at rest; to index much mail takes minutes."""


class Server(Protocol):
    """A mail server in its own processes, which can be stopped, and started again on the same mail."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """``mektup`` or ``Dovecot``: the same for two checkouts of mektup, whose names differ."""

    @property
    def version(self) -> str: ...

    @property
    def ports(self) -> dict[str, int]: ...

    @property
    def pid(self) -> int:
        """The main process; all others are its descendants."""

    @property
    def mail_folder(self) -> str:
        """The folder with the mail of all accounts, and nothing else."""

    def restart(self, *, workers: int) -> None:
        """Stops the server if it runs, and starts it; *workers* is for a server that has a number of them."""

    def stop(self) -> None:
        """Stops the server."""

    def import_command(self, account: str, maildir: Path, mailbox: str) -> Sequence[str]:
        """The command that imports *maildir* below or into *mailbox*."""

    def imported_mailbox(self, mailbox: str) -> str:
        """Where the messages of the Maildir itself are then."""

    def backup_command(self, account: str, target: Path) -> Sequence[str]:
        """The command that backs *account* up to the directory *target*, which does not exist."""

    def messages_in_backup(self, account: str, target: Path) -> int:
        """How many messages of *account* the backup in *target* has."""


class Stage(Enum):
    """The state that a server must be in for a row."""

    ONE = "one worker, warm"
    FRESH = "one worker, just started"
    TWO = "two workers"

    @property
    def workers(self) -> int:
        """How many workers serve, if the server has a number of them."""
        return 2 if self is Stage.TWO else 1


class Unit(Enum):
    """What a row's figure counts."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    KIB = "KiB"


@dataclass(slots=True)
class Bench:
    """One server, filled with mail."""

    server: Server
    mail: Sequence[Mail]
    """The first messages, as many as a row may need."""
    messages: int
    """The number of messages in the reader's INBOX."""
    octets: int
    """Their size together."""
    _imap: dict[str, ImapClient] = field(default_factory=dict)
    _lmtp: LmtpClient | None = None
    _done: set[str] = field(default_factory=set)
    capabilities: frozenset[str] = frozenset()
    """As announced after the login."""

    @property
    def name(self) -> str:
        """The name of the server."""
        return self.server.name

    @property
    def kind(self) -> str:
        """The kind of the server."""
        return self.server.kind

    @property
    def processes(self) -> ProcessTree:
        """All processes of the server."""
        return ProcessTree(self.server.pid)

    def address(self, protocol: str) -> Address:
        """Host and port of the server for *protocol*."""
        return "127.0.0.1", self.server.ports[protocol]

    def imap(self, account: str = READER) -> ImapClient:
        """The shared session of *account*; the reader's has INBOX open."""
        if account not in self._imap:
            self._imap[account] = self.new_imap(account)
            if account == READER:
                self._imap[account].run(b"SELECT INBOX")
        return self._imap[account]

    def new_imap(self, account: str = READER) -> ImapClient:
        """A new session, which the caller closes."""
        return ImapClient(self.address("imap"), account, PASSWORD)

    def lmtp(self) -> LmtpClient:
        """A connection that delivers to the writer."""
        if self._lmtp is None:
            self._lmtp = LmtpClient(self.address("lmtp"), f"{WRITER}@example.org")
        return self._lmtp

    def once(self, what: str) -> bool:
        """True at the first call with *what*: for what a row prepares once for all of its runs."""
        is_first = what not in self._done
        self._done.add(what)
        return is_first

    def restart(self, workers: int) -> None:
        """Restarts the server on the same mail; all earlier connections are closed."""
        self.hang_up()
        self.server.restart(workers=workers)
        client = self.imap()
        words = client.run(b"CAPABILITY").octets.split(b"\r\n")[0].split()
        self.capabilities = frozenset(word.decode() for word in words)

    def hang_up(self) -> None:
        """Closes the shared connections."""
        for client in [*self._imap.values(), *([self._lmtp] if self._lmtp else [])]:
            client.close()
        self._imap.clear()
        self._lmtp = None

    def open_all(self) -> None:
        """Opens the crowd's accounts once, and waits for the work of a first opening, such as indexing."""
        if self.once("crowd"):
            self.restart(workers=1)
            clients = [self.new_imap(account) for account in CROWD]
            for client in clients:
                client.run(b"SELECT INBOX")
            self.wait_for_rest()
            for client in clients:
                client.close()

    def wait_for_rest(self) -> None:
        """Waits until the server is idle, so that no row counts the work after a start or of indexing."""
        deadline = time.monotonic() + REST_SECONDS
        quiet_since, before = time.monotonic(), self.processes.cpu()
        while time.monotonic() < min(deadline, quiet_since + QUIET_SECONDS):
            time.sleep(0.1)
            now = self.processes.cpu()
            if now - before > QUIET * 0.1:
                quiet_since = time.monotonic()
            before = now
        if time.monotonic() >= deadline:
            print(f"{self.name} is not at rest after {REST_SECONDS:.0f} s", file=sys.stderr, flush=True)

    def stopwatch(self) -> Stopwatch:
        """A stopwatch, for a ``with`` around exactly what is measured."""
        return Stopwatch(self.processes)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a row."""

    figure: float
    """In the row's unit."""
    cpu: float | None
    """Processor seconds of the server; None if the row does not measure them."""
    check: Callable[[], Any]
    """Reduces the answers to a value that is equal on every server; called after the measurement."""


class Stopwatch:
    """Measures wall time, and the processor time of all processes of the server.

    If it is entered again, the times add up.
    """

    def __init__(self, processes: ProcessTree) -> None:
        self._processes = processes
        self.seconds = self.cpu = 0.0

    def __enter__(self) -> Stopwatch:
        self.cpu -= self._processes.cpu()
        self.seconds -= time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter()
        self.cpu += self._processes.cpu()

    def measured(self, check: Callable[[], Any]) -> Measured:
        """The timed run."""
        return Measured(self.seconds, self.cpu, check)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    key: str
    """The name on the command line."""
    title: str
    measure: Callable[[Bench], Measured]
    asked: float
    """The bound for mektup: its figure divided by Dovecot's, or, if *is_absolute*, the figure itself."""
    is_absolute: bool
    unit: Unit
    needs: tuple[str, ...]
    """Capabilities that the row needs."""
    stage: Stage


ROWS: list[Row] = []
"""In the order of the table."""


def row(
    key: str,
    title: str,
    *,
    ratio: float | None = None,
    at_most: float | None = None,
    unit: Unit = Unit.SECONDS,
    needs: tuple[str, ...] = (),
    stage: Stage = Stage.ONE,
) -> Callable[[Callable[[Bench], Measured]], Row]:
    """Makes a row of a function. The bound is a *ratio* to Dovecot's figure, or a figure *at_most*."""

    def add(measure: Callable[[Bench], Measured]) -> Row:
        asked = ratio if at_most is None else at_most
        assert asked is not None
        made = Row(key, title, measure, asked, at_most is not None, unit, needs, stage)
        ROWS.append(made)
        return made

    return add
