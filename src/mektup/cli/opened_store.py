"""The store of the data directory that the options of a command name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mektup.cli.complaints import complaints
from mektup.cli.options import data_and_config, require_accounts, said_whose, store_of
from mektup.server.bus import Bus
from mektup.server.engines import open_engine, open_relay, reserve_of
from mektup.server.logs import silent_logger
from mektup.server.store_config import ON_FILES, Engine, StoreConfig
from mektup.store.interface import Store
from mektup.terms.limits import DEFAULT_LIMITS, MOST_SECONDS, Limits, most_of
from mektup.terms.quota import NO_QUOTA, QuotaLimits


def with_store(
    data: Path | None,
    config_file: Path | None,
    run: Callable[[Store], Coroutine[Any, Any, None]],
    *,
    make: bool = False,
) -> None:
    """Runs *run* with the store that the options name, and complains about what fails.

    With *make*, a data directory that does not exist is made.
    """
    with complaints():
        directory, loaded = data_and_config(data, config_file)
        quota, kept = NO_QUOTA if loaded is None else loaded.quota, store_of(loaded)
        if not make and kept.engine is Engine.SQLITE:
            require_accounts(directory)

        async def within() -> None:
            async with opened_store(directory, quota, kept=kept) as store:
                await run(store)

        with said_whose(directory):
            asyncio.run(within())


@asynccontextmanager
async def opened_store(
    directory: Path,
    quota: QuotaLimits = NO_QUOTA,
    *,
    limits: Limits = DEFAULT_LIMITS,
    compression: int | None = None,
    kept: StoreConfig = ON_FILES,
) -> AsyncIterator[Store]:
    """The store of a data directory, or the one that *kept* names, whose changes running servers notice.

    See ``open_engine``. Raises Refused, ConfigError.
    """
    relay = open_relay(kept, directory, silent_logger())
    try:
        async with _with_bus(directory, quota, limits, compression, kept) as store:
            yield store
    finally:
        if relay is not None:
            await relay.close()


@asynccontextmanager
async def _with_bus(
    directory: Path, quota: QuotaLimits, limits: Limits, compression: int | None, kept: StoreConfig
) -> AsyncIterator[Store]:
    bus = Bus(directory)
    try:
        store = await open_engine(
            kept,
            directory,
            bus=bus,
            limits=_forgets_nothing(limits),
            quota=quota,
            compression=compression,
            reserve=reserve_of(kept, directory),
        )
        try:
            await store.tidy()
            yield store
        finally:
            await store.close()
    finally:
        bus.close()


def _forgets_nothing(limits: Limits) -> Limits:
    """*limits* with which a command removes no expunged message for its age, which only the servers know."""
    return replace(limits, expunged_seconds=MOST_SECONDS, expunged_bytes=int(most_of("expunged_bytes")))
