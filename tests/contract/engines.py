"""The engines that the contract is for, by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mektup.store.interface import Store
from mektup.store.sqlite import open_store
from tests.support import naive

ENGINES = ["postgres"] if "MEKTUP_CLUSTER" in os.environ else ["sqlite on disk", "sqlite in memory", "naive"]

EXAMPLES = 5 if "postgres" in ENGINES else 15
"""How many examples of a model with many steps are tried; each takes a database of its own on PostgreSQL."""


def new_places(request: pytest.FixtureRequest, engine: str, folder: Path) -> Callable[[], str]:
    """Gives a new place for each store of *engine*: a database, a directory below *folder*, or nothing."""
    if engine == "postgres":
        making: Callable[[], str] = request.getfixturevalue("new_database")
        return making
    return lambda: str(folder / f"data{len(list(folder.iterdir()))}") if engine == "sqlite on disk" else ""


async def open_engine(engine: str, place: str, **options: Any) -> Store:
    """A store of *engine* at *place*. On PostgreSQL, its directory and its only shard ``a`` are in one database."""
    if engine == "postgres":
        from mektup.store import postgres  # elsewhere its libraries may be missing

        return await postgres.open_store(place, {"a": place}, **options)
    if engine == "naive":
        return await naive.open_store(**options)
    return await open_store(Path(place) if place else None, **options)
