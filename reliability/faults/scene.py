"""A data directory with some mail in it, and a store that uses it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mektup.store.faults import Fault
from mektup.store.interface import Incoming
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.sets import Uids
from reliability.disk.pictures import Folder, Picture, picture_of
from reliability.power.mail import incoming

LIMITS = Limits(text_index=False)
"""Without work behind the answer; what it does is a deed of its own."""

MESSAGES = 12


@dataclass(frozen=True, slots=True)
class State:
    """All that a client can see."""

    secrets: Mapping[str, str]
    """The password of each account."""
    pictures: Mapping[str, Picture]

    def essence(self, *, with_ids: bool) -> object:
        """For a comparison; *with_ids* only where both are of the same mailboxes."""
        return self.secrets, {
            name: (
                picture.subscriptions,
                {
                    folder.mailbox.name: (folder.key if with_ids else None, folder.mailbox.selectable, _mail(folder))
                    for folder in picture.folders.values()
                },
            )
            for name, picture in self.pictures.items()
        }


def _mail(folder: Folder) -> object:
    return {uid: (each.flags, each.digest) for uid, each in folder.messages.items()}


@dataclass(slots=True)
class Book:
    """Takes the store's faults."""

    faults: list[Fault] = field(default_factory=list)

    def happened(self, fault: Fault) -> None:
        """See ``store.faults.Faults``."""
        self.faults.append(fault)


class Scene:
    """The data directory *data*, used by one store."""

    def __init__(self, data: Path, compression: int | None) -> None:
        self.data = data
        self.beside = data.parent
        """Where deeds may put something."""
        self.book = Book()
        self._compression = compression
        self._store: SqliteStore | None = None
        self._account: SqliteAccount | None = None

    @property
    def store(self) -> SqliteStore:
        """The open store."""
        assert self._store is not None
        return self._store

    @property
    def account(self) -> SqliteAccount:
        """The account of linda."""
        assert self._account is not None
        return self._account

    @property
    def is_open(self) -> bool:
        """Whether a store is open."""
        return self._store is not None

    async def open(self) -> None:
        """Opens the store and the account."""
        self._store = await open_store(self.data, limits=LIMITS, compression=self._compression, faults=self.book)
        entry = await self._store.directory.find("linda")
        assert entry is not None
        self._account = await self._store.account(entry)

    async def close(self) -> None:
        """Closes it."""
        self._account = None
        if self._store is not None:
            await self._store.close()
            self._store = None

    async def mailbox(self, name: str = "INBOX") -> MailboxId:
        """The ID of a mailbox."""
        return (await self.account.mailbox(name)).id

    async def settled(self) -> None:
        """Waits for work behind the answer."""
        while True:
            if self._account is None or self._account.database.checkpoints.task is None:
                return
            await asyncio.sleep(0.0005)

    async def state(self) -> State:
        """All that the store says."""
        secrets, pictures = {}, {}
        for entry in await self.store.directory.entries("", 100):
            secrets[entry.name] = entry.secrets["password"]
            pictures[entry.name] = await picture_of(await self.store.account(entry))
        return State(secrets, pictures)


def message(number: int, *flags: str, size: int = 500) -> Incoming:
    """A message to append."""
    return incoming(number, size, frozenset(flags), LIMITS)


def uids(*numbers: int) -> Uids:
    """The set of *numbers*."""
    return Uids.of(Uid(number) for number in numbers)


async def furnish(data: Path, compression: int | None, *, is_closed_well: bool) -> None:
    """Makes the data directory with which each deed begins."""
    store = await open_store(data, limits=LIMITS, compression=compression)
    try:
        await store.directory.add("ali", {"password": "first"})
        account = await store.account(await store.directory.add("linda", {"password": "first"}))
        for name in ("Archive/2023", "Lists"):
            await account.create(name)
        await account.subscribe("Lists")
        inbox = (await account.mailbox("INBOX")).id
        for number in range(MESSAGES):
            await account.append(inbox, [message(number, "$Old" if number % 2 else "\\Seen", size=number * 300)])
        await account.store_flags(inbox, uids(2, 7), FlagChange.ADD, frozenset({"\\Deleted"}))
        await account.copy(inbox, uids(1, 2, 3), "Archive/2023")
        if not is_closed_well:
            used = data.with_name("in use")
            shutil.copytree(data, used)
    finally:
        await store.close()
    if not is_closed_well:
        shutil.rmtree(data)
        used.rename(data)
