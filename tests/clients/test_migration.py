"""A client that had synchronised with a Dovecot goes on with mektup after an import, and transfers nothing."""

from __future__ import annotations

import imaplib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.mektup import PROGRAM, Mektup
from tests.peer import dovecot

from .mail import SAMPLES
from .programs import program
from .served import Account
from .test_mbsync import Mbsync, transfers
from .test_offlineimap import OfflineImap
from .trees import tree

MESSAGES = 60
WORK = "Work.Letters"


@dataclass(frozen=True)
class Old:
    """The account on a Dovecot; for the clients, in place of one on mektup."""

    at: dovecot.Address
    folder: Path

    name = dovecot.USER
    password = dovecot.PASSWORD
    certificate = Path(__file__)  # not used, but it must exist

    def port(self, protocol: str) -> int:
        assert protocol == "imap"
        return self.at.port


@pytest.fixture
def old() -> Iterator[Old]:
    """A Dovecot with messages in two mailboxes, of which some were removed."""
    if reason := dovecot.missing():
        pytest.skip(reason)
    # its sockets need a short path
    with tempfile.TemporaryDirectory(prefix="dovecot-") as folder:
        root = Path(folder)
        with dovecot.running(root, "maildir:{root}/mail/%u") as at:
            with imaplib.IMAP4(at.host, at.port) as client:
                client.login(at.user, at.password)
                client.create(WORK)
                for number in range(MESSAGES):
                    raw = b"Subject: number %d\r\n\r\nhello\r\n" % number if number >= len(SAMPLES) else SAMPLES[number]
                    client.append("INBOX" if number % 3 else WORK, r"(\Seen)" if number % 2 else "", "", raw)
                client.select("INBOX")
                client.store("3:5", "+FLAGS", r"(\Deleted)")
                client.store("7", "+FLAGS", r"(\Flagged \Answered)")
                client.expunge()
            yield Old(at, root / "mail" / dovecot.USER)


def move(old: Old, account: Account) -> None:
    """Imports the Maildir of the old account."""
    assert isinstance(account.server, Mektup)
    words = [PROGRAM, "import", account.name, old.folder, "--config", account.server.configuration]
    done = subprocess.run(words, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout) == (0, f"imported {MESSAGES - 3} messages\n"), done.stderr


def now_at(client: Mbsync | OfflineImap, old: Old, account: Account) -> None:
    """Lets the client talk to mektup, and changes nothing else."""
    path = client.configuration
    text = path.read_text()
    for before, after in (
        (str(old.port("imap")), str(account.port("imap"))),
        (old.name, account.name),
        (old.password, account.password),
    ):
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)


def test_mbsync_transfers_nothing(old: Old, account: Account, tmp_path: Path) -> None:
    client = Mbsync(program("mbsync", "isync", tmp_path), old, tls=False)
    assert transfers(client.sync()) != []
    before = messages(client.mail)
    assert len(before) == MESSAGES - 3
    move(old, account)
    now_at(client, old, account)
    assert transfers_of_mail(client.sync()) == []
    assert messages(client.mail) == before
    assert transfers(client.sync()) == []


def test_offlineimap_transfers_nothing(old: Old, account: Account, tmp_path: Path) -> None:
    client = OfflineImap(program("offlineimap", "offlineimap3", tmp_path), old, tls=False)
    client.sync()
    before = messages(client.mail)
    assert len(before) == MESSAGES - 3
    move(old, account)
    now_at(client, old, account)
    told = client.sync()
    assert b"Copy message" not in told
    assert b"UIDVALIDITY" not in told.upper()
    assert messages(client.mail) == before


def messages(mail: Path) -> dict[str, bytes]:
    """The messages of all Maildirs below *mail*, with their names."""
    return {name: raw for name, raw in tree(mail).items() if "/cur/" in f"/{name}" or "/new/" in f"/{name}"}


def transfers_of_mail(wire: bytes) -> list[bytes]:
    """The commands that transferred messages or changed flags, without those that make mailboxes."""
    return [line for line in transfers(wire) if b"CREATE" not in line and b"SUBSCRIBE" not in line]
