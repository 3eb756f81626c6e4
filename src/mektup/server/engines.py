"""Opens what the configuration names: the engine of the store, and what carries notices between nodes.

The libraries for PostgreSQL and NATS are an extra, so they are imported only where they are needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import cast

from structlog.typing import FilteringBoundLogger

from mektup.server import texts
from mektup.server.config import ConfigError
from mektup.server.logs import leave_faults_to_the_store
from mektup.server.nodes.relay import Relay
from mektup.server.store_config import Engine, StoreConfig
from mektup.store import files
from mektup.store.faults import Faults
from mektup.store.inspected import Inspected, State
from mektup.store.interface import Bus, Store
from mektup.store.notices import Carrier
from mektup.store.sqlite import Reserve
from mektup.store.sqlite import open_store as open_files
from mektup.terms.errors import Refused
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.quota import NO_QUOTA, QuotaLimits
from mektup.terms.texts import ABOUT

EXTRA = "cluster"

SECONDS_APART = 60.0
"""Clocks that differ by more give mail and its history wrong dates."""


def reserve_of(config: StoreConfig, data: Path | None) -> Reserve:
    """The space to use on a full disk: only where mail is in the data directory."""
    return Reserve(data if config.engine is Engine.SQLITE else None)


async def open_engine(
    config: StoreConfig,
    data: Path | None,
    *,
    bus: Bus | None = None,
    limits: Limits = DEFAULT_LIMITS,
    quota: QuotaLimits = NO_QUOTA,
    compression: int | None = None,
    faults: Faults | None = None,
    reserve: Reserve | None = None,
    trim_memory: Callable[[], None] | None = None,
) -> Store:
    """The open store that *config* names; see ``open_store`` of the engines. Raises Refused, ConfigError."""
    if config.engine is Engine.SQLITE:
        return await open_files(
            data,
            bus=bus,
            limits=limits,
            quota=quota,
            compression=compression,
            faults=faults,
            reserve=reserve,
            trim_memory=trim_memory,
        )
    engine = _library("mektup.store.postgres.store")
    leave_faults_to_the_store()
    return cast(
        "Store",
        await engine.open_store(
            config.directory,
            config.shards,
            bus=bus,
            limits=limits,
            quota=quota,
            compression=compression,
            objects=config.objects or None,
            inline_bytes=config.inline_bytes,
            keep_deleted=config.keep_deleted_days * 24 * 3600,
            faults=faults,
            connections=config.connections,
            patience=config.patience_seconds,
        ),
    )


def carrier_of(config: StoreConfig) -> Carrier | None:
    """What carries notices between nodes; None where there are no other nodes. Raises ConfigError."""
    if config.engine is Engine.SQLITE:
        return None
    if config.bus:
        return cast("Carrier", _library("mektup.server.nodes.nats_carrier").NatsCarrier(config.bus))
    return cast("Carrier", _library("mektup.store.postgres.notify_carrier").NotifyCarrier(config.directory))


def open_relay(config: StoreConfig, data: Path | None, log: FilteringBoundLogger) -> Relay | None:
    """This process's part in passing notices on; None where there are no other nodes. Raises ConfigError."""
    carrier = carrier_of(config)
    if carrier is None or data is None:
        return None
    try:
        relay = Relay(data, carrier, log)
    except OSError as error:
        raise ConfigError(ABOUT.of(place="data", problem=files.reason(error, data))) from error
    except Refused as error:
        raise ConfigError(ABOUT.of(place="data", problem=error.text)) from error
    relay.start()
    return relay


async def inspect(config: StoreConfig) -> Mapping[str, Inspected]:
    """What is found at each database, by the key of the configuration; takes some seconds. Raises ConfigError."""
    if config.engine is Engine.SQLITE:
        return {}
    keys = ("store.directory", *(f"store.shards.{name}" for name in config.shards))
    inspection = _library("mektup.store.postgres.inspection")
    found: Sequence[Inspected] = await inspection.inspect(config.directory, list(config.shards.values()))
    return dict(zip(keys, found, strict=True))


async def warn_of_databases(config: StoreConfig, log: FilteringBoundLogger) -> None:
    """Logs what an operator should know of the databases at a start. Raises ConfigError."""
    for key, found in (await inspect(config)).items():
        if found.state not in (State.EMPTY, State.READY):
            log.error("database_unusable", key=key, state=found.state.name.lower(), reason=found.reason)
        elif not found.is_synchronous:
            log.warning("no_synchronous_standby", key=key, consequence="a lost machine may lose acknowledged mail")
        if abs(found.seconds_ahead) > SECONDS_APART:
            log.warning("clocks_differ", key=key, seconds_ahead=round(found.seconds_ahead))


def _library(name: str) -> ModuleType:
    """A module of ours that needs the extra. Raises ConfigError."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(ABOUT.of(place="store", problem=texts.NEEDS_EXTRA.of(extra=EXTRA))) from error
