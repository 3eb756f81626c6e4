"""Nodes, writers and views of a trial, and the look at the end whether everything is as it was acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mektup.store.faults import Fault
from mektup.store.interface import Store
from mektup.store.postgres import open_store
from mektup.terms.errors import Refused
from reliability.cluster.journal import MAILBOXES, Journal, differences
from reliability.cluster.views import View, disagreements
from reliability.cluster.writers import SIZES, Writer

ACCOUNTS = 8
WRITERS = 32
NODES = 3
PATIENCE = 10.0
"""How long a command of a trial waits for a database, in seconds."""


class Faults:
    """Counts what the operator would be told."""

    def __init__(self) -> None:
        self.count = 0

    def happened(self, fault: Fault) -> None:
        self.count += 1


@dataclass(slots=True)
class Outcome:
    """What a trial showed."""

    name: str
    acknowledged: int = 0
    refused: int = 0
    uncertain: int = 0
    longest: float = 0.0
    """The longest wait of a writer, in seconds."""
    wrong: list[str] = field(default_factory=list)
    more: str = ""


async def opened(dsn: str) -> Store:
    """A node: a store of its own on the databases *dsn*."""
    return await open_store(dsn, {"a": dsn}, faults=Faults(), patience=PATIENCE)


async def add_accounts(store: Store, count: int = ACCOUNTS) -> list[str]:
    """Makes the accounts of a trial."""
    names = [f"user{number}" for number in range(count)]
    for name in names:
        entry = await store.directory.add(name, {})
        account = await store.account(entry)
        there = {each.name for each in await account.mailboxes()}
        for mailbox in MAILBOXES:
            if mailbox not in there:
                await account.create(mailbox)
    return names


class Scene:
    """Writers over several nodes."""

    def __init__(self, nodes: Sequence[Store], names: Sequence[str], seed: int) -> None:
        self.nodes = nodes
        self.names = names
        self.seed = seed
        self.journals = {name: Journal() for name in names}
        self.writers: list[Writer] = []
        self._stop = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []
        self._views: list[tuple[str, View]] = []

    async def start(self, writers: int = WRITERS, sizes: tuple[int, ...] = SIZES) -> None:
        """Opens a view of every INBOX, and lets the writers begin."""
        for number, name in enumerate(self.names):
            store = self.nodes[number % len(self.nodes)]
            account = await _account(store, name)
            view = View(account, await account.target("INBOX"))
            await view.open()
            self._views.append((name, view))
        for number in range(writers):
            name = self.names[number % len(self.names)]
            store = self.nodes[number // len(self.names) % len(self.nodes)]
            writer = Writer(store, name, number, self.journals[name], self.seed, sizes)
            self.writers.append(writer)
            self._running.append(asyncio.create_task(writer.run(self._stop)))

    @property
    def acknowledged(self) -> int:
        """Answers so far."""
        return sum(journal.acknowledged for journal in self.journals.values())

    async def until(self, more: int, seconds: float = 60.0) -> None:
        """Returns when *more* changes were acknowledged. Raises TimeoutError."""
        wanted = self.acknowledged + more
        async with asyncio.timeout(seconds):
            while self.acknowledged < wanted:
                await asyncio.sleep(0.01)
                for task in self._running:
                    if task.done():
                        task.result()

    async def stop(self) -> None:
        """Lets the writers end."""
        self._stop.set()
        await asyncio.gather(*self._running)

    async def outcome(self, name: str, fresh: Store) -> Outcome:
        """Looks at everything through *fresh*, a node that was opened after the fault."""
        journals = self.journals.values()
        outcome = Outcome(
            name,
            self.acknowledged,
            sum(journal.refused for journal in journals),
            sum(journal.uncertain for journal in journals),
            max((writer.longest for writer in self.writers), default=0.0),
        )
        for account_name, journal in self.journals.items():
            account = await _account(fresh, account_name)
            outcome.wrong += [f"{account_name}: {each}" for each in await differences(account, journal)]
        for account_name, view in self._views:
            account = await _account(fresh, account_name)
            there = await disagreements(view, account, await account.target("INBOX"))
            outcome.wrong += [f"{account_name}: {each}" for each in there]
        return outcome


async def _account(store: Store, name: str):
    entry = await store.directory.find(name)
    if entry is None:
        raise LookupError(name)
    for _ in range(20):
        try:
            return await store.account(entry)
        except Refused:
            await asyncio.sleep(0.25)
    return await store.account(entry)


@asynccontextmanager
async def played(direct: str, by_nodes: str, seed: int, *, nodes: int = NODES) -> AsyncIterator[Scene]:
    """A scene whose nodes connect to *by_nodes*, with accounts that were made through *direct*."""
    first = await opened(direct)
    names = await add_accounts(first)
    await first.close()
    stores = [await opened(by_nodes) for _ in range(nodes)]
    try:
        yield Scene(stores, names, seed)
    finally:
        for store in stores:
            await store.close()
