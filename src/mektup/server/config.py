"""The configuration: one TOML file, read into frozen values, or refused with a helpful error.

Every error names the file, the key, and what is allowed there. Nothing is guessed and nothing is ignored: a misspelt
limit that silently has no effect is worse than a server that does not start.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from mektup.auth.plaintext import Plaintext
from mektup.server.addresses import Endpoint, Service, endpoint
from mektup.server.hostnames import objection_to_hostname
from mektup.server.tuning.switches import DEFAULT_TUNING, Tuning
from mektup.store import files
from mektup.terms.delivery import DEFAULT_DELIVERY_RULES, DeliveryRules
from mektup.terms.limits import Limits, most_of

DEFAULT_LISTEN: Mapping[Service, tuple[str, ...]] = {
    Service.IMAP: ("127.0.0.1:1143",),
    Service.IMAPS: ("127.0.0.1:1993",),
    Service.POP3: ("127.0.0.1:1110",),
    Service.POP3S: ("127.0.0.1:1995",),
    Service.LMTP: ("127.0.0.1:1024",),
    Service.METRICS: (),
}


class ConfigError(Exception):
    """The configuration cannot be used. The text says where and why, for the person who wrote it."""


@contextmanager
def blamed_on(file: Path | None) -> Iterator[None]:
    """Adds the name of *file* to each ConfigError raised inside; the errors of ``load`` have it already."""
    try:
        yield
    except ConfigError as error:
        if file is None or str(error).startswith(f"{file}: "):
            raise
        raise ConfigError(f"{file}: {error}") from error


class _Listen(msgspec.Struct, forbid_unknown_fields=True):
    """If the table is present, the server listens only at the addresses in it."""

    imap: list[str] = []
    imaps: list[str] = []
    pop3: list[str] = []
    pop3s: list[str] = []
    lmtp: list[str] = []
    metrics: list[str] = []


class _Tls(msgspec.Struct, forbid_unknown_fields=True):
    cert: str | None = None
    key: str | None = None


class _Auth(msgspec.Struct, forbid_unknown_fields=True):
    plaintext: Plaintext = Plaintext.LOOPBACK


class _Log(msgspec.Struct, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    data: str = "mektup-data"
    workers: int = 0
    hostname: str | None = None
    compression: int = 0
    listen: _Listen | None = None
    tls: _Tls = msgspec.field(default_factory=_Tls)
    auth: _Auth = msgspec.field(default_factory=_Auth)
    lmtp: DeliveryRules = DEFAULT_DELIVERY_RULES
    log: _Log = msgspec.field(default_factory=_Log)
    tuning: Tuning = DEFAULT_TUNING
    limits: Limits = msgspec.field(default_factory=Limits)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of a server. Every path is absolute."""

    data: Path | None
    """The data directory; None keeps everything in memory."""
    workers: int = 1
    """Worker processes; 0: one for each core."""
    hostname: str = "mektup"
    """For greetings, and in the self-signed certificate."""
    compression: int | None = None
    """The zstandard level for stored messages; None: not compressed."""
    listen: Mapping[Service, tuple[Endpoint, ...]]
    cert: Path | None = None
    """A PEM chain, the server's certificate first; None: a self-signed certificate."""
    key: Path | None = None
    """None if *cert* holds the key, too."""
    plaintext: Plaintext = Plaintext.LOOPBACK
    delivery: DeliveryRules = DEFAULT_DELIVERY_RULES
    log_level: str = "info"
    log_format: str = "text"
    tuning: Tuning = DEFAULT_TUNING
    limits: Limits = dataclasses.field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Raises ConfigError for values that no server can run with, from a file or from a program."""
        for name, kind in (("hostname", str), ("limits", Limits), ("delivery", DeliveryRules)):
            if not isinstance(value := getattr(self, name), kind):
                raise ConfigError(f"{name}: expected {kind.__name__}, got {type(value).__name__}")
        if objection := objection_to_hostname(self.hostname):
            raise ConfigError(f"hostname: {objection}")
        if self.key is not None and self.cert is None:
            raise ConfigError("tls.key needs tls.cert beside it")
        for field in dataclasses.fields(Limits):
            value, most = getattr(self.limits, field.name), most_of(field.name)
            if not isinstance(value, bool) and not value <= most:
                raise ConfigError(f"limits.{field.name}: expected at most {most}, got {value}")


def load(file: Path) -> Config:
    """The configuration in *file*; relative paths are relative to its directory. Raises ConfigError."""
    try:
        # some editors write a byte order mark
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(files.reason(error, file)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 at octet {error.start + 1}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}") from error
    return _read(table, str(file), file.absolute().parent)


def default(data: Path) -> Config:
    """The configuration without a file: *data*, and the ports of DEFAULT_LISTEN on 127.0.0.1."""
    return _read({"data": str(data)}, "default configuration", Path.cwd())


def _read(table: dict[str, Any], source: str, base: Path) -> Config:
    _refuse_unknown_keys(table, source)
    try:
        file = msgspec.convert(table, _File)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {_in_words(str(error))}") from error
    _check_texts(table, "", source)
    _check_numbers(file, source)
    settled = {} if file.hostname is None else {"hostname": file.hostname}
    try:
        return _config(file, source, base, settled)
    except ConfigError as error:
        raise ConfigError(f"{source}: {str(error).removeprefix(f'{source}: ')}") from error


def _config(file: _File, source: str, base: Path, settled: dict[str, str]) -> Config:
    return Config(
        data=base / file.data,
        workers=file.workers,
        compression=file.compression or None,
        listen=_endpoints(file.listen, source, base),
        cert=None if file.tls.cert is None else base / file.tls.cert,
        key=None if file.tls.key is None else base / file.tls.key,
        plaintext=file.auth.plaintext,
        delivery=file.lmtp,
        log_level=file.log.level,
        log_format=file.log.format,
        tuning=file.tuning,
        limits=file.limits,
        **settled,
    )


_TABLES: Mapping[str, tuple[str, ...]] = {
    "listen": _Listen.__struct_fields__,
    "tls": _Tls.__struct_fields__,
    "auth": _Auth.__struct_fields__,
    "lmtp": tuple(field.name for field in dataclasses.fields(DeliveryRules)),
    "log": _Log.__struct_fields__,
    "tuning": tuple(field.name for field in dataclasses.fields(Tuning)),
    "limits": tuple(field.name for field in dataclasses.fields(Limits)),
}


def _refuse_unknown_keys(table: Mapping[str, Any], source: str) -> None:
    _refuse_unknown(table, _File.__struct_fields__, "", source)
    for name, allowed in _TABLES.items():
        inner = table.get(name)
        if isinstance(inner, dict):
            _refuse_unknown(inner, allowed, f"{name}.", source)


def _refuse_unknown(keys: Iterable[str], allowed: tuple[str, ...], prefix: str, source: str) -> None:
    for key in keys:
        if key not in allowed:
            raise ConfigError(f"{source}: unknown key {prefix}{key}; {_suggestion(key, allowed, prefix)}")


def _suggestion(key: str, allowed: tuple[str, ...], prefix: str) -> str:
    near = difflib.get_close_matches(key.lower(), allowed, n=1)
    if near:
        return f"did you mean {prefix}{near[0]}?"
    homes = [f"{table}.{key}" for table, names in _TABLES.items() if key in names]
    if homes:
        return f"did you mean {homes[0]}?"
    return f"allowed here: {', '.join(sorted(allowed))}"


def _in_words(message: str) -> str:
    """Rewrites ``Expected `int`, got `str` - at `$.limits.line_bytes` ``: the key first, and TOML's names of types."""
    what, _, place = message.replace(" | null`", "`").partition(" - at ")
    key = place.strip("`").removeprefix("$.") or "the file"
    for name, word in (
        ("int | float", "number"),
        ("float", "number"),
        ("int", "whole number"),
        ("str", "string"),
        ("bool", "true or false"),
        ("array", "array"),
        ("object", "table"),
    ):
        what = what.replace(f"`{name}`", word)
    what = what.replace("`", "")
    if what.startswith("Invalid enum value"):
        what = f"{what[0].lower()}{what[1:]}; allowed: {', '.join(_allowed_values(key))}"
    else:
        what = what[0].lower() + what[1:]
    if key.startswith("listen.") and what == "expected array, got string":
        what += '; even one address stands in brackets: ["127.0.0.1:1143"]'
    return f"{key}: {what}"


def _allowed_values(key: str) -> list[str]:
    choices = {
        "auth.plaintext": [repr(choice.value) for choice in Plaintext],
        "log.level": ["'debug'", "'info'", "'warning'", "'error'"],
        "log.format": ["'text'", "'json'"],
    }
    return choices[re.sub(r"\[\d+\]$", "", key)]


HIGHEST_COMPRESSION = 19
"""The highest zstandard level allowed. Higher levels need more memory to decompress."""

MOST_WORKERS = 512

MAY_BE_ZERO = frozenset({"password_remembered_seconds"})
"""Limits that may be 0, which switches them off."""


def _check_texts(table: Mapping[str, Any], prefix: str, source: str) -> None:
    """Refuses an empty text, and a control character in any text: in a name or a path both are mistakes."""
    for key, value in table.items():
        if isinstance(value, dict):
            _check_texts(value, f"{prefix}{key}.", source)
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and (not text or not text.isprintable()):
                what = "nothing" if not text else f"{text[:40]!r}"
                raise ConfigError(f"{source}: {prefix}{key}: expected printable characters, got {what}")


def _check_numbers(file: _File, source: str) -> None:
    if not 0 <= file.workers <= MOST_WORKERS:
        allowed = f"0 (one for each core) or up to {MOST_WORKERS}"
        raise ConfigError(f"{source}: workers: expected {allowed}, got {file.workers}")
    if not 0 <= file.compression <= HIGHEST_COMPRESSION:
        allowed = f"0 (none) to {HIGHEST_COMPRESSION}"
        raise ConfigError(f"{source}: compression: expected {allowed}, got {file.compression}")
    for field in dataclasses.fields(Limits):
        value = getattr(file.limits, field.name)
        if value == 0 and field.name in MAY_BE_ZERO:
            continue
        if not isinstance(value, bool) and not value > 0:
            raise ConfigError(f"{source}: limits.{field.name}: expected more than 0, got {value}")


def _endpoints(listen: _Listen | None, source: str, base: Path) -> dict[Service, tuple[Endpoint, ...]]:
    endpoints: dict[Service, tuple[Endpoint, ...]] = {}
    taken: dict[str, Endpoint] = {}
    for service in Service:
        texts = DEFAULT_LISTEN[service] if listen is None else getattr(listen, service.value)
        try:
            endpoints[service] = tuple(endpoint(text, base) for text in texts)
        except ValueError as error:
            raise ConfigError(f"{source}: listen.{service.value}: {error}") from error
        for each in endpoints[service]:
            if other := next((name for name, there in taken.items() if each.meets(there)), None):
                raise ConfigError(f"{source}: listen.{service.value}: {each} is taken already, by listen.{other}")
            taken[f"{service.value}, {each}"] = each
    if not taken:
        raise ConfigError(
            f"{source}: listen: expected an address for one service at least, of {', '.join(_TABLES['listen'])}; "
            f"without the table, the defaults are listened at"
        )
    return endpoints
