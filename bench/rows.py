"""What is measured: one function for each row of the table.

A row is a function that takes a :class:`Bench`, does its work on that server and returns a :class:`Measured`. What the
server answered is boiled down to a value that must be the same for every server: a row that does less has not won.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.client import Address, ImapClient, LmtpClient, digest

READER, WRITER, PASSWORD = "reader", "writer", "benchmark"
"""The account whose INBOX holds all the mail, the one that mail is added to, and the password of both."""


@dataclass(slots=True)
class Bench:
    """One server, filled with mail, and what the rows need to talk to it."""

    name: str
    addresses: dict[str, Address]
    mail: Sequence[bytes]
    _imap: dict[str, ImapClient] = field(default_factory=dict)
    _lmtp: LmtpClient | None = None

    def imap(self, account: str = READER) -> ImapClient:
        """A session of *account*, the same one every time; the reader's has INBOX open."""
        if account not in self._imap:
            self._imap[account] = ImapClient(self.addresses["imap"], account, PASSWORD)
            if account == READER:
                self._imap[account].run(b"SELECT INBOX")
        return self._imap[account]

    def lmtp(self) -> LmtpClient:
        """A connection that delivers to the writer."""
        if self._lmtp is None:
            self._lmtp = LmtpClient(self.addresses["lmtp"], f"{WRITER}@example.org")
        return self._lmtp


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a row."""

    seconds: float
    check: Any
    """What the answer came to; equal on every server."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    key: str
    """By which it is chosen on the command line."""
    title: str
    per_run: int
    """How many operations a run does; more than 1 and *is_rate*: shown as so many a second."""
    is_rate: bool
    measure: Callable[[Bench], Measured]


ROWS: list[Row] = []
"""In the order of the table."""


def row(key: str, title: str, *, rate_of: int | None = None) -> Callable[[Callable[[Bench], Measured]], Row]:
    """Makes a function a row; with *rate_of*, its time is shown as so many operations a second."""

    def add(measure: Callable[[Bench], Measured]) -> Row:
        made = Row(key, title, rate_of or 1, rate_of is not None, measure)
        ROWS.append(made)
        return made

    return add


def fetched(answer: bytes) -> int:
    """How many messages a FETCH answered with."""
    return len(re.findall(rb"^\* \d+ FETCH ", answer, re.MULTILINE))


SELECTS = 20


@row("select", f"{SELECTS} x SELECT, one by one")
def select(bench: Bench) -> Measured:
    answers = [bench.imap().run(b"SELECT INBOX") for _ in range(SELECTS)]
    counts = [re.findall(rb"\* (\d+) EXISTS", answer.octets) for answer in answers]
    return Measured(sum(answer.seconds for answer in answers), counts)


@row("flags", "UID FETCH 1:* (UID FLAGS)")
def flags(bench: Bench) -> Measured:
    answer = bench.imap().run(b"UID FETCH 1:* (UID FLAGS)")
    uids = re.findall(rb"UID (\d+)", answer.octets)
    return Measured(answer.seconds, (fetched(answer.octets), digest(uids)))


@row("envelope", "FETCH 1:* (ENVELOPE)")
def envelope(bench: Bench) -> Measured:
    answer = bench.imap().run(b"FETCH 1:* (ENVELOPE)")
    return Measured(answer.seconds, (fetched(answer.octets), digest(envelopes(answer.octets))))


@row("body", "FETCH 1:* (BODY.PEEK[])")
def body(bench: Bench) -> Measured:
    answer = bench.imap().run(b"FETCH 1:* (BODY.PEEK[])")
    literals = answer.literals
    return Measured(answer.seconds, (len(literals), sum(map(len, literals)), digest(literals)))


APPENDS = 200


@row("append", "APPEND, one by one, each durable", rate_of=APPENDS)
def append(bench: Bench) -> Measured:
    client, mail = bench.imap(WRITER), bench.mail[:APPENDS]
    client.run(b"CREATE bench")
    begun = time.perf_counter()
    for raw in mail:
        client.append(b"bench", raw)
    seconds = time.perf_counter() - begun
    return Measured(seconds, emptied(client, b"bench"))


DELIVERIES = 300


@row("lmtp", "LMTP delivery, one by one, each durable", rate_of=DELIVERIES)
def lmtp(bench: Bench) -> Measured:
    client, mail = bench.lmtp(), bench.mail[:DELIVERIES]
    begun = time.perf_counter()
    for raw in mail:
        client.deliver(raw)
    seconds = time.perf_counter() - begun
    return Measured(seconds, emptied(bench.imap(WRITER), b"INBOX"))


def emptied(client: ImapClient, mailbox: bytes) -> tuple[int, str]:
    """How many messages a mailbox held and what they were; afterwards it is empty, or gone.

    Header fields above From are passed over: Dovecot's LMTP writes trace fields there.
    """
    client.run(b"SELECT " + mailbox)
    literals = client.run(b"FETCH 1:* (BODY.PEEK[])").literals
    found = len(literals), digest([raw[raw.index(b"\r\nFrom: ") :] for raw in literals])
    client.run(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
    client.run(b"CLOSE")
    if mailbox != b"INBOX":
        client.run(b"DELETE " + mailbox)
    return found


def envelopes(answer: bytes) -> list[bytes]:
    """The ENVELOPE of each message, with strings in one form: a server may write them quoted or as literals."""
    plain = re.sub(rb"\{(\d+)\}\r\n", b"", answer)
    return re.findall(rb"^\* \d+ FETCH \(ENVELOPE (\(.*\))\)\r$", plain, re.MULTILINE)
