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
from mektup.server import texts
from mektup.server.addresses import AddressError, Endpoint, Service, endpoint
from mektup.server.hostnames import objection_to_hostname
from mektup.server.tuning.switches import DEFAULT_TUNING, Tuning
from mektup.store import files
from mektup.terms.delivery import DEFAULT_DELIVERY_RULES, DeliveryRules
from mektup.terms.limits import Limits, most_of
from mektup.terms.texts import ABOUT, AND_SO, NOT_UTF8, Text

DEFAULT_LISTEN: Mapping[Service, tuple[str, ...]] = {
    Service.IMAP: ("127.0.0.1:1143",),
    Service.IMAPS: ("127.0.0.1:1993",),
    Service.POP3: ("127.0.0.1:1110",),
    Service.POP3S: ("127.0.0.1:1995",),
    Service.LMTP: ("127.0.0.1:1024",),
    Service.METRICS: (),
}


@dataclasses.dataclass(eq=False)
class ConfigError(Exception):
    """The configuration cannot be used. The text says where and why, for the person who wrote it."""

    text: Text | str
    """A plain str is the error of a library."""
    source: Text | str = ""
    """The file; empty where there is none, or where it is not known yet."""

    @property
    def whole(self) -> Text | str:
        """The text with the source."""
        return ABOUT.of(place=self.source, problem=self.text) if self.source else self.text

    def __str__(self) -> str:
        return str(self.whole)


@contextmanager
def blamed_on(file: Path | None) -> Iterator[None]:
    """Adds the name of *file*, if there is one, to each ConfigError raised inside."""
    try:
        yield
    except ConfigError as error:
        if file is None:
            raise
        raise ConfigError(error.text, str(file)) from error


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
                raise unexpected(name, kind.__name__, type(value).__name__)
        if objection := objection_to_hostname(self.hostname):
            raise ConfigError(ABOUT.of(place="hostname", problem=objection))
        if self.key is not None and self.cert is None:
            raise ConfigError(texts.TLS_KEY_ALONE)
        for field in dataclasses.fields(Limits):
            value, most = getattr(self.limits, field.name), most_of(field.name)
            if not isinstance(value, bool) and not value <= most:
                raise unexpected(f"limits.{field.name}", texts.AT_MOST.of(most=most), value)


def load(file: Path) -> Config:
    """The configuration in *file*; relative paths are relative to its directory. Raises ConfigError."""
    try:
        # some editors write a byte order mark
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(files.reason(error, file)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(NOT_UTF8.of(octet=error.start + 1), str(file)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(error), str(file)) from error
    with blamed_on(file):
        return _read(table, file.absolute().parent)


def default(data: Path) -> Config:
    """The configuration without a file: *data*, and the ports of DEFAULT_LISTEN on 127.0.0.1."""
    try:
        return _read({"data": str(data)}, Path.cwd())
    except ConfigError as error:
        raise ConfigError(error.text, texts.DEFAULT_CONFIGURATION) from error


def _read(table: dict[str, Any], base: Path) -> Config:
    _refuse_unknown_keys(table)
    try:
        file = msgspec.convert(table, _File)
    except msgspec.ValidationError as error:
        raise ConfigError(_in_words(str(error))) from error
    _check_texts(table, "")
    _check_numbers(file)
    settled = {} if file.hostname is None else {"hostname": file.hostname}
    return Config(
        data=base / file.data,
        workers=file.workers,
        compression=file.compression or None,
        listen=_endpoints(file.listen, base),
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


def _refuse_unknown_keys(table: Mapping[str, Any]) -> None:
    _refuse_unknown(table, _File.__struct_fields__, "")
    for name, allowed in _TABLES.items():
        inner = table.get(name)
        if isinstance(inner, dict):
            _refuse_unknown(inner, allowed, f"{name}.")


def _refuse_unknown(keys: Iterable[str], allowed: tuple[str, ...], prefix: str) -> None:
    for key in keys:
        if key not in allowed:
            raise ConfigError(_unknown(key, allowed, prefix))


def _unknown(key: str, allowed: tuple[str, ...], prefix: str) -> Text:
    near = [f"{prefix}{name}" for name in difflib.get_close_matches(key.lower(), allowed, n=1)]
    homes = [f"{table}.{key}" for table, names in _TABLES.items() if key in names]
    for meant in near + homes:
        return texts.MISSPELT_KEY.of(key=prefix + key, near=meant)
    return texts.UNKNOWN_KEY.of(key=prefix + key, allowed=", ".join(sorted(allowed)))


_TYPES: Mapping[str, Text] = {
    "int | float": texts.NUMBER,
    "float": texts.NUMBER,
    "int": texts.WHOLE_NUMBER,
    "str": texts.STRING,
    "bool": texts.TRUE_OR_FALSE,
    "array": texts.ARRAY,
    "object": texts.TABLE,
}
"""What TOML calls the types of msgspec."""

_WRONG_TYPE = re.compile(r"Expected `(.*)`, got `(.*)`")
_WRONG_VALUE = re.compile(r"Invalid enum value (.*)")


def _in_words(message: str) -> Text:
    """Rewrites ``Expected `int`, got `str` - at `$.limits.line_bytes` ``: the key first, and TOML's names of types."""
    what, _, place = message.replace(" | null`", "`").partition(" - at ")
    key = place.strip("`").removeprefix("$.")
    problem: Text | str = what
    if types := _WRONG_TYPE.fullmatch(what):
        expected, got = (_TYPES.get(name, name) for name in types.groups())
        problem = texts.EXPECTED.of(expected=expected, got=got)
        if key.startswith("listen.") and (expected, got) == (texts.ARRAY, texts.STRING):
            problem = AND_SO.of(first=problem, then=texts.ADDRESS_IN_BRACKETS)
    elif value := _WRONG_VALUE.fullmatch(what):
        problem = texts.INVALID_VALUE.of(value=value[1], allowed=", ".join(_allowed_values(key)))
    return ABOUT.of(place=key or texts.THE_FILE, problem=problem)


def unexpected(key: str, expected: Text | str, got: object) -> ConfigError:
    """The error for a value *got* in place of what is *expected*."""
    return ConfigError(ABOUT.of(place=key, problem=texts.EXPECTED.of(expected=expected, got=got)))


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


def _check_texts(table: Mapping[str, Any], prefix: str) -> None:
    """Refuses an empty text, and a control character in any text: in a name or a path both are mistakes."""
    for key, value in table.items():
        if isinstance(value, dict):
            _check_texts(value, f"{prefix}{key}.")
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and (not text or not text.isprintable()):
                got = repr(text[:40]) if text else texts.NOTHING
                raise unexpected(f"{prefix}{key}", texts.PRINTABLE, got)


def _check_numbers(file: _File) -> None:
    if not 0 <= file.workers <= MOST_WORKERS:
        raise unexpected("workers", texts.WORKERS.of(most=MOST_WORKERS), file.workers)
    if not 0 <= file.compression <= HIGHEST_COMPRESSION:
        raise unexpected("compression", texts.COMPRESSION.of(most=HIGHEST_COMPRESSION), file.compression)
    for field in dataclasses.fields(Limits):
        value = getattr(file.limits, field.name)
        if value == 0 and field.name in MAY_BE_ZERO:
            continue
        if not isinstance(value, bool) and not value > 0:
            raise unexpected(f"limits.{field.name}", texts.MORE_THAN_0, value)


def _endpoints(listen: _Listen | None, base: Path) -> dict[Service, tuple[Endpoint, ...]]:
    endpoints: dict[Service, tuple[Endpoint, ...]] = {}
    taken: dict[str, Endpoint] = {}
    for service in Service:
        written = DEFAULT_LISTEN[service] if listen is None else getattr(listen, service.value)
        try:
            endpoints[service] = tuple(endpoint(text, base) for text in written)
        except AddressError as error:
            raise ConfigError(ABOUT.of(place=f"listen.{service.value}", problem=error.text)) from error
        for each in endpoints[service]:
            if other := next((name for name, there in taken.items() if each.meets(there)), None):
                taken_by = texts.TAKEN.of(address=each, other=other)
                raise ConfigError(ABOUT.of(place=f"listen.{service.value}", problem=taken_by))
            taken[f"{service.value}, {each}"] = each
    if not taken:
        problem = texts.NO_ADDRESS.of(services=", ".join(_TABLES["listen"]))
        raise ConfigError(ABOUT.of(place="listen", problem=problem))
    return endpoints
