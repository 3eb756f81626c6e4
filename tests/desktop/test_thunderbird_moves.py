"""Thunderbird keeps its cache when its account moves from Dovecot to mektup: nothing is fetched again.

Thunderbird knows folders by the form of their names on the wire, which is UTF-8 where a server has UTF8=ACCEPT. Dovecot
2.3 does not have it. So it is hidden from the account, or Thunderbird would take a folder with letters outside ASCII
for a new one (docs/migration.md).
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bench.mektup import Mektup
from tests.clients.mail import PLAIN, logged_in
from tests.clients.old_server import PASSWORD, fill, mektup, old_server
from tests.clients.programs import private_file, program
from tests.clients.served import HOST, Account
from tests.desktop.thunderbird import Thunderbird, running

USER = "linda"
APPENDED = 40
MESSAGES = APPENDED - 4
"""In each folder, see ``fill``."""

FOLDERS = ["INBOX", "Work", "Work/&AMc-al&ATEBXw-ma 2026", "Sent"]

FETCH = re.compile(r"UID FETCH (\S+) (.*)", re.IGNORECASE)
OF_OCTETS = re.compile(r"BODY|RFC822|ENVELOPE|BINARY|PREVIEW", re.IGNORECASE)
"""What a FETCH asks for that a cache should have."""


class Address:
    """A port that stays when a name leads to another server: each connection goes to the server of that moment."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.server = 0
        """The port of the server behind it."""

    def __enter__(self) -> Address:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client, socket.create_connection((HOST, self.server)) as server:
            back = threading.Thread(target=_pass_on, args=[server, client], daemon=True)
            back.start()
            _pass_on(client, server)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while octets := source.recv(65536):
            target.sendall(octets)
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def account(server: Mektup) -> Account:
    """An account with the name and the password that the user had before."""
    server.add_user(USER, PASSWORD)
    return Account(server, USER, PASSWORD)


@contextmanager
def traced(account: Account, said: Path) -> Iterator[None]:
    """*said* gets each line of the account's sessions."""
    assert isinstance(account.server, Mektup)
    command = [sys.executable, "-u", "-m", "mektup", "trace", account.name, "--data", str(account.server.data)]
    with said.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def shown(thunderbird: Thunderbird) -> dict[str, list[list[object]]]:
    """Each folder's messages as Thunderbird shows them: UID, subject, flags, size, and whether the body is there."""
    listed = thunderbird.run(
        """
        return a.map(name => [name, messages(named(name)).map(each => [
            each.messageKey, each.mime2DecodedSubject, each.isRead, each.isFlagged, each.getStringProperty("keywords"),
            each.messageSize, each.date, Boolean(each.flags & Ci.nsMsgMessageFlags.Offline),
        ]).sort((one, other) => one[0] - other[0])]);
        """,
        FOLDERS,
    )
    return dict(listed)  # type: ignore[call-overload]


def download(thunderbird: Thunderbird, folder: str, messages: int) -> None:
    """Opens the folder, and waits until it has so many messages, all with their bodies."""
    thunderbird.until(
        """
        const folder = named(a);
        if (!folder) {
            return false;  // it is away while the folders are listed again
        }
        if (messages(folder).length != b) {
            fresh(folder);
            return false;
        }
        if (messages(folder).some(each => !(each.flags & Ci.nsMsgMessageFlags.Offline))) {
            try {
                folder.downloadAllForOffline(null, null);
            } catch {
                // it is busy, maybe with just that
            }
            return false;
        }
        return true;
        """,
        folder,
        messages,
    )


def fetched(said: Path) -> set[str]:
    """Of which UIDs header fields or bodies were asked for."""
    commands = FETCH.findall(said.read_text(encoding="utf-8", errors="replace"))
    return {uids for uids, items in commands if OF_OCTETS.search(items)}


def test_nothing_is_fetched_again_after_a_move(server: Mektup, account: Account, display: str, tmp_path: Path) -> None:
    found = program("thunderbird", "thunderbird", tmp_path / "home")
    found.home.mkdir()
    said = tmp_path / "said"
    with Address() as address:
        with old_server([USER]) as old:
            fill(old, USER, messages=APPENDED)
            address.server = old.dovecot.ports["imap"]
            with running(found, display, tmp_path / "before.png") as thunderbird:
                thunderbird.set_up(USER, PASSWORD, address.port, tls=False)
                for folder in FOLDERS:
                    download(thunderbird, folder, MESSAGES)
                before = shown(thunderbird)
            password_file = private_file(tmp_path / "password", PASSWORD + "\n")
            mektup(server, "user", "hide", USER, "UTF8=ACCEPT")
            mektup(server, "import", USER, old.url(USER), "--password-file", password_file)
        address.server = account.port("imap")
        with traced(account, said), running(found, display, tmp_path / "after.png") as thunderbird:
            thunderbird.until("return Boolean(server);")
            thunderbird.run("server.password = a; server.performExpand(null);", PASSWORD)
            # what is new comes, and with it Thunderbird has compared each folder with the server
            with logged_in(account) as client:
                for folder in FOLDERS:
                    client.append(f'"{folder}"', "", "", PLAIN)
            for folder in FOLDERS:
                download(thunderbird, folder, MESSAGES + 1)
            after = shown(thunderbird)
    assert {folder: messages[:-1] for folder, messages in after.items()} == before
    assert fetched(said) == {str(APPENDED + 1)}
