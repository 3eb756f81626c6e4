"""Backups of a server while clients change mail: each restores to a state that the account had meanwhile.

A client keeps a journal: its state after each change that was answered, with the times when it began and ended. Nobody
else uses its two mailboxes. So a backup must have one of the states from the last change that was answered before the
backup began to the last that began before it ended, and a move is never half of one.
"""

from __future__ import annotations

import asyncio
import hashlib
import imaplib
import random
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bench.mektup import PROGRAM, Mektup
from mektup.backup.accounts import Accounts, find_run
from mektup.backup.manifests import stamp_of
from mektup.backup.restoring import Wish
from mektup.backup.shelf import Objects, Shelf, open_shelf
from mektup.backup.taking import Taking, chosen
from mektup.backup.targets import DirectoryTarget
from mektup.backup.verifying import Verifying
from mektup.store.arrival import prepare
from mektup.store.interface import Incoming
from mektup.store.moments import AccountState, KeptMessage, Moment
from mektup.store.sqlite import open_store
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.sets import Uids
from tests.backup.conftest import state_of

ACCOUNTS = {"crowd": 3, "alone": 1}
"""How many clients use each account at the same time."""
BACKUPS = 5
FEWEST_CHANGES = 12
"""So many changes of each client are between two backups."""
FLAGS = ("\\Seen", "\\Flagged", "$Work")
PASSWORD = "Pa$$123"

State = frozenset[tuple[tuple[str, str, frozenset[str]], int]]
"""How often there is a message with that mailbox, digest and flags."""

Found = Counter[tuple[str, str, frozenset[str]]]
"""The same of a whole account."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A change that was answered."""

    began: float
    ended: float
    state: State


@dataclass(slots=True)
class Held:
    """A message, as the client knows it."""

    digest: str
    flags: frozenset[str] = frozenset()


@dataclass
class Client(threading.Thread):
    """Changes two mailboxes of its own until it is told to end."""

    port: int
    account: str
    number: int
    over: threading.Event
    mailboxes: dict[str, dict[str, Held]] = field(default_factory=dict)
    journal: list[Entry] = field(default_factory=list)
    error: BaseException | None = None

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.chance = random.Random(f"{self.account} {self.number}")

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        try:
            with imaplib.IMAP4("127.0.0.1", self.port, timeout=60) as imap:
                imap.login(self.account, PASSWORD)
                for letter in "ab":
                    must(imap.create(f"{letter}{self.number}"))
                    self.mailboxes[f"{letter}{self.number}"] = {}
                while not self.over.is_set():
                    began = time.monotonic()
                    self.change(imap)
                    self.journal.append(Entry(began, time.monotonic(), self.state()))
        except BaseException as error:
            self.error = error
            raise

    def state(self) -> State:
        there = Counter(
            (name, held.digest, held.flags) for name, messages in self.mailboxes.items() for held in messages.values()
        )
        return frozenset(there.items())

    def change(self, imap: imaplib.IMAP4) -> None:
        name, other = self.chance.sample(sorted(self.mailboxes), 2)
        messages = self.mailboxes[name]
        kinds = [self.append, self.append, self.move, self.store, self.expunge]
        kind = self.chance.choice(kinds if messages else kinds[:1])
        if kind != self.append:
            must(imap.select(name))
        kind(imap, name, other)

    def append(self, imap: imaplib.IMAP4, name: str, other: str) -> None:
        text = self.chance.randbytes(self.chance.choice((20, 2000, 150_000))).hex()
        raw = f"Subject: {self.number}\r\n\r\n{text}\r\n".encode()
        answer = must(imap.append(name, "", "", raw))
        uid = re.search(rb"APPENDUID \d+ (\d+)", answer[0])
        assert uid is not None
        self.mailboxes[name][uid[1].decode()] = Held(hashlib.sha256(raw).hexdigest())

    def move(self, imap: imaplib.IMAP4, name: str, other: str) -> None:
        uids = self.some(name)
        must(imap.uid("MOVE", ",".join(uids), other))
        _, (code,) = imap.response("COPYUID")
        assert isinstance(code, bytes)
        _, sources, targets = code.decode().split()
        for source, target in zip(numbers(sources), numbers(targets), strict=True):
            self.mailboxes[other][target] = self.mailboxes[name].pop(source)

    def store(self, imap: imaplib.IMAP4, name: str, other: str) -> None:
        flags = frozenset(flag for flag in FLAGS if self.chance.random() < 0.5)
        uids = self.some(name)
        must(imap.uid("STORE", ",".join(uids), "FLAGS.SILENT", f"({' '.join(sorted(flags))})"))
        for uid in uids:
            self.mailboxes[name][uid] = Held(self.mailboxes[name][uid].digest, flags)

    def expunge(self, imap: imaplib.IMAP4, name: str, other: str) -> None:
        """Two changes: the flag, and the removal."""
        uids = self.some(name)[:2]
        began = time.monotonic()
        must(imap.uid("STORE", ",".join(uids), "+FLAGS.SILENT", "(\\Deleted)"))
        for uid in uids:
            held = self.mailboxes[name][uid]
            self.mailboxes[name][uid] = Held(held.digest, held.flags | {"\\Deleted"})
        self.journal.append(Entry(began, time.monotonic(), self.state()))
        must(imap.uid("EXPUNGE", ",".join(uids)))
        for uid in uids:
            del self.mailboxes[name][uid]

    def some(self, name: str) -> list[str]:
        there = sorted(self.mailboxes[name], key=int)
        return sorted(self.chance.sample(there, self.chance.randint(1, min(6, len(there)))), key=int)

    def allowed(self, began: float, ended: float) -> list[State]:
        """The states that a backup may have that began and ended at these times."""
        before = [entry for entry in self.journal if entry.ended < began]
        during = [entry for entry in self.journal if entry.ended >= began and entry.began <= ended]
        return [entry.state for entry in [*before[-1:], *during]]


def complaint(client: Client, found: Found, began: float, ended: float) -> str | None:
    """Why *client* says that a backup from *began* to *ended* cannot have *found*; None where it can."""
    there = frozenset((key, count) for key, count in found.items() if key[0] in client.mailboxes)
    allowed = client.allowed(began, ended)
    if there in allowed:
        return None
    return f"{client.account} {client.number}: none of {len(allowed)} states"


def must(answer: tuple[str, list[bytes]]) -> list[bytes]:
    status, lines = answer
    assert status == "OK", lines
    return lines


def numbers(listed: str) -> Iterator[str]:
    for part in listed.split(","):
        first, _, last = part.partition(":")
        yield from map(str, range(int(first), int(last or first) + 1))


def wait_for_changes(clients: list[Client]) -> None:
    """Returns when each client has made so many more."""
    goal = {client: len(client.journal) + FEWEST_CHANGES for client in clients}
    while any(len(client.journal) < goal[client] and client.error is None for client in clients):
        time.sleep(0.01)
    for client in clients:
        if client.error is not None:
            raise client.error


async def restored(directory: Path, stamp: str, data: Path) -> dict[str, Found]:
    """What each account of the backup *stamp* has."""
    shelf = Shelf(directory)
    run = find_run(shelf, stamp, None)
    store = await open_store(data)
    accounts = Accounts(store, shelf, run, DEFAULT_LIMITS, lambda name, done, total: None)
    found: dict[str, Found] = {}
    for saved in run.accounts:
        await accounts.into(saved, saved.name, Wish(), dry=False)
        entry = await store.directory.find(saved.name)
        assert entry is not None
        state = await state_of(await store.account(entry))
        found[saved.name] = Counter(
            (name, hashlib.sha256(octets).hexdigest(), flags)
            for name, messages in state.items()
            for flags, _, _, octets in messages
        )
    assert not accounts.problems
    accounts.close()
    await store.close()
    return found


def test_each_backup_has_a_state_that_the_journals_allow(tmp_path: Path) -> None:
    directory = tmp_path / "backup"
    over = threading.Event()
    times: list[tuple[float, float]] = []
    with Mektup(tmp_path / "server", workers=2) as server:
        server.add_users(ACCOUNTS, PASSWORD)
        clients = [
            Client(server.ports["imap"], account, number, over)
            for account, count in ACCOUNTS.items()
            for number in range(count)
        ]
        for client in clients:
            client.start()
        try:
            for _ in range(BACKUPS):
                wait_for_changes(clients)
                began = time.monotonic()
                command = [str(PROGRAM), "backup", "create", str(directory), "--config", str(server.configuration)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                times.append((began, time.monotonic()))
                assert (done.returncode, done.stderr) == (0, ""), done.stdout
        finally:
            over.set()
            for client in clients:
                client.join()
    assert not Verifying(Shelf(directory)).run().problems
    stamps = Shelf(directory).runs()
    assert len(stamps) == BACKUPS
    for stamp, (began, ended) in zip(stamps, times, strict=True):
        found = asyncio.run(restored(directory, stamp, tmp_path / f"restored {stamp}"))
        for client in clients:
            assert complaint(client, found[client.account], began, ended) is None, stamp
    assert any(len(client.allowed(*each)) > 2 for client in clients for each in times), "nothing happened meanwhile"


# The comparison itself: what it lets pass, and what it catches

ONE, TWO = ("1" * 64, frozenset[str]()), ("2" * 64, frozenset({"\\Seen"}))


@pytest.fixture
def mover() -> Client:
    """A client whose journal says: message ONE arrives in a, then TWO arrives in a, then ONE is moved to b."""
    client = Client(0, "alone", 0, threading.Event())
    client.mailboxes = {"a0": {}, "b0": {}}
    journal = client.journal

    def entry(at: float, **messages: Sequence[tuple[str, frozenset[str]]]) -> None:
        there = Counter((name, *message) for name, some in messages.items() for message in some)
        journal.append(Entry(at, at + 0.5, frozenset(there.items())))

    entry(1, a0=[ONE])
    entry(2, a0=[ONE, TWO])
    entry(3, a0=[TWO], b0=[ONE])
    return client


def held(**messages: Sequence[tuple[str, frozenset[str]]]) -> Found:
    return Counter((name, *message) for name, some in messages.items() for message in some)


def test_the_states_before_and_after_a_move_are_allowed_while_it_runs(mover: Client) -> None:
    assert complaint(mover, held(a0=[ONE, TWO]), 2.9, 4) is None
    assert complaint(mover, held(a0=[TWO], b0=[ONE]), 2.9, 4) is None


def test_a_moved_message_in_both_mailboxes_is_caught(mover: Client) -> None:
    assert complaint(mover, held(a0=[ONE, TWO], b0=[ONE]), 0, 9) is not None


def test_a_moved_message_in_neither_mailbox_is_caught(mover: Client) -> None:
    assert complaint(mover, held(a0=[TWO]), 0, 9) is not None


def test_a_backup_that_is_too_old_or_too_new_is_caught(mover: Client) -> None:
    assert complaint(mover, held(a0=[ONE]), 2.9, 4) is not None
    assert complaint(mover, held(a0=[TWO], b0=[ONE]), 0, 2.9) is not None


class TwoMoments:
    """A moment of an engine that keeps none: the mailbox *early* is as it was before a change, the others as after."""

    def __init__(self, before: Moment, after: Moment, early: MailboxId) -> None:
        self._before, self._after, self._early = before, after, early
        self.flag_names, self.contents, self.content = after.flag_names, after.contents, after.content

    @property
    def state(self) -> AccountState:
        early = {each.mailbox.id: each for each in self._before.state.mailboxes if each.mailbox.id == self._early}
        after = self._after.state
        return replace(after, mailboxes=tuple(early.get(each.mailbox.id, each) for each in after.mailboxes))

    def messages(self, mailbox: MailboxId, uids: Uids) -> AsyncGenerator[Sequence[KeptMessage], None]:
        return (self._before if mailbox == self._early else self._after).messages(mailbox, uids)


@pytest.mark.parametrize("early", ["a0", "b0"])
async def test_a_backup_of_two_moments_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, early: str) -> None:
    store = await open_store(tmp_path / "data")
    account = await store.account(await store.directory.add("alone", {"password": "{PLAIN}x"}))
    raw = b"Subject: moved\r\n\r\nHere or there\r\n"
    mailboxes = {name: (await account.create(name)).id for name in ("a0", "b0")}
    await account.append(mailboxes["a0"], [Incoming(prepare(raw))])
    message = hashlib.sha256(raw).hexdigest(), frozenset[str]()
    client = Client(0, "alone", 0, threading.Event())
    client.mailboxes = {"a0": {}, "b0": {}}
    client.journal = [
        Entry(1, 2, frozenset({("a0", *message): 1}.items())),
        Entry(3, 4, frozenset({("b0", *message): 1}.items())),
    ]

    async def taken(name: str) -> Found:
        shelf = open_shelf(tmp_path / name)
        stamp = stamp_of(1_800_000_000)
        taking = Taking(store, DirectoryTarget(shelf, Objects(shelf), stamp), stamp, lambda name, done, total: None)
        await taking.run(chosen(store, []), {}, whole=True, anew=False)
        return (await restored(shelf.directory, stamp, tmp_path / f"{name} restored"))["alone"]

    async with account.snapshot() as before:
        await account.move(mailboxes["a0"], Uids.of([Uid(1)]), "b0")
        async with account.snapshot() as after:

            @asynccontextmanager
            async def torn(_: object) -> AsyncIterator[TwoMoments]:
                yield TwoMoments(before, after, mailboxes[early])

            with monkeypatch.context() as patch:
                patch.setattr(type(account), "snapshot", torn)
                mixed = await taken("mixed")
    whole = await taken("whole")
    await store.close()
    assert complaint(client, whole, 0, 9) is None
    assert complaint(client, mixed, 0, 9) is not None
    assert sum(mixed.values()) == (2 if early == "a0" else 0)
