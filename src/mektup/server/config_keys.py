"""The keys of the configuration, from the declarations that the server reads: defaults, and values in effect."""

from __future__ import annotations

import dataclasses
import enum
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mektup.server.addresses import Service
from mektup.server.config import DEFAULT_LISTEN, FILE, FilePath, parsed, read
from mektup.server.fetched import is_url
from mektup.server.store_config import Secret, masked

UNIX = "unix:"
"""The beginning of an address that is a path."""


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """A key, by its table and its name in it; a table of any keys is a key with a table as value."""

    table: str
    """Empty for the keys above all tables."""
    name: str
    default: object
    """As TOML has it; None where there is none."""
    value: object
    """In effect; paths are absolute, and passwords are masked. None for no value."""
    is_set: bool
    """Whether the file has it."""
    required: bool = False
    """Whether its table needs it."""

    @property
    def full(self) -> str:
        """``limits.line_bytes``."""
        return f"{self.table}.{self.name}" if self.table else self.name


def keys(file: Path | None, data: Path | None = None) -> list[Key]:
    """All keys, in the order of their declaration, with the values that *file* gives them; None for the defaults.

    *data* is the data directory without a file. Raises ConfigError if the server could not use the file.
    """
    written: dict[str, Any] = {} if data is None else {"data": str(data)}
    base = Path.cwd()
    if file is not None:
        text = read(file)
        parsed(text, file)
        written, base = tomllib.loads(text), file.absolute().parent
    found = list(_keys(written, base))
    # those above all tables come first in a file
    return sorted(found, key=lambda key: key.table != "")


def _keys(written: Mapping[str, Any], base: Path) -> Iterator[Key]:
    for field, kind in _fields(FILE):
        table = _table(kind)
        if table is None:
            yield _key("", field, kind, written, base)
            continue
        inner = written.get(field.name, {})
        for each, inner_kind in _fields(table):
            if field.name == "listen" and field.name not in written:
                # without the table, the defaults of the whole table are in effect
                value = list(DEFAULT_LISTEN[Service(each.name)])
                yield Key(field.name, each.name, value, value, is_set=False)
            else:
                yield _key(field.name, each, inner_kind, inner, base)


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    default: object
    required: bool


def _fields(declared: type) -> Iterator[tuple[_Field, Any]]:
    """The fields of a struct or dataclass, with their types."""
    hints = typing.get_type_hints(declared, include_extras=True)
    if dataclasses.is_dataclass(declared):
        for field in dataclasses.fields(declared):
            yield _Field(field.name, field.default, False), hints[field.name]
        return
    for each in msgspec.structs.fields(declared):
        default = each.default
        if default is msgspec.NODEFAULT and each.default_factory is not msgspec.NODEFAULT:
            default = each.default_factory()
        required = default is msgspec.NODEFAULT
        yield _Field(each.name, None if required else default, required), hints[each.name]


def _table(kind: Any) -> type | None:
    """The declaration of the table that *kind* is, which may be left out; None for any other kind."""
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    for each in options:
        if isinstance(each, type) and (issubclass(each, msgspec.Struct) or dataclasses.is_dataclass(each)):
            return each
    return None


def _key(table: str, field: _Field, kind: Any, written: Mapping[str, Any], base: Path) -> Key:
    default = _plain(field.default)
    is_set = field.name in written
    value = written[field.name] if is_set else default
    if table == "listen":
        # the table is there, so a service that it does not name is off, and this is no default
        is_set, default = True, list(DEFAULT_LISTEN[Service(field.name)])
    is_path = kind == FilePath or FilePath in typing.get_args(kind)
    if kind == Secret or Secret in typing.get_args(kind):
        value = _masked(value)
    return Key(table, field.name, default, _absolute(value, base, is_path), is_set, field.required)


def _plain(value: object) -> object:
    """A default as TOML has it; an empty text stands for none, because the file may have no empty text."""
    return value.value if isinstance(value, enum.Enum) else value or None if isinstance(value, str) else value


def _masked(value: object) -> object:
    match value:
        case str():
            return masked(value)
        case Mapping():
            return {name: _masked(each) for name, each in value.items()}
    return value


def _absolute(value: object, base: Path, is_path: bool) -> object:
    match value:
        case str() if is_path and not is_url(value):
            return str(base / value)
        case str() if value.startswith(UNIX):
            return f"{UNIX}{(base / value.removeprefix(UNIX)).absolute()}"
        case list() | tuple():
            return [_absolute(each, base, is_path) for each in value]
        case Mapping():
            return {str(_absolute(name, base, False)): _absolute(each, base, is_path) for name, each in value.items()}
    return value
