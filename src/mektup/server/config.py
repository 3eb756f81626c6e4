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
from typing import Annotated, Any, Literal

import msgspec

from mektup.auth.login_rules import DEFAULT_LOGIN_RULES, LoginRules
from mektup.auth.oauth.rules import OAuthRules
from mektup.auth.plaintext import Plaintext
from mektup.server import texts
from mektup.server.addresses import AddressError, Endpoint, Service, endpoint
from mektup.server.fetched import is_url, may_be_fetched
from mektup.server.hostnames import objection_to_hostname
from mektup.server.layers.client_names import ClientName
from mektup.server.socket_access import USUAL_ACCESS, SocketAccess, mode_of
from mektup.server.store_config import ON_FILES, Engine, StoreConfig, StoreConfigError, StoreTable, store_config
from mektup.server.tuning.switches import DEFAULT_TUNING, Tuning
from mektup.store import files
from mektup.terms.delivery import DEFAULT_DELIVERY_RULES, DeliveryRules
from mektup.terms.limits import MOST_SECONDS, Limits, most_of
from mektup.terms.log_rules import DEFAULT_LOG_RULES, LogRules
from mektup.terms.names import account_key
from mektup.terms.networks import NO_NETWORKS, Networks, networks
from mektup.terms.quota import QuotaLimits, Resource
from mektup.terms.sizes import octets_of
from mektup.terms.texts import ABOUT, AND_SO, NOT_UTF8, Text

DEFAULT_HOSTNAME = "mektup"

HIDING = (Service.IMAP, Service.IMAPS, Service.POP3, Service.POP3S)
"""The services that can hide capabilities."""

DEFAULT_LISTEN: Mapping[Service, tuple[str, ...]] = {
    Service.IMAP: ("127.0.0.1:1143",),
    Service.IMAPS: ("127.0.0.1:1993",),
    Service.POP3: ("127.0.0.1:1110",),
    Service.POP3S: ("127.0.0.1:1995",),
    Service.LMTP: ("127.0.0.1:1024",),
    Service.SASL: (),
    Service.SOCKETMAP: (),
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


_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")


@contextmanager
def blamed_on(file: Path | None) -> Iterator[None]:
    """Adds the name of *file*, if there is one, to each ConfigError raised inside."""
    try:
        yield
    except ConfigError as error:
        if file is None:
            raise
        raise ConfigError(error.text, str(file)) from error


FilePath = Annotated[str, "a path, relative to the directory of the file"]
"""The type of a key that names a file."""


class _Listen(msgspec.Struct, forbid_unknown_fields=True):
    """If the table is present, the server listens only at the addresses in it."""

    imap: list[str] = []
    imaps: list[str] = []
    pop3: list[str] = []
    pop3s: list[str] = []
    lmtp: list[str] = []
    sasl: list[str] = []
    socketmap: list[str] = []
    metrics: list[str] = []


class _Sockets(msgspec.Struct, forbid_unknown_fields=True):
    group: str | None = None
    mode: str = "0660"


class _ProxyFrom(msgspec.Struct, forbid_unknown_fields=True):
    imap: list[str] = []
    imaps: list[str] = []
    pop3: list[str] = []
    pop3s: list[str] = []
    lmtp: list[str] = []


class _Tls(msgspec.Struct, forbid_unknown_fields=True):
    cert: FilePath | None = None
    key: FilePath | None = None
    client_ca: FilePath | None = None
    client_name: ClientName = ClientName.CN


class _Auth(msgspec.Struct, forbid_unknown_fields=True):
    plaintext: Plaintext = Plaintext.LOOPBACK
    trusted: list[str] = []
    scram_sha_1: bool = DEFAULT_LOGIN_RULES.scram_sha_1


class _OAuth(msgspec.Struct, forbid_unknown_fields=True):
    issuer: str
    jwks: FilePath
    audience: str
    user_claim: str = "email"
    scope: str = ""


class _Log(msgspec.Struct, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    file: FilePath | None = None
    deliveries: bool = DEFAULT_LOG_RULES.deliveries
    appends: bool = DEFAULT_LOG_RULES.appends
    slow_command_seconds: float = DEFAULT_LOG_RULES.slow_command_seconds


class _Quota(msgspec.Struct, forbid_unknown_fields=True):
    storage: int | str | None = None
    messages: int | None = None
    mailboxes: int | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    data: FilePath = "mektup-data"
    workers: int = 0
    hostname: str = DEFAULT_HOSTNAME
    compression: int = 0
    administrators: list[str] = []
    contact: str | None = None
    listen: _Listen | None = None
    sockets: _Sockets = msgspec.field(default_factory=_Sockets)
    proxy_from: _ProxyFrom = msgspec.field(default_factory=_ProxyFrom)
    tls: _Tls = msgspec.field(default_factory=_Tls)
    auth: _Auth = msgspec.field(default_factory=_Auth)
    oauth: _OAuth | None = None
    hide: dict[str, list[str]] = {}
    store: StoreTable = msgspec.field(default_factory=StoreTable)
    lmtp: DeliveryRules = DEFAULT_DELIVERY_RULES
    quota: _Quota = msgspec.field(default_factory=_Quota)
    log: _Log = msgspec.field(default_factory=_Log)
    tuning: Tuning = DEFAULT_TUNING
    limits: Limits = msgspec.field(default_factory=Limits)


@dataclasses.dataclass(frozen=True, slots=True)
class ClientCertificates:
    """Certificates by which clients log in."""

    ca: Path
    """A PEM file: the certificates that may have signed those of clients."""
    name: ClientName = ClientName.CN


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of a server. Every path is absolute."""

    data: Path | None
    """The data directory; None keeps everything in memory."""
    workers: int = 1
    """Worker processes; 0: one for each core."""
    hostname: str = DEFAULT_HOSTNAME
    """For greetings, and in the self-signed certificate."""
    compression: int | None = None
    """The zstandard level for stored messages; None: not compressed."""
    store: StoreConfig = ON_FILES
    """What keeps the mail."""
    listen: Mapping[Service, tuple[Endpoint, ...]]
    sockets: SocketAccess = USUAL_ACCESS
    """Who may connect to the Unix sockets in *listen*."""
    hide: Mapping[Service | Endpoint, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Capabilities that are hidden from the clients of a service, or of one address. ``hidden.check`` checks them."""
    proxy_from: Mapping[Service, Networks] = dataclasses.field(default_factory=dict)
    """The balancers of each service, which send a header of the PROXY protocol; nobody else may."""
    cert: Path | None = None
    """A PEM chain, the server's certificate first; None: a self-signed certificate."""
    key: Path | None = None
    """None if *cert* holds the key, too."""
    clients: ClientCertificates | None = None
    """None: clients are not asked for a certificate."""
    plaintext: Plaintext = Plaintext.LOOPBACK
    trusted: Networks = NO_NETWORKS
    """Machines from which many users log in, such as a webmail: there each name is limited alone."""
    login: LoginRules = DEFAULT_LOGIN_RULES
    delivery: DeliveryRules = DEFAULT_DELIVERY_RULES
    administrators: frozenset[str] = frozenset()
    """The keys of accounts that may set quotas, and what else belongs to the server."""
    contact: str = ""
    """A URI by which users reach the operator; empty for none."""
    quota: QuotaLimits = dataclasses.field(default_factory=dict)
    """The limits of accounts that have none of their own."""
    log_level: str = "info"
    log_format: str = "text"
    log_file: Path | None = None
    """None: standard error."""
    log_rules: LogRules = DEFAULT_LOG_RULES
    tuning: Tuning = DEFAULT_TUNING
    limits: Limits = dataclasses.field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Raises ConfigError for values that no server can run with, from a file or from a program."""
        for name, kind in (("hostname", str), ("limits", Limits), ("delivery", DeliveryRules)):
            if not isinstance(value := getattr(self, name), kind):
                raise unexpected(name, kind.__name__, type(value).__name__)
        if objection := objection_to_hostname(self.hostname):
            raise ConfigError(ABOUT.of(place="hostname", problem=objection))
        if self.contact and not _URI.fullmatch(self.contact):
            raise unexpected("contact", texts.URI, f'"{self.contact}"')
        if self.data is None and self.store.engine is not Engine.SQLITE:
            raise ConfigError(ABOUT.of(place="data", problem=texts.NEEDS_DATA))
        if self.key is not None and self.cert is None:
            raise ConfigError(texts.TLS_KEY_ALONE)
        if (oauth := self.login.oauth) is not None and is_url(oauth.jwks) and not may_be_fetched(oauth.jwks):
            raise unexpected("oauth.jwks", texts.JWKS_PLACE, f'"{oauth.jwks}"')
        for field in dataclasses.fields(Limits):
            value, most = getattr(self.limits, field.name), most_of(field.name)
            if not isinstance(value, bool) and not value <= most:
                raise unexpected(f"limits.{field.name}", texts.AT_MOST.of(most=most), value)


FILE: type[msgspec.Struct] = _File
"""What the file is read into: the only declaration of its keys. ``config_keys`` lists them."""


def load(file: Path) -> Config:
    """The configuration in *file*; relative paths are relative to its directory. Raises ConfigError."""
    return parsed(read(file), file)


def read(file: Path) -> str:
    """The text of *file*. Raises ConfigError."""
    try:
        # some editors write a byte order mark
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(files.reason(error, file)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(NOT_UTF8.of(octet=error.start + 1), str(file)) from error


def parsed(text: str, file: Path) -> Config:
    """The configuration that *text* is as the content of *file*. Raises ConfigError."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # tomllib itself raises TOMLDecodeError; but an integer may have too many digits, and an array may be too deep
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
    return Config(
        data=base / file.data,
        workers=file.workers,
        hostname=file.hostname,
        compression=file.compression or None,
        store=_store(file.store),
        listen=_endpoints(file.listen, base),
        sockets=_access(file.sockets),
        hide=_hidden(file.hide, file.listen, base),
        proxy_from=_balancers(file.proxy_from),
        cert=None if file.tls.cert is None else base / file.tls.cert,
        key=None if file.tls.key is None else base / file.tls.key,
        clients=_clients(file.tls, base),
        plaintext=file.auth.plaintext,
        trusted=_networks("auth.trusted", file.auth.trusted),
        login=LoginRules(scram_sha_1=file.auth.scram_sha_1, oauth=_oauth(file.oauth, base)),
        delivery=file.lmtp,
        administrators=frozenset(map(account_key, file.administrators)),
        contact=file.contact or "",
        quota=_quota(file.quota),
        log_level=file.log.level,
        log_format=file.log.format,
        log_file=None if file.log.file is None else base / file.log.file,
        log_rules=LogRules(
            deliveries=file.log.deliveries,
            appends=file.log.appends,
            slow_command_seconds=file.log.slow_command_seconds,
        ),
        tuning=file.tuning,
        limits=file.limits,
    )


_TABLES: Mapping[str, tuple[str, ...]] = {
    "listen": _Listen.__struct_fields__,
    "sockets": _Sockets.__struct_fields__,
    "proxy_from": _ProxyFrom.__struct_fields__,
    "tls": _Tls.__struct_fields__,
    "auth": _Auth.__struct_fields__,
    "oauth": _OAuth.__struct_fields__,
    "store": StoreTable.__struct_fields__,
    "lmtp": tuple(field.name for field in dataclasses.fields(DeliveryRules)),
    "quota": _Quota.__struct_fields__,
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
    "int | str": texts.SIZE,
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
        if (expected, got) == (texts.ARRAY, texts.STRING):
            advice = texts.ADDRESS_IN_BRACKETS if key.startswith("listen.") else texts.NETWORK_IN_BRACKETS
            problem = AND_SO.of(first=problem, then=advice)
    elif value := _WRONG_VALUE.fullmatch(what):
        problem = texts.INVALID_VALUE.of(value=value[1], allowed=", ".join(_allowed_values(key)))
    return ABOUT.of(place=key or texts.THE_FILE, problem=problem)


def unexpected(key: str, expected: Text | str, got: object) -> ConfigError:
    """The error for a value *got* in place of what is *expected*."""
    return ConfigError(ABOUT.of(place=key, problem=texts.EXPECTED.of(expected=expected, got=got)))


def _allowed_values(key: str) -> list[str]:
    choices = {
        "auth.plaintext": [repr(choice.value) for choice in Plaintext],
        "tls.client_name": [repr(choice.value) for choice in ClientName],
        "store.engine": [repr(choice.value) for choice in Engine],
        "log.level": ["'debug'", "'info'", "'warning'", "'error'"],
        "log.format": ["'text'", "'json'"],
    }
    return choices[re.sub(r"\[\d+\]$", "", key)]


HIGHEST_COMPRESSION = 19
"""The highest zstandard level allowed. Higher levels need more memory to decompress."""

MOST_WORKERS = 512

MOST_QUOTA = 2**63 - 1
"""The highest limit of a resource; in octets for storage."""

MAY_BE_ZERO = frozenset({"password_remembered_seconds", "message_limit", "save_limit"})
"""Limits that may be 0, which switches them off."""


def _check_texts(table: Mapping[str, Any], prefix: str) -> None:
    """Refuses an empty text, and a control character in any text: in a name or a path both are mistakes."""
    for key, value in table.items():
        if isinstance(value, dict):
            _check_texts(value, f"{prefix}{key}.")
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and (not text or not text.isprintable()):
                shown = texts.NOT_SHOWN if prefix.startswith("store.") else repr(text[:40])
                got = shown if text else texts.NOTHING
                raise unexpected(f"{prefix}{key}", texts.PRINTABLE, got)


def _check_numbers(file: _File) -> None:
    if not 0 <= file.workers <= MOST_WORKERS:
        raise unexpected("workers", texts.WORKERS.of(most=MOST_WORKERS), file.workers)
    if not 0 <= file.compression <= HIGHEST_COMPRESSION:
        raise unexpected("compression", texts.NONE_OR_UP_TO.of(most=HIGHEST_COMPRESSION), file.compression)
    if not 0 <= file.log.slow_command_seconds <= MOST_SECONDS:
        raise unexpected(
            "log.slow_command_seconds", texts.NONE_OR_UP_TO.of(most=MOST_SECONDS), file.log.slow_command_seconds
        )
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


def _access(sockets: _Sockets) -> SocketAccess:
    try:
        return SocketAccess(sockets.group, mode_of(sockets.mode))
    except ValueError:
        raise unexpected("sockets.mode", texts.SOCKET_MODE, f'"{sockets.mode}"') from None


def _hidden(
    hide: Mapping[str, list[str]], listen: _Listen | None, base: Path
) -> dict[Service | Endpoint, tuple[str, ...]]:
    found: dict[Service | Endpoint, tuple[str, ...]] = {}
    heard = {each for endpoints in _endpoints(listen, base).values() for each in endpoints}
    for key, names in hide.items():
        service = next((each for each in HIDING if each.value == key), None)
        try:
            place = service or endpoint(key, base)
        except AddressError as error:
            raise ConfigError(ABOUT.of(place=f"hide.{key}", problem=error.text)) from error
        if service is None and place not in heard:
            services = ", ".join(each.value for each in HIDING)
            raise ConfigError(ABOUT.of(place=f"hide.{key}", problem=texts.HIDES_WHERE.of(services=services)))
        found[place] = tuple(names)
    return found


def _store(written: StoreTable) -> StoreConfig:
    try:
        return store_config(written)
    except StoreConfigError as error:
        raise unexpected(f"store.{error.key}", error.expected, error.got) from None


def store_settings(written: Mapping[str, object]) -> StoreConfig:
    """What a program gives in place of the table ``[store]``. Raises ConfigError."""
    _refuse_unknown(written, StoreTable.__struct_fields__, "store.")
    try:
        table = msgspec.convert(written, StoreTable)
    except msgspec.ValidationError as error:
        raise ConfigError(_in_words(str(error).replace("$.", "$.store."))) from error
    return _store(table)


def _oauth(written: _OAuth | None, base: Path) -> OAuthRules | None:
    if written is None:
        return None
    jwks = written.jwks if is_url(written.jwks) else str(base / written.jwks)
    return OAuthRules(
        issuer=written.issuer,
        jwks=jwks,
        audience=written.audience,
        user_claim=written.user_claim,
        scope=written.scope,
    )


def _clients(tls: _Tls, base: Path) -> ClientCertificates | None:
    return None if tls.client_ca is None else ClientCertificates(base / tls.client_ca, tls.client_name)


def _balancers(proxy_from: _ProxyFrom) -> dict[Service, Networks]:
    written = {name: getattr(proxy_from, name) for name in _TABLES["proxy_from"]}
    return {Service(name): _networks(f"proxy_from.{name}", each) for name, each in written.items() if each}


def _networks(key: str, written: list[str]) -> Networks:
    try:
        return networks(written)
    except ValueError as error:
        raise unexpected(key, texts.NETWORK, f'"{error}"') from None


def _quota(written: _Quota) -> QuotaLimits:
    storage = written.storage
    if isinstance(storage, str):
        try:
            storage = octets_of(storage)
        except ValueError:
            raise unexpected("quota.storage", texts.SIZE, f'"{storage}"') from None
    limits = {Resource.STORAGE: storage, Resource.MESSAGE: written.messages, Resource.MAILBOX: written.mailboxes}
    for name, most in zip(_TABLES["quota"], limits.values(), strict=True):
        if most is not None and not 0 <= most <= MOST_QUOTA:
            raise unexpected(f"quota.{name}", texts.NONE_OR_UP_TO.of(most=MOST_QUOTA), most)
    return {resource: most for resource, most in limits.items() if most is not None}
