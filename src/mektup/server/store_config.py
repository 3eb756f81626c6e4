"""Where mail is kept: the table ``[store]`` of the configuration.

A connection string may hold a password. So no value is shown whole, in an error, a log or a list of keys (``masked``).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec

from mektup.server import texts
from mektup.terms.limits import MOST_SECONDS
from mektup.terms.texts import Text

Secret = Annotated[str, "it may hold a password"]
"""The type of a key whose value is masked where it is shown."""


class Engine(StrEnum):
    """What keeps the mail."""

    SQLITE = "sqlite"
    """A file for each account, in the data directory."""
    POSTGRES = "postgres"
    """PostgreSQL, which several nodes share."""


class StoreTable(msgspec.Struct, forbid_unknown_fields=True):
    """The table as it is written."""

    engine: Engine = Engine.SQLITE
    directory: Secret | None = None
    shards: dict[str, Secret] = {}
    bus: Secret | None = None
    objects: Secret | None = None
    connections: int = 4
    patience_seconds: float = 20.0
    inline_bytes: int = 64 * 1024
    keep_deleted_days: float = 14.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """Where mail is kept. All but *engine* counts only for PostgreSQL."""

    engine: Engine = Engine.SQLITE
    directory: str = dataclasses.field(default="", repr=False)
    """How to connect to the database that has the accounts and their secrets."""
    shards: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """How to connect to each shard, by its name."""
    bus: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    """The URLs of NATS servers; empty: notices pass through the database of the directory."""
    objects: str = dataclasses.field(default="", repr=False)
    """The URL of the object store; empty: all octets are in the shards."""
    connections: int = 4
    """The most connections of a worker to a database."""
    patience_seconds: float = 20.0
    """How long a command waits for a database that cannot be reached."""
    inline_bytes: int = 64 * 1024
    """The size of the largest message that is kept in its shard where there is an object store."""
    keep_deleted_days: float = 14.0
    """How long an object stays that no message has any more."""


ON_FILES = StoreConfig()


class StoreConfigError(ValueError):
    """A value that cannot be used."""

    def __init__(self, key: str, expected: Text, got: object) -> None:
        super().__init__(key)
        self.key = key
        """Within the table."""
        self.expected = expected
        self.got = got
        """What may be shown of the value."""


_SHARD_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PAIR = r"[a-z_]+ *= *(?:'(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)+)"
_DSN = re.compile(rf"postgres(?:ql)?://\S+| *{_PAIR}(?: +{_PAIR})* *")
_NATS = re.compile(r"(nats|tls)://\S+")
_USER = re.compile(r"(?<=//)[^/@\s]*(?=@)")
_PASSWORD = re.compile(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)", re.IGNORECASE | re.ASCII)
MASK = "***"

MOST_CONNECTIONS = 100
MOST_DAYS = 36_500
MOST_INLINE_BYTES = 1024 * 1024 * 1024


def store_config(table: StoreTable) -> StoreConfig:
    """The settings in *table*. Raises StoreConfigError."""
    if table.engine is Engine.SQLITE:
        _require_nothing_else(table)
        return ON_FILES
    if not table.directory:
        raise StoreConfigError("directory", texts.DSN, texts.NOTHING)
    if not table.shards:
        raise StoreConfigError("shards", texts.SHARDS, texts.NOTHING)
    for name in table.shards:
        if not _SHARD_NAME.fullmatch(name):
            raise StoreConfigError("shards", texts.SHARD_NAME, f'"{name}"')
    for key, dsn in (("directory", table.directory), *((f"shards.{name}", dsn) for name, dsn in table.shards.items())):
        if not _DSN.fullmatch(dsn) or _has_two_ats(dsn):
            raise StoreConfigError(key, texts.DSN, texts.NOT_SHOWN)
    servers = tuple(each.strip() for each in table.bus.split(",")) if table.bus else ()
    if not all(_NATS.fullmatch(each) and not _has_two_ats(each) for each in servers):
        raise StoreConfigError("bus", texts.NATS_SERVERS, texts.NOT_SHOWN)
    for key, least, value, most in (
        ("connections", 1, table.connections, MOST_CONNECTIONS),
        ("patience_seconds", 0.1, table.patience_seconds, MOST_SECONDS),
        ("inline_bytes", 0, table.inline_bytes, MOST_INLINE_BYTES),
        ("keep_deleted_days", 0, table.keep_deleted_days, MOST_DAYS),
    ):
        if not least <= value <= most:
            raise StoreConfigError(key, texts.FROM_TO.of(least=least, most=most), value)
    return StoreConfig(
        engine=table.engine,
        directory=table.directory,
        shards=dict(table.shards),
        bus=servers,
        objects=table.objects or "",
        connections=table.connections,
        patience_seconds=table.patience_seconds,
        inline_bytes=table.inline_bytes,
        keep_deleted_days=table.keep_deleted_days,
    )


def _require_nothing_else(table: StoreTable) -> None:
    """Refuses keys that would have no effect."""
    for field in msgspec.structs.fields(StoreTable):
        value = getattr(table, field.name)
        if field.name != "engine" and value not in (field.default, {}):
            raise StoreConfigError(field.name, texts.ONLY_POSTGRES, texts.IT_IS_SET)


def _has_two_ats(url: str) -> bool:
    """Whether a URL has an "@" in its password, which must be written as %40: else a part of it is taken for the host,
    and would be shown where that cannot be reached.
    """
    _, begun, rest = url.partition("://")
    return bool(begun) and rest.partition("/")[0].partition("?")[0].count("@") > 1


def masked(text: str) -> str:
    """*text*, a URL or a connection string, without its password or token."""
    return _PASSWORD.sub(rf"\g<1>{MASK}", _USER.sub(_masked_user, text))


def _masked_user(found: re.Match[str]) -> str:
    user, separator, _ = found[0].partition(":")
    if separator:
        return f"{user}:{MASK}"
    # the user of NATS alone is a token
    return MASK if found.string[: found.start()].endswith(("nats://", "tls://")) else user
