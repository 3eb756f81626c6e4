"""Clients that knew a newer state of a mailbox, after an older one was restored: all end with what is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.mektup import PROGRAM, Mektup

from .mail import ATTACHMENT, DOTS, ENCODED, LATIN, NO_BODY, PLAIN, append, held, logged_in
from .programs import program
from .served import WITNESS, Account, new_account
from .test_imapflow import RESYNC
from .test_mbsync import Mbsync, letters, transfers, untagged, without_tuids
from .trees import maildir

pytestmark = pytest.mark.skipif(WITNESS, reason="a Dovecot has no such command")

Restore = Callable[[Mektup, Account, Path], None]


@pytest.fixture
def mektup(tmp_path: Path) -> Iterator[Mektup]:
    with Mektup(tmp_path / "server", workers=2) as server:
        yield server
    assert not re.search(r"Traceback|SERVERBUG", server.log.read_text(errors="replace"))


@pytest.fixture
def account(mektup: Mektup) -> Account:
    return new_account(mektup)


def run(server: Mektup, *words: str) -> str:
    command = [str(PROGRAM), *words, "--config", str(server.configuration)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def older(server: Mektup, account: Account, folder: Path) -> None:
    """The older state: four messages, one of them flagged."""
    append(account, "INBOX", [PLAIN, DOTS, LATIN, ENCODED], flags=r"(\Seen)")
    with logged_in(account) as imap:
        imap.select("INBOX")
        imap.store("1", "+FLAGS", r"(\Flagged)")
    run(server, "backup", "create", str(folder / "backup"))
    run(server, "backup", "copy", str(folder / "copy"))


def newer(account: Account) -> None:
    """The newer state, which clients know: two messages are gone, two are new, and flags have changed."""
    with logged_in(account) as imap:
        imap.select("INBOX")
        imap.store("2:3", "+FLAGS", r"(\Deleted)")
        imap.expunge()
        imap.store("1", "FLAGS", r"(\Answered)")
    append(account, "INBOX", [NO_BODY, ATTACHMENT])


def into_the_running_server(server: Mektup, account: Account, folder: Path) -> None:
    """mektup restore --account: the two come back, and what is new stays."""
    said = run(server, "restore", str(folder / "backup"), "--account", account.name)
    assert "2 messages added, 2 were there, 1 got their flags back" in said


def everything(server: Mektup, account: Account, folder: Path) -> None:
    """mektup restore, to a new data directory."""
    server.stop()
    server.data.rename(folder / "lost")
    run(server, "restore", str(folder / "backup"))
    server.start()


def file_by_hand(server: Mektup, account: Account, folder: Path) -> None:
    """The account's file of a copy, over the file of the stopped server (docs/decisions/0008)."""
    server.stop()
    for path in (folder / "copy").rglob("accounts/*/*.db"):
        shutil.copyfile(path, server.data / path.relative_to(folder / "copy"))
    server.start()


def file_in_its_place(server: Mektup, account: Account, folder: Path) -> None:
    """The same, after the present file was moved away."""
    server.stop()
    for path in (folder / "copy").rglob("accounts/*/*.db"):
        there = server.data / path.relative_to(folder / "copy")
        there.rename(folder / there.name)
        shutil.copyfile(path, there)
    server.start()


WAYS = [into_the_running_server, everything, file_by_hand, file_in_its_place]


def expected(account: Account, way: Restore) -> None:
    """The restored state, seen by a client that knows nothing."""
    there = {message.raw: message.flags - {"\\Recent"} for message in held(account)}
    assert there[PLAIN] == {"\\Seen", "\\Flagged"}
    assert there[DOTS] == there[LATIN] == there[ENCODED] == {"\\Seen"}
    assert there.keys() - {PLAIN, DOTS, LATIN, ENCODED} == (
        {NO_BODY, ATTACHMENT} if way is into_the_running_server else set()
    )


@pytest.mark.parametrize("way", WAYS)
def test_mbsync(mektup: Mektup, account: Account, tmp_path: Path, way: Restore) -> None:
    older(mektup, account, tmp_path)
    client = Mbsync(program("mbsync", "isync", tmp_path), account, tls=False)
    client.sync()
    newer(account)
    client.sync()
    way(mektup, account, tmp_path)
    expected(account, way)
    if way is into_the_running_server:
        client.sync()
    else:
        _sync_with_other_uidvalidity(client)
    there = held(account)
    assert without_tuids(maildir(client.mail / "INBOX")) == {
        (untagged(message.raw), letters(message.flags)): 1 for message in there
    }
    if way is into_the_running_server:
        expected(account, way)
    assert transfers(client.sync()) == []


def _sync_with_other_uidvalidity(client: Mbsync) -> None:
    """Syncs; mbsync may refuse, and then its user removes its state, as its manual says."""
    refusal = ""
    try:
        client.sync()
    except AssertionError as refused:
        refusal = str(refused)
    if refusal:
        assert "UIDVALIDITY" in refusal
        shutil.rmtree(client.mail)
        client.mail.mkdir()
        client.sync()


@pytest.mark.parametrize("way", WAYS)
def test_a_client_with_qresync(mektup: Mektup, account: Account, tmp_path: Path, way: Restore) -> None:
    older(mektup, account, tmp_path)
    newer(account)
    cache = Cache(account)
    cache.open()
    assert len(cache.messages) == 4
    way(mektup, account, tmp_path)
    expected(account, way)
    cache.open()
    assert cache.messages == {message.uid: (message.raw, frozenset(message.flags)) for message in held(account)}


class Cache:
    """What a client with QRESYNC keeps of INBOX (RFC 7162 §3.2.5)."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._validity, self._modseq = 0, 0
        self.messages: dict[int, tuple[bytes, frozenset[str]]] = {}

    def open(self) -> None:
        """Resynchronises, and fetches only what is new."""
        with logged_in(self._account) as imap:
            imap.enable("QRESYNC")
            known = f"{self._validity} {self._modseq} 1:{max(self.messages, default=1)}"
            typ, data = imap._simple_command("SELECT", "INBOX", *([f"(QRESYNC ({known}))"] if self._validity else []))
            assert typ == "OK", data
            imap.state = "SELECTED"
            validity = int(imap.response("UIDVALIDITY")[1][0])
            if validity != self._validity:
                self.messages.clear()
            self._validity = validity
            self._modseq = int(imap.response("HIGHESTMODSEQ")[1][0])
            for line in imap.response("VANISHED")[1]:
                for uid in _numbers((line or b"").rpartition(b" ")[2].decode()):
                    self.messages.pop(uid, None)
            self._take(imap.response("FETCH")[1])
            first = max(self.messages, default=0) + 1
            _, uids = imap.uid("SEARCH", f"UID {first}:*")
            for uid in map(int, uids[0].split()):
                if uid not in self.messages:
                    _, (body, *_) = imap.uid("FETCH", str(uid), "(BODY.PEEK[])")
                    _, (flags, *_) = imap.uid("FETCH", str(uid), "(FLAGS)")
                    self.messages[uid] = body[1], _flags(flags)

    def _take(self, lines: list[Any]) -> None:
        for line in lines:
            if line is not None:
                uid = int(re.search(rb"UID (\d+)", line)[1])
                if uid in self.messages:
                    self.messages[uid] = self.messages[uid][0], _flags(line)


def _flags(line: bytes) -> frozenset[str]:
    return frozenset(re.search(rb"FLAGS \(([^)]*)\)", line)[1].decode().split()) - {"\\Recent"}


def _numbers(listed: str) -> Iterator[int]:
    for part in listed.split(",") if listed else ():
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


@pytest.mark.timeout(360)
@pytest.mark.parametrize("way", WAYS)
def test_imapflow(mektup: Mektup, account: Account, modules: Path, tmp_path: Path, way: Restore) -> None:
    node = program("node", "nodejs", tmp_path)
    older(mektup, account, tmp_path)
    newer(account)
    words = [str(modules), str(account.port("imaps")), account.name, account.password, str(account.certificate)]

    def resync(*known: str) -> dict[str, Any]:
        command = [node.path, str(RESYNC), *words, *known]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return {step["step"]: step["found"] for step in map(json.loads, done.stdout.splitlines())}

    first = resync()["opened"]
    way(mektup, account, tmp_path)
    expected(account, way)
    there = held(account)
    again = resync(first["uidValidity"], first["modseq"])["opened"]
    assert again["exists"] == len(there)
    if again["uidValidity"] == first["uidValidity"]:
        flags = {message.uid: frozenset(message.flags) for message in there}
        told = {uid: frozenset(some) for uid, some in again["flagged"]}
        assert told.items() <= {uid: some - {"\\Recent"} for uid, some in flags.items()}.items()
        assert not {uid for uid, *_ in again["gone"]} & flags.keys()
    else:
        assert int(again["uidValidity"]) > int(first["uidValidity"])
