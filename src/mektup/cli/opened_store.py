"""The store of the data directory that the options of a command name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mektup.cli.complaints import complaints
from mektup.cli.options import data_and_quota, require_accounts, said_whose
from mektup.server.bus import Bus
from mektup.store.interface import Store
from mektup.store.sqlite import Reserve, open_store
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
        directory, quota = data_and_quota(data, config_file)
        if not make:
            require_accounts(directory)

        async def within() -> None:
            async with opened_store(directory, quota) as store:
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
) -> AsyncIterator[Store]:
    """The store of a data directory, whose changes running servers notice; see ``open_store``. Raises Refused."""
    bus = Bus(directory)
    try:
        store = await open_store(
            directory,
            bus=bus,
            limits=_forgets_nothing(limits),
            quota=quota,
            compression=compression,
            reserve=Reserve(directory),
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
