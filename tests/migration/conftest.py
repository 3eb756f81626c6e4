"""An account to import into, and imports of real files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mektup.migration.files import OnDisk
from mektup.migration.importing import Importer, Plan, Result
from mektup.migration.source import FileSource, Source
from mektup.store.columns import Column
from mektup.store.interface import Account, Store
from mektup.store.spool import Spool
from mektup.store.sqlite import open_store
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.texts import Text
from tests.contract.mail import EVERYTHING, fetched


class Quiet:
    """Shows nothing, and counts."""

    def __init__(self) -> None:
        self.messages: int | None = None
        self.done = 0

    def begin(self, messages: int | None) -> None:
        self.messages = messages

    def mailbox(self, name: str) -> None:
        pass

    def advance(self, messages: int) -> None:
        self.done += messages


@dataclass
class Imported:
    """What one import did, and what it told."""

    result: Result
    told: list[tuple[str, str]] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        return [problem for _, problem in self.told]


async def imported(
    account: Account, source: Source | FileSource, plan: Plan | None = None, limits: Limits = DEFAULT_LIMITS
) -> Imported:
    """Imports *source*."""
    told: list[tuple[str, str]] = []

    def tell(place: str, problem: Text) -> None:
        told.append((place, str(problem)))

    def spool() -> Spool:
        return Spool(limit=limits.message_bytes)

    used: Source = source if hasattr(source, "close") else OnDisk(source)  # type: ignore[assignment, arg-type]
    importer = Importer(account, used, plan or Plan(), limits, Quiet(), tell, spool)
    await importer.run()
    assert importer.result.problems == len(told)
    return Imported(importer.result, told)


@dataclass(frozen=True)
class Kept:
    """A message as the account has it."""

    uid: int
    flags: frozenset[str]
    internaldate: str
    octets: bytes


async def mail_of(account: Account, name: str = "INBOX") -> list[Kept]:
    """The messages of a mailbox."""
    mailbox = await account.mailbox(name)
    rows = await fetched(account, mailbox.id, EVERYTHING, Column.FLAGS, Column.INTERNALDATE, Column.CONTENT)
    return [
        Kept(
            uid,
            frozenset(account.flag_names(word)),
            date.decode().strip('"').strip(),
            b"".join([piece async for piece in account.content(content, 0, 2**40)]),
        )
        for uid, word, date, content in rows
    ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def store(data: Path) -> AsyncIterator[Store]:
    opened = await open_store(data)
    yield opened
    await opened.close()


@pytest.fixture
async def account(store: Store) -> Account:
    return await store.account(await store.directory.add("linda", {}))


Again = Callable[[], Coroutine[Any, Any, Account]]


@pytest.fixture
async def other_account(store: Store) -> Account:
    """A second account."""
    return await store.account(await store.directory.add("fred", {}))
