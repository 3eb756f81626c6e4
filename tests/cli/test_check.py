"""mektup check, as an operator types it."""

from __future__ import annotations

import asyncio
import imaplib
import json
from pathlib import Path

import apsw
import pytest

from mektup import Server
from mektup.cli.check.words import SENTENCES
from mektup.store.rules.consistency import Kind
from tests.support.command import mektup

USERS = {"linda": "Pa$$123", "fred": "Pa$$123"}


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data directory with two accounts; linda has two messages."""
    data = tmp_path / "data"
    async with Server(data, users=USERS) as server:
        for number in range(2):
            await server.deliver("linda", b"Subject: %d\r\n\r\nhello\r\n" % number)
    return data


def spoil(data: Path, sql: str) -> Path:
    """Damages the file of linda."""
    for path in sorted((data / "accounts").glob("*/*.db")):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        if connection.execute("SELECT name FROM account").get == "linda":
            connection.execute(sql)
            connection.close()
            return path
        connection.close()
    raise AssertionError("linda has no file")


def test_clean_accounts_have_a_line_each(data: Path) -> None:
    done = mektup("check", "--data", str(data))
    assert done.stdout.splitlines() == [
        "the directory of accounts: clean",
        "fred: clean, 0 messages of 0 bytes",
        "linda: clean, 2 messages of 42 bytes",
        "checked 2 accounts; nothing was found",
    ]
    assert (done.status, done.stderr) == (0, "")


def test_a_finding_says_what_it_means_and_what_mends_it(data: Path) -> None:
    spoil(data, "UPDATE mailboxes SET unseen = 7 WHERE name = 'INBOX'")
    done = mektup("check", "linda", "--data", str(data))
    assert done.stdout.splitlines() == [
        "linda: 1 finding",
        "  INBOX: a counter is wrong (unseen 7, counted 2). Clients show wrong numbers of messages. "
        "--repair mends this.",
        "checked 1 account; 1 with findings: 1 in all",
    ]
    assert done.status == 1


def test_json_has_an_object_for_each_account(data: Path) -> None:
    path = spoil(data, "DELETE FROM chunks")
    done = mektup("check", "--json", "--data", str(data))
    directory, fred, linda = map(json.loads, done.stdout.splitlines())
    assert (directory["account"], directory["findings"], fred["findings"]) == ("", [], [])
    assert (linda["account"], linda["file"], linda["messages"]) == ("linda", str(path), 2)
    assert {"kind": "octets", "place": "INBOX", "detail": "UID 1, 2", "count": 2, "mend": "operator"} in linda[
        "findings"
    ]
    assert done.status == 1


def test_quick_does_not_read_messages(data: Path) -> None:
    spoil(data, "UPDATE chunks SET octets = upper(octets)")
    assert mektup("check", "--quick", "--data", str(data)).status == 0
    assert mektup("check", "--data", str(data)).status == 1


async def test_a_running_server_does_not_notice(data: Path) -> None:
    async with Server(data, users=USERS) as server:
        await server.deliver("fred", b"Subject: new\r\n\r\nhello\r\n")
        done = await asyncio.to_thread(mektup, "check", "--data", str(data))
        assert (done.status, "fred: clean, 1 message of 23 bytes" in done.stdout) == (0, True)


def test_a_name_in_a_damaged_file_cannot_forge_lines(data: Path) -> None:
    spoil(data, "UPDATE mailboxes SET name = 'a' || char(10) || 'fred: clean' WHERE name = 'Archive'")
    done = mektup("check", "linda", "--data", str(data))
    assert "\nfred: clean" not in done.stdout
    assert done.status == 1


def test_what_the_command_cannot_work_with(data: Path, tmp_path: Path) -> None:
    assert mektup("check", "nobody", "--data", str(data)).status == 2
    assert mektup("check", "--data", str(tmp_path / "none")).status == 2
    assert mektup("check", "--data", str(data), "--config", str(tmp_path / "mektup.toml")).status == 2
    assert mektup("check", "--nonsense").status == 2


@pytest.mark.parametrize(
    "octets", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_certificate_that_cannot_be_used_is_named(data: Path, octets: bytes) -> None:
    (data / "tls" / "self-signed.crt").write_bytes(octets)
    done = mektup("check", "--data", str(data))
    assert "the self-signed certificate cannot be used" in done.stdout
    assert done.status == 1


def test_each_kind_of_finding_has_its_sentences() -> None:
    assert SENTENCES.keys() == set(Kind)


def test_a_repair_says_what_it_did_and_leaves_a_clean_account(data: Path) -> None:
    path = spoil(data, "UPDATE mailboxes SET unseen = 7 WHERE name = 'INBOX'; DELETE FROM structures")
    done = mektup("check", "--repair", "linda", "--data", str(data))
    (copy,) = path.parent.glob("*.before-repair-*")
    assert done.stdout.splitlines() == [
        f"linda: the file as it was before the repair: {copy}",
        "linda: repaired: counters, no-derived",
        "linda: clean, 2 messages of 42 bytes",
        "checked 1 account; nothing was found",
    ]
    assert (done.status, done.stderr) == (0, "")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert mektup("check", "--data", str(data)).status == 0


def test_a_repair_of_a_clean_account_changes_nothing(data: Path) -> None:
    before = {path: path.read_bytes() for path in data.rglob("*.db")}
    assert mektup("check", "--repair", "--data", str(data)).status == 0
    assert {path: path.read_bytes() for path in data.rglob("*.db*")} == before


def test_a_repair_finishes_what_was_left_and_closes_what_was_open(data: Path) -> None:
    connection = apsw.Connection(str(data / "mektup.db"))
    connection.execute("INSERT INTO unfinished VALUES ('aa')")
    connection.close()
    (data / "mektup.db").chmod(0o644)
    done = mektup("check", "--repair", "--json", "--data", str(data))
    directory = json.loads(done.stdout.splitlines()[0])
    assert (set(directory["repaired"]), directory["findings"]) == ({"access", "unfinished"}, [])
    assert (data / "mektup.db").stat().st_mode & 0o777 == 0o600


def test_what_only_a_backup_mends_stays_a_finding(data: Path) -> None:
    spoil(data, "DELETE FROM chunks")
    done = mektup("check", "--repair", "linda", "--data", str(data))
    assert "--repair cannot mend this." in done.stdout
    assert done.status == 1


async def test_a_server_that_runs_shows_repaired_numbers(data: Path) -> None:
    def use(server: Server) -> None:
        with imaplib.IMAP4(*server.address("imap")) as client:
            client.login("linda", "Pa$$123")
            client.select()
            spoil(data, "UPDATE mailboxes SET unseen = 7, messages = 9 WHERE name = 'INBOX'")
            assert "repaired: counters" in mektup("check", "--repair", "--data", str(data)).stdout
            assert client.status("INBOX", "(MESSAGES UNSEEN)")[1] == [b"INBOX (MESSAGES 2 UNSEEN 2)"]
            sizes = {b"1 (UID 1 RFC822.SIZE 21)", b"2 (UID 2 RFC822.SIZE 21)"}
            assert sizes <= set(client.fetch("1:*", "(UID RFC822.SIZE)")[1])

    async with Server(data, users=USERS) as server:
        await asyncio.to_thread(use, server)


def test_repair_and_quick_exclude_each_other(data: Path) -> None:
    assert mektup("check", "--repair", "--quick", "--data", str(data)).status == 2
