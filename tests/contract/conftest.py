"""One suite for every engine. Each test opens a new store, and uses only the interface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from mektup.store.interface import Account, Bus, Store
from mektup.store.sqlite.file.change import machine_clock
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.numbers import AccountId, MailboxId, ModSeq
from mektup.terms.quota import NO_QUOTA, QuotaLimits
from tests.contract.engines import ENGINES, new_places, open_engine

OpenStore = Callable[..., Awaitable[Store]]


class RecordingBus:
    """A bus that records what is published."""

    def __init__(self) -> None:
        self.told: list[tuple[AccountId, MailboxId]] = []
        self.modseqs: list[ModSeq | None] = []

    def publish(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        self.told.append((account, mailbox))
        self.modseqs.append(modseq)


@pytest.fixture(params=ENGINES)
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Opens stores of one engine, and closes them at the end."""
    stores: list[Store] = []
    new_place = new_places(request, request.param, tmp_path)

    async def opening(
        *,
        bus: Bus | None = None,
        limits: Limits = DEFAULT_LIMITS,
        quota: QuotaLimits = NO_QUOTA,
        clock: Callable[[], float] = machine_clock,
    ) -> Store:
        store = await open_engine(request.param, new_place(), bus=bus, limits=limits, quota=quota, clock=clock)
        stores.append(store)
        return store

    yield opening
    for store in stores:
        await store.close()


@pytest.fixture
def part(request: pytest.FixtureRequest, opened: OpenStore) -> str:
    """The name of the part of the store that has the accounts; empty for a store without parts."""
    return "a" if request.node.callspec.params["opened"] == "postgres" else ""


@pytest.fixture
async def bus() -> RecordingBus:
    return RecordingBus()


@pytest.fixture
async def store(opened: OpenStore, bus: RecordingBus) -> Store:
    return await opened(bus=bus)


@pytest.fixture
async def account(store: Store) -> Account:
    return await store.account(await store.directory.add("linda", {}))
