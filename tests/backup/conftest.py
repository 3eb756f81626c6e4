"""A store of each engine, and a directory for its backups."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from itertools import count
from pathlib import Path

import pytest

from mektup.backup.accounts import Accounts, find_run
from mektup.backup.manifests import stamp_of
from mektup.backup.restoring import Restored, Wish
from mektup.backup.shelf import Objects, Shelf, open_shelf, salvage
from mektup.backup.taking import Done, Taking, chosen
from mektup.backup.targets import DirectoryTarget
from mektup.store.columns import Column
from mektup.store.interface import Account, Store
from mektup.store.sqlite import open_store
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.texts import Text
from tests.contract.mail import EVERYTHING, fetched
from tests.support import naive

State = dict[str, list[tuple[frozenset[str], bytes, object, bytes]]]
"""Flags, internal date, date of saving, and octets of the messages of each mailbox."""


@pytest.fixture(params=["sqlite", "naive"])
async def open_any(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], object]]:
    """Opens stores of one engine, and closes them at the end."""
    stores: list[Store] = []

    async def opening() -> Store:
        store: Store
        if request.param == "naive":
            store = await naive.open_store()
        else:
            store = await open_store(tmp_path / f"data{len(stores)}", compression=3)
        stores.append(store)
        return store

    yield opening
    for store in stores:
        await store.close()


class Backup:
    """A directory of backups."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._times = count(1_800_000_000, 60)

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.directory)

    async def take(self, store: Store, *names: str, anew: bool = False) -> Done:
        """Backs up the accounts with *names*, or all; each call is a minute later."""
        shelf = open_shelf(self.directory)
        with shelf.locked():
            for part in shelf.parts():
                salvage(part)
            stamp = stamp_of(next(self._times))
            target = DirectoryTarget(shelf, Objects(shelf), stamp)
            taking = Taking(store, target, stamp, lambda name, done, total: None)
            return await taking.run(chosen(store, names), {}, whole=not names, anew=anew)

    async def restore(
        self, store: Store, name: str, *, into: str = "", at: str | None = None, dry: bool = False, **wish: object
    ) -> tuple[Restored, Sequence[Text]]:
        """Restores the account *name*; returns what was done, and the problems."""
        run = find_run(self.shelf, at, name)
        saved = run.account(name)
        assert saved is not None
        accounts = Accounts(store, self.shelf, run, DEFAULT_LIMITS, lambda mailbox, done, total: None)
        try:
            restored = await accounts.into(saved, into or name, Wish(**wish), dry=dry)  # type: ignore[arg-type]
        finally:
            accounts.close()
        return restored, accounts.problems


@pytest.fixture
def backup(tmp_path: Path) -> Backup:
    return Backup(tmp_path / "backup")


async def linda(store: Store) -> Account:
    """The account, which is made if needed."""
    entry = await store.directory.find("linda")
    return await store.account(entry or await store.directory.add("linda", {"password": "{PLAIN}x"}))


async def state_of(account: Account, *, saved: bool = True) -> State:
    """Everything that a restore must bring back; without *saved*, not when messages were saved."""
    found: State = {}
    for mailbox in await account.mailboxes():
        if mailbox.selectable:
            columns = Column.FLAGS, Column.INTERNALDATE, Column.SAVEDATE, Column.SIZE, Column.CONTENT
            found[mailbox.name] = [
                (
                    frozenset(account.flag_names(word)),
                    date,
                    savedate if saved else None,
                    b"".join([piece async for piece in account.content(content, 0, size)]),
                )
                for _, word, date, savedate, size, content in await fetched(account, mailbox.id, EVERYTHING, *columns)
            ]
    return found
