"""A Dovecot's Maildir becomes an account, and an account becomes a Maildir of Dovecot: to clients nothing changes."""

from __future__ import annotations

import asyncio
import imaplib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mektup import Server
from tests.peer import corpus, dovecot
from tests.support.command import mektup

pytestmark = pytest.mark.skipif(dovecot.missing() is not None, reason=dovecot.missing() or "")

USER, PASSWORD = dovecot.USER, dovecot.PASSWORD

FLAGS = ["(\\Seen)", "(\\Answered \\Flagged $Work)", "()", "(\\Deleted \\Draft NonJunk $Work)"]
NAMES = ["INBOX", "Work", "Work.Letters", "Entw&APw-rfe"]

State = dict[str, tuple[bytes, list[tuple[int, frozenset[bytes], int, bytes]]]]
"""By mailbox: UIDVALIDITY and UIDNEXT, and of each message UID, flags, date and octets."""


def messages() -> list[bytes]:
    """Some of the corpus, or a few of our own."""
    found = [octets for octets in corpus.messages().values() if octets and len(octets) < 100_000][:60]
    return found or [b"Subject: %d\r\n\r\ntext\r\nFrom x\r\n" % number for number in range(10)]


@contextmanager
def logged_in(host: str, port: int, name: str = USER, password: str = PASSWORD) -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4(host, port) as client:
        client.login(name, password)
        yield client


def state_of(client: imaplib.IMAP4, names: list[str]) -> State:
    """All that a client can see of mailboxes."""
    found: State = {}
    for name in names:
        _, (status,) = client.status(name, "(UIDVALIDITY UIDNEXT)")
        assert isinstance(status, bytes)
        client.select(name, readonly=True)
        _, answers = client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
        rows = []
        for answer in answers:
            if not isinstance(answer, tuple):
                continue
            head, octets = answer
            uid = re.search(rb"UID (\d+)", head)
            flags = re.search(rb"FLAGS \(([^)]*)\)", head)
            date = imaplib.Internaldate2tuple(head)
            assert uid is not None
            assert flags is not None
            assert date is not None
            kept = frozenset(flags[1].split()) - {b"\\Recent"}
            rows.append((int(uid[1]), kept, int(time.mktime(date)), octets))
        found[name] = b" ".join(sorted(re.findall(rb"UID[A-Z]+ \d+", status))), sorted(rows, key=lambda row: row[0])
    return found


def subscribed(client: imaplib.IMAP4) -> set[bytes]:
    """The subscribed names, as they are sent."""
    _, lines = client.lsub()
    return {re.sub(rb'.* "?([^"]+)"?$', rb"\1", line).replace(b"/", b".") for line in lines if isinstance(line, bytes)}


def fill(client: imaplib.IMAP4) -> None:
    """Puts messages into mailboxes, with gaps between UIDs."""
    for name in NAMES[1:]:
        client.create(name)
    for name in ("INBOX", "Work.Letters"):
        client.subscribe(name)
    for number, octets in enumerate(messages()):
        name = NAMES[number % len(NAMES)]
        client.append(name, FLAGS[number % 4], imaplib.Time2Internaldate(1_500_000_000 + number), octets)
    client.select("Work")
    client.uid("STORE", "2,4", "+FLAGS", "(\\Deleted)")
    client.expunge()
    client.close()


LOCATION = "maildir:{root}/mail/%u"


def ours(name: str) -> str:
    """Our name, on the wire, of a mailbox of Dovecot, which separates levels by a dot."""
    return name.replace(".", "/")


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory for Dovecot, whose sockets need a short path."""
    with tempfile.TemporaryDirectory(prefix="dovecot-") as made:
        yield Path(made)


async def test_a_maildir_of_dovecot_is_the_same_to_clients(tmp_path: Path, root: Path) -> None:
    with dovecot.running(root, LOCATION) as at, logged_in(at.host, at.port) as client:
        await asyncio.to_thread(fill, client)
        before, names = state_of(client, NAMES), subscribed(client)
    data = tmp_path / "data"
    async with Server(data, users={USER: PASSWORD}) as server:
        done = await asyncio.to_thread(mektup, "import", USER, str(root / "mail" / USER), "--data", str(data))
        assert (done.status, done.stderr.count("\n")) == (0, 1), done.stderr

        def read() -> tuple[State, set[bytes]]:
            with logged_in(*server.address("imap")) as client:
                return state_of(client, [ours(name) for name in NAMES]), subscribed(client)

        after, names_after = await asyncio.to_thread(read)
    assert after == {ours(name): state for name, state in before.items()}
    assert names <= names_after
    assert b"Entw&APw-rfe" not in names_after


async def test_dovecot_reads_what_we_export(tmp_path: Path, root: Path) -> None:
    data = tmp_path / "data"
    async with Server(data, users={USER: PASSWORD}) as server:

        def write() -> tuple[State, set[bytes]]:
            with logged_in(*server.address("imap")) as client:
                for name in NAMES[1:]:
                    client.create(ours(name))
                for number, octets in enumerate(messages()):
                    name = ours(NAMES[number % len(NAMES)])
                    client.append(name, FLAGS[number % 4], imaplib.Time2Internaldate(1_500_000_000 + number), octets)
                client.select("Work")
                client.uid("STORE", "2,4", "+FLAGS", "(\\Deleted)")
                client.expunge()
                client.close()
                client.subscribe("Work/Letters")
                return state_of(client, [ours(name) for name in NAMES]), subscribed(client)

        before, names = await asyncio.to_thread(write)
        done = await asyncio.to_thread(mektup, "export", USER, str(tmp_path / "out"), "--data", str(data))
        assert (done.status, done.stderr) == (0, "")
    with dovecot.running(root, LOCATION) as at:
        shutil.move(tmp_path / "out", root / "mail" / USER)
        for path in (root / "mail" / USER, *(root / "mail" / USER).rglob("*")):
            shutil.chown(path, *dovecot.owner())
        with logged_in(at.host, at.port) as client:
            after, names_after = state_of(client, NAMES), subscribed(client)
    assert {ours(name): state for name, state in after.items()} == before
    assert names_after == names
