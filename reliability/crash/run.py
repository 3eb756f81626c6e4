"""A run: servers are started, killed, and started again; after each kill everything is compared."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mektup import Server
from mektup.server import accounts
from reliability.clients.imap import Imap
from reliability.clients.line import Cut
from reliability.crash.files import Rows, account_rows, check_faults, copied
from reliability.crash.layouts import LAYOUTS, Layout
from reliability.crash.load import PASSWORD, Carrier, Client, Reader
from reliability.crash.look import Look
from reliability.crash.moments import Moment
from reliability.crash.nursery import Nursery
from reliability.crash.scene import SECONDS, Scene
from reliability.crash.servers import RunningServer
from reliability.crash.view import View
from reliability.journal.account import AccountJournal
from reliability.journal.compare import adopt, compare
from reliability.journal.operations import TreeOperation
from reliability.journal.seen import SeenAccount

ACCOUNTS = {"crowd": 3, "couple": 2, "alone": 1}
"""How many IMAP clients use each account at the same time."""
CARRIERS = 2

MOST_ANSWERS, MOST_SECONDS = 40, 0.5
"""A kill comes after at most so many answers or seconds."""
EARLY, EARLY_SECONDS = 0.2, 0.06
"""The share of kills that come while clients still log in and files are recovered, and how soon those come."""
UNSEEN, MOST_PENDING = 0.4, 4
"""The share of kills after which the clients go on, and the next kill comes, before anything is compared; not with
more unanswered operations in an account than that."""
FULL_EVERY = 50
"""After so many rounds every mailbox is read, and the octets of every message."""
FILES_EVERY = 10
"""After so many rounds the files are read without the server."""
OLD_VIEWS = 3
"""How many clients of an account stay away for long before they resynchronise."""


@dataclass(slots=True)
class Figures:
    """What a run has done."""

    kills: Counter[str] = field(default_factory=Counter)
    moments: Counter[Moment] = field(default_factory=Counter)
    unanswered: int = 0
    copies: int = 0


class Fault(AssertionError):
    """Something was lost, or is wrong."""


class Run:
    """A run in a directory of its own."""

    def __init__(self, directory: Path, *, seed: int, layouts: tuple[str, ...]) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.figures = Figures()
        self.round = 0
        self._chance = random.Random(f"run {seed}")
        self._layouts = layouts
        self.scene = Scene({name: AccountJournal(name) for name in ACCOUNTS})
        self.look = Look(self.scene.post, random.Random(f"look {seed}"))
        self._readers = [
            Reader(self.scene, self.scene.journals[name], f"{name}{number}", str(seed), is_alone=count == 1)
            for name, count in ACCOUNTS.items()
            for number in range(1, count + 1)
        ]
        self._clients: list[Client] = [*self._readers]
        self._clients += [Carrier(self.scene, f"carrier{number}", str(seed)) for number in range(CARRIERS)]
        self._old_views: dict[str, list[View]] = {name: [] for name in ACCOUNTS}
        self._layout: Layout | None = None
        self.log: list[str] = []
        """The end of the logs of servers that were in use when a fault was found."""

    def kill_so_often(self, kills: int, deadline: float, progress: Callable[[int], None] = lambda kills: None) -> None:
        """Runs until there were so many kills, or until *deadline* in time.monotonic. Raises Fault for any error.

        *progress* gets the number of kills now and then.
        """
        asyncio.run(_add_accounts(self.data))
        nursery = Nursery()
        try:
            self._begin(nursery)
            while self.figures.kills.total() < kills and time.monotonic() < deadline:
                self._play_round(nursery)
                if self._is_full:
                    progress(self.figures.kills.total())
        except (AssertionError, Cut) as error:
            self.log = [line for server in self._servers for line in (*server.errors, *server.log)]
            raise error if isinstance(error, Fault) else Fault(f"{type(error).__name__}: {error}") from error
        finally:
            self.scene.end()
            for server in self._servers:
                server.kill_all()
            nursery.close()

    @property
    def _servers(self) -> list[RunningServer]:
        return self._layout.servers if self._layout is not None else []

    def _begin(self, nursery: Nursery) -> None:
        self._start(nursery)
        for name, journal in self.scene.journals.items():
            imap = self._imap(name)
            adopt(journal, self.look.account(imap, journal, is_full=True))
            imap.close()
        for client in self._clients:
            client.start()

    def _start(self, nursery: Nursery) -> None:
        self._layout = LAYOUTS[self._chance.choice(self._layouts)](self.directory, nursery, self._chance)

    def _play_round(self, nursery: Nursery) -> None:
        self.round += 1
        assert self._layout is not None
        self.scene.serve([each.ports for each in self._servers])
        self.scene.go_on()
        if self._chance.random() < EARLY:
            self.scene.wait_for_answers(1, self._chance.random() * EARLY_SECONDS)
        else:
            self.scene.wait_for_answers(self._chance.randint(1, MOST_ANSWERS), MOST_SECONDS)
        running = self._servers.copy()
        kind, moment = self._layout.kill_some(self._chance)
        self.scene.serve([])
        self.figures.kills[kind] += 1
        self.figures.moments[moment] += 1
        self.scene.pause(len(self._clients))
        self._raise_errors(running)
        rows: dict[str, Rows] = {}
        if not self._servers:
            if self.round % FILES_EVERY == 0:
                rows = self._read_copies()
            self._start(nursery)
        if rows or self._is_full or self._chance.random() >= UNSEEN or not self._may_wait():
            self._compare(rows)

    @property
    def _is_full(self) -> bool:
        return self.round % FULL_EVERY == 0

    def _may_wait(self) -> bool:
        """Whether the next comparison can still tell what the unanswered operations of several kills have done."""
        pending = [journal.pending for journal in self.scene.journals.values()]
        return all(
            len(each) <= MOST_PENDING and not any(isinstance(operation, TreeOperation) for operation in each)
            for each in pending
        )

    def _raise_errors(self, servers: list[RunningServer]) -> None:
        for server in servers:
            if server.errors:
                raise Fault(f"a server logged an error: {server.errors[:5]}")

    def _read_copies(self) -> dict[str, Rows]:
        """Reads a copy of the files as the kill has left them."""
        self.figures.copies += 1
        target = copied(self.data, self.directory / "copy")
        rows = account_rows(target)
        self._raise(check_faults(target))
        return rows

    # The comparison

    def _compare(self, rows: dict[str, Rows]) -> None:
        for name, journal in self.scene.journals.items():
            self.figures.unanswered += len(journal.pending)
            imap = self._imap(name)
            seen = self.look.account(imap, journal, is_full=self._is_full)
            self._raise(compare(journal, seen))
            self._raise(_row_faults(name, rows.get(name), seen))
            self._raise(self.look.search_faults(imap, journal, seen))
            for view in self._returning(name):
                self._raise(self.look.resync_faults(imap, name, view, seen))
            imap.close()
        if self._is_full:
            self._raise(check_faults(self.data))

    def _returning(self, account: str) -> Iterator[View]:
        """What clients knew when their server was killed, and sometimes what one knew long ago."""
        old = self._old_views[account]
        for reader in self._readers:
            if reader.journal.name == account and reader.view is not None and not reader.is_connected:
                if len(old) < OLD_VIEWS or self._chance.random() < 0.02:
                    old[self._chance.randrange(OLD_VIEWS) : OLD_VIEWS] = [reader.view.copy()]
                yield reader.view
        if old and self._chance.random() < 0.2:
            yield self._chance.choice(old).copy()

    def _raise(self, faults: Iterator[str] | list[str]) -> None:
        if found := list(faults):
            raise Fault("\n".join(found))

    def _imap(self, account: str) -> Imap:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return Imap(self._chance.choice(self._servers).ports["imap"], account, PASSWORD)
            except Cut:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


def _row_faults(account: str, rows: Rows | None, seen: SeenAccount) -> Iterator[str]:
    """Compares what was in the file after the kill with what the next server shows."""
    for mailbox in seen.mailboxes.values() if rows is not None else ():
        if rows is not None and mailbox.is_whole:
            shown = {uid: (message.modseq, message.size) for uid, message in mailbox.messages.items()}
            if shown != (there := rows.get(mailbox.validity, {})):
                yield f"{account}: the file had {there} in {mailbox.name}, and the server shows {shown}"


async def _add_accounts(data: Path) -> None:
    async with Server(data, listen={}) as server:
        for name in ACCOUNTS:
            await accounts.set_password(server.store, name, PASSWORD, passing=True)
