"""A user moves from Dovecot over IMAP, and mail programs that synchronised there go on here without a transfer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .mail import PLAIN, logged_in
from .old_server import DOTS, MAILDIR, MASTER, PASSWORD, Cutting, OldServer, fill, mektup, old_server
from .programs import Program, private_file, program
from .scale import MESSAGES
from .served import HOST, WITNESS, Account
from .test_mbsync import CONFIGURATION as MBSYNC
from .test_mbsync import transfers
from .test_offlineimap import CONFIGURATION
from .trees import tree

pytestmark = pytest.mark.skipif(WITNESS, reason="moves into mektup")

OFFLINEIMAP = CONFIGURATION.replace("[general]\n", "[general]\nfsync = no\n")
"""By default it waits for the disk three times for each message: minutes for thousands, and nothing that is tested."""

MOST_DOWNLOADED = 1000
"""OfflineIMAP downloads accounts with so many messages in a mailbox; of larger ones it is given its copy."""

LETTERS = {"\\Seen": "S", "\\Answered": "R", "\\Flagged": "F", "\\Deleted": "T", "\\Draft": "D"}


@pytest.fixture(params=["", MAILDIR], ids=["sdbox", "maildir"])
def old(request: pytest.FixtureRequest) -> Iterator[OldServer]:
    with old_server(["linda"], request.param) as server:
        fill(server, "linda", messages=MESSAGES)
        yield server


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    return private_file(tmp_path / "password", PASSWORD + "\n")


def held(client: object, mailbox: str) -> list[tuple[bytes, ...]]:
    """UID, flags, date and octets of each message, as FETCH tells them."""
    client.select(f'"{mailbox}"', readonly=True)  # type: ignore[attr-defined]
    _, parts = client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")  # type: ignore[attr-defined]
    found = []
    for place, part in enumerate(parts):
        if isinstance(part, tuple):
            around = part[0] + parts[place + 1]
            uid = re.search(rb"UID (\d+)", around)
            flags = re.search(rb"FLAGS \(([^)]*)\)", around)
            date = re.search(rb'INTERNALDATE "([^"]*)"', around)
            assert uid and flags and date  # noqa: PT018
            kept = sorted(flag for flag in flags[1].split() if flag != b"\\Recent")
            found.append((uid[1], b" ".join(kept), date[1].lstrip(b" 0"), part[1]))
    return found


def states(client: object) -> dict[bytes, bytes]:
    """UIDVALIDITY and UIDNEXT of each mailbox."""
    _, names = client.list()  # type: ignore[attr-defined]
    found = {}
    for line in names:
        name = re.sub(rb'.* "." ', b"", line)
        _, [answer] = client.status(name.decode(), "(UIDNEXT UIDVALIDITY MESSAGES)")  # type: ignore[attr-defined]
        state = dict(re.findall(rb"(UIDNEXT|UIDVALIDITY|MESSAGES) (\d+)", answer))
        found[name.strip(b'"')] = b" ".join(state[key] for key in sorted(state))
    return found


class Client:
    """A mail program that keeps a copy: its configuration names the old server or the new one."""

    def __init__(self, program: Program, template: str) -> None:
        self._program, self._template = program, template
        self.mail = program.home / "Mail"
        self.mail.mkdir()

    def configured(self, port: int, name: str, password: str) -> Path:
        text = self._template.format(
            port=port, name=name, password=password, tls="None", ssl="no", certificate="", home=self._program.home
        )
        if "sslcacertfile = \n" in text:
            text = text.replace("sslcacertfile = \n", "")
        return private_file(self._program.home / "configuration", text)

    def with_old(self, old: OldServer) -> bytes:
        return self._run(self.configured(old.dovecot.ports["imap"], "linda", PASSWORD))

    def with_new(self, account: Account) -> bytes:
        return self._run(self.configured(account.port("imap"), account.name, account.password))

    def _run(self, configuration: Path) -> bytes:
        raise NotImplementedError


class Mbsync(Client):
    def _run(self, configuration: Path) -> bytes:
        return self._program.run("-Dn", "-c", configuration, "-a")


class OfflineImap(Client):
    def knows(self, old: OldServer) -> None:
        """Gives it the copy that it would make of *old* itself, a message a round trip: an hour for thousands."""
        with old.session("linda") as client:
            for name in states(client):
                folder = self.mail / name.decode().replace("/", ".")
                made = hashlib.md5(folder.name.encode()).hexdigest()
                for part in ("cur", "new", "tmp"):
                    (folder / part).mkdir(parents=True)
                for number, message in enumerate(held(client, name.decode())):
                    uid, flags, octets = message[0].decode(), message[1].decode(), message[3]
                    letters = "".join(sorted(LETTERS[flag] for flag in flags.split() if flag in LETTERS))
                    file = f"1700000000_{number}.1.host,U={uid},FMD5={made}:2,{letters}"
                    # what it has not seen is in new
                    part = "cur" if "S" in letters else "new"
                    (folder / part / file).write_bytes(octets.replace(b"\r\n", b"\n"))
        assert transferred(self.with_old(old)) == []

    def _run(self, configuration: Path) -> bytes:
        return self._program.run("-o", "-c", configuration, "-u", "basic")


def change(old: OldServer) -> None:
    """What happens at the old server between the first import and the switch."""
    with old.session("linda") as client:
        client.append("INBOX", "(\\Flagged)", None, PLAIN)
        client.select("Work")
        client.uid("STORE", "10", "FLAGS", "(\\Answered Later)")
        client.uid("STORE", "12:14", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.append("Work", "", None, PLAIN)


def same_as_old(old: OldServer, account: Account) -> None:
    """Fails where the account differs from that at the old server."""
    with old.session("linda") as there, logged_in(account) as here:
        expected, found = states(there), states(here)
        assert expected.items() <= found.items()
        for name in expected:
            if b"Work" in name or name == b"INBOX":
                assert held(here, name.decode()) == held(there, name.decode())


def test_everything_comes_as_it_was(old: OldServer, account: Account, password_file: Path) -> None:
    printed = mektup(account.server, "import", account.name, old.url("linda"), "--password-file", password_file)
    assert f"imported {4 * (MESSAGES - 4)} messages" in printed
    same_as_old(old, account)
    again = mektup(account.server, "import", account.name, old.url("linda"), "--password-file", password_file)
    assert "imported 0 messages" in again


def test_mbsync_goes_on_without_a_transfer(
    old: OldServer, account: Account, password_file: Path, tmp_path: Path
) -> None:
    client = Mbsync(program("mbsync", "isync", tmp_path), MBSYNC.replace("{certificate}\n", ""))
    assert transfers(client.with_old(old)) != []
    assert transfers(client.with_old(old)) == []
    take = ("import", account.name, old.url("linda"), "--password-file", password_file)
    mektup(account.server, *take)
    before = tree(client.mail)
    assert transfers(client.with_new(account)) == []
    assert tree(client.mail) == before

    change(old)
    assert transfers(client.with_old(old)) != []
    printed = mektup(account.server, *take, "--follow")
    assert "imported 2 messages" in printed
    same_as_old(old, account)
    before = tree(client.mail)
    assert transfers(client.with_new(account)) == []
    assert tree(client.mail) == before


def test_offlineimap_goes_on_without_a_transfer(
    old: OldServer, account: Account, password_file: Path, tmp_path: Path
) -> None:
    client = OfflineImap(program("offlineimap", "offlineimap3", tmp_path), OFFLINEIMAP)
    if MESSAGES > MOST_DOWNLOADED:
        client.knows(old)
    client.with_old(old)
    take = ("import", account.name, old.url("linda"), "--password-file", password_file)
    mektup(account.server, *take)
    before = tree(client.mail)
    assert transferred(client.with_new(account)) == []
    assert tree(client.mail) == before

    change(old)
    assert transferred(client.with_old(old)) != []
    mektup(account.server, *take, "--follow")
    before = tree(client.mail)
    assert transferred(client.with_new(account)) == []
    assert tree(client.mail) == before


@pytest.mark.parametrize("kind", ["mbsync", "offlineimap"])
def test_after_an_import_of_dovecots_maildir_nothing_is_transferred(
    account: Account, password_file: Path, tmp_path: Path, kind: str
) -> None:
    with old_server(["linda"], MAILDIR) as old:
        fill(old, "linda", messages=MESSAGES)
        client: Mbsync | OfflineImap
        if kind == "mbsync":
            client = Mbsync(program("mbsync", "isync", tmp_path), MBSYNC.replace("{certificate}\n", ""))
        else:
            client = OfflineImap(program("offlineimap", "offlineimap3", tmp_path), OFFLINEIMAP)
            if MESSAGES > MOST_DOWNLOADED:
                client.knows(old)
        client.with_old(old)
        maildir = old.dovecot.folder / "home" / "linda" / "Maildir"
        printed = mektup(account.server, "import", account.name, maildir)
        assert f"imported {4 * (MESSAGES - 4)} messages" in printed
        before = tree(client.mail)
        seen = transfers if kind == "mbsync" else transferred
        assert seen(client.with_new(account)) == []
        assert tree(client.mail) == before
        same_as_old(old, account)

        # what was imported from files can be followed over IMAP
        change(old)
        client.with_old(old)
        take = ("import", account.name, old.url("linda"), "--password-file", password_file, "--follow")
        assert "imported 2 messages" in mektup(account.server, *take)
        before = tree(client.mail)
        assert seen(client.with_new(account)) == []
        assert tree(client.mail) == before
        same_as_old(old, account)


def transferred(printed: bytes) -> list[bytes]:
    """The lines in which OfflineIMAP says that it transfers something."""
    return re.findall(rb"(?i)^.*(?:copy|adding|deleting|flags).*$", printed, re.MULTILINE)


def test_names_below_inbox_with_dots_become_ours(account: Account, password_file: Path) -> None:
    with old_server(["linda"], DOTS + MAILDIR) as old:
        fill(old, "linda", messages=8, prefix="INBOX.", delimiter=".")
        mektup(account.server, "import", account.name, old.url("linda"), "--password-file", password_file)
    with logged_in(account) as client:
        found = states(client)
    assert {b"INBOX", b"Work", b"Work/&AMc-al&ATEBXw-ma 2026", b"Sent"} <= found.keys()
    assert not [name for name in found if name.startswith(b"INBOX/")]


def test_a_connection_that_is_cut_again_and_again(account: Account, password_file: Path) -> None:
    with old_server(["linda"]) as old:
        fill(old, "linda", messages=MESSAGES)
        with Cutting(old.dovecot.ports["imap"], 120_000) as proxy:
            url = f"imap://linda@{HOST}:{proxy.port}"
            printed = mektup(account.server, "import", account.name, url, "--password-file", password_file)
            assert proxy.cut > 1
        assert f"imported {4 * (MESSAGES - 4)} messages" in printed
        same_as_old(old, account)


def test_the_certificate_is_checked(account: Account, password_file: Path) -> None:
    with old_server(["linda"]) as old:
        fill(old, "linda", messages=8)
        take = ("import", account.name, old.url("linda", "imaps"), "--password-file", password_file)
        assert "did not prove its name" in mektup(account.server, *take, status=1)
        assert "imported 16 messages" in mektup(account.server, *take, "--ca-file", old.certificate)
        assert "--insecure" in mektup(account.server, *take, "--insecure")


def test_a_wrong_password_and_a_password_that_is_typed(account: Account, tmp_path: Path) -> None:
    with old_server(["linda"]) as old:
        fill(old, "linda", messages=8)
        wrong = private_file(tmp_path / "wrong", "wrong\n")
        take = ("import", account.name, old.url("linda"), "--password-file")
        assert "does not let linda in" in mektup(account.server, *take, wrong, status=1)
        assert "imported 16 messages" in mektup(account.server, *take, "-", typed=PASSWORD + "\n")


def test_a_master_user_moves_many_users_and_one_that_fails_stops_nobody(account: Account, tmp_path: Path) -> None:
    users = ["linda", "fred", "emma", "nobody"]
    with old_server(users[:3]) as old:
        for user in users[:3]:
            fill(old, user, messages=8)
        table = tmp_path / "users.csv"
        table.write_text("user,account\n" + "".join(f"{user},{account.name}-{user}\n" for user in users))
        for user in ("linda", "fred", "nobody"):
            account.server.add_user(f"{account.name}-{user}", "x")
        secret = private_file(tmp_path / "master", MASTER[1] + "\n")
        take = ("import", "--users", table, old.url(), "--master", MASTER[0], "--password-file", secret, "--jobs", "2")
        printed = mektup(account.server, *take, status=1)
    assert f"{account.name}-linda: imported 16 messages" in printed
    assert f"{account.name}-fred: imported 16 messages" in printed
    assert f"there is no account {account.name}-emma" in printed
    assert "does not let admin in" in printed
    assert "imported the mail of 2 users" in printed
