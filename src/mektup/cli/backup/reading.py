"""What the commands for backups share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from mektup.backup.manifests import Run, SavedAccount
from mektup.cli.opened_store import opened_store
from mektup.server.store_config import ON_FILES, StoreConfig
from mektup.store.interface import Store
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.quota import NO_QUOTA, QuotaLimits

T = TypeVar("T")


def read_data(
    directory: Path,
    run: Callable[[Store], Coroutine[Any, Any, T]],
    quota: QuotaLimits = NO_QUOTA,
    limits: Limits = DEFAULT_LIMITS,
    compression: int | None = None,
    kept: StoreConfig = ON_FILES,
) -> T:
    """The result of *run* with the store in *directory*, or the one that *kept* names. Raises Refused, OSError."""

    async def within() -> T:
        async with opened_store(directory, quota, limits=limits, compression=compression, kept=kept) as store:
            return await run(store)

    return asyncio.run(within())


def json_line(run: Run, saved: SavedAccount | None = None) -> str:
    """A run for a program, or one account of it; without secrets."""
    accounts = run.accounts if saved is None else (saved,)
    listed = [
        {"name": each.name, "id": each.id, "messages": each.messages, "size": each.size, "failed": each.failed}
        for each in accounts
    ]
    return json.dumps({"time": run.taken, "whole": run.whole, "accounts": listed}, ensure_ascii=False)
