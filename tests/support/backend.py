"""mektup itself as the backend of a MemoryWorld: real sessions over a real store, no socket."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import structlog

from mektup.auth.authenticator import Authenticator
from mektup.auth.login_rules import DEFAULT_LOGIN_RULES, LoginRules
from mektup.auth.plaintext import Plaintext
from mektup.imap import hiding
from mektup.imap.session import ImapSession
from mektup.lmtp.session import LmtpSession
from mektup.pop3.session import Pop3Session
from mektup.session.services import Services
from mektup.store.arrival import prepare
from mektup.store.interface import Incoming, Store
from mektup.store.sqlite import open_store
from mektup.terms.delivery import DEFAULT_DELIVERY_RULES, DeliveryRules
from mektup.terms.limits import Limits
from mektup.terms.quota import Resource
from mektup.terms.sizes import octets_of
from tests.support import naive, tokens
from tests.support.memory import MemoryPeer, MemoryWorld, RunsASession
from tests.support.runner import PASSWORD, USER
from tests.support.transcript import MalformedTranscript, Transcript

_SETTING = re.compile(r"(?P<key>[a-z0-9_.]+) = (?P<value>\S+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """The settings that a transcript's ``config:`` heads name."""

    limits: Limits
    plaintext: Plaintext = Plaintext.LOOPBACK
    delivery: DeliveryRules = DEFAULT_DELIVERY_RULES
    quota: tuple[tuple[Resource, int], ...] = ()
    administrators: frozenset[str] = frozenset()
    contact: str = ""
    login: LoginRules = DEFAULT_LOGIN_RULES
    hide: tuple[str, ...] = ()


QUOTAS = {"quota.storage": Resource.STORAGE, "quota.messages": Resource.MESSAGE, "quota.mailboxes": Resource.MAILBOX}


def settings_of(transcript: Transcript) -> Settings:
    """The defaults, changed by the heads of *transcript*; a wrong password is answered without delay."""
    limits: dict[str, Any] = {"login_delay_seconds": 0.0}
    plaintext = Plaintext.LOOPBACK
    delivery: dict[str, bool] = {}
    quota: list[tuple[Resource, int]] = []
    administrators: set[str] = set()
    contact = ""
    login: dict[str, Any] = {}
    hide: tuple[str, ...] = ()
    for value in transcript.all("config"):
        match = _SETTING.fullmatch(value)
        if match is None:
            raise MalformedTranscript(f"{transcript.path}: no setting: {value}")
        if match["key"] == "plaintext":
            plaintext = Plaintext(match["value"])
        elif match["key"] in QUOTAS:
            quota.append((QUOTAS[match["key"]], octets_of(match["value"])))
        elif match["key"] == "contact":
            contact = match["value"]
        elif match["key"] == "administrators":
            administrators.add(match["value"])
        elif match["key"].startswith("lmtp."):
            delivery[match["key"].removeprefix("lmtp.")] = {"true": True, "false": False}[match["value"]]
        elif match["key"] == "hide":
            hide += (match["value"],)
        elif match["key"] == "oauth.scope":
            login["oauth"] = tokens.rules(scope=match["value"])
        elif match["key"].startswith("auth."):
            login[match["key"].removeprefix("auth.")] = {"true": True, "false": False}[match["value"]]
        else:
            name = match["key"].removeprefix("limits.")
            limits[name] = type(getattr(Limits(), name))(float(match["value"]))
    rules = DeliveryRules(**delivery)
    return Settings(
        Limits(**limits),
        plaintext,
        rules,
        tuple(quota),
        frozenset(administrators),
        contact,
        login=LoginRules(**login),
        hide=hide,
    )


def accounts_of(transcript: Transcript) -> dict[str, str]:
    """Names and passwords: linda, and the accounts in the heads (``account: fred secret``)."""
    accounts = {USER: PASSWORD}
    for value in transcript.all("account"):
        name, password = value[1:].split('" ', 1) if value.startswith('"') else value.split(" ", 1)
        accounts[name] = password
    return accounts


def certified(transcript: Transcript) -> str | None:
    """The name in the certificate that the clients show, of the head ``tls: as NAME``; None if they show none."""
    first, _, name = transcript.head("tls").partition(" ")
    return name if first == "as" else None


class ErrorLog:
    """Keeps what was logged as an error, because a bug that a session survived is still a bug."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def __call__(self, logger: object, level: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        if level in ("error", "critical", "exception"):
            self.errors.append(str(structlog.processors.format_exc_info(logger, level, event)))
        raise structlog.DropEvent


class MektupInMemory:
    """A ``support.memory.Backend``."""

    def __init__(self, store: Store, folder: Path | None, settings: Settings) -> None:
        """Use ``open_backend`` instead."""
        self._store = store
        self._folder = folder
        self._settings = settings
        self._errors = ErrorLog()
        self._log = structlog.wrap_logger(structlog.PrintLogger(), processors=[self._errors])
        self._authenticator = self._make_authenticator()

    def _make_authenticator(self) -> Authenticator:
        return Authenticator(
            self._store.directory,
            self._settings.limits,
            plaintext=self._settings.plaintext,
            rules=self._settings.login,
            tokens=tokens.checker(self._settings.login.oauth),
            nobodys_key=b"nobody",
        )

    def session(self, protocol: str, peer: MemoryPeer) -> RunsASession:
        services = Services(
            self._store,
            self._authenticator,
            self._settings.limits,
            self._log,
            "memory",
            delivery=self._settings.delivery,
            administrators=self._settings.administrators,
            contact=self._settings.contact,
            hidden=hiding.checked(self._settings.hide),
        )
        match protocol:
            case "pop3":
                return Pop3Session(peer, services)
            case "lmtp":
                return LmtpSession(peer, services)
            case _:
                return ImapSession(peer, services)

    async def deliver(self, raw: bytes, account: str) -> None:
        entry = await self._store.directory.find(account)
        assert entry is not None, account
        opened = await self._store.account(entry)
        inbox = await opened.mailbox("INBOX")
        await opened.append(inbox.id, [Incoming(prepare(raw))])

    async def reopen(self) -> None:
        await self._store.close()
        self._store = await open_store(self._folder, limits=self._settings.limits, quota=dict(self._settings.quota))
        self._authenticator = self._make_authenticator()

    async def close(self) -> None:
        await self._store.close()
        assert not self._errors.errors, "\n".join(self._errors.errors)


async def open_world(transcript: Transcript, folder: Path | None, *, by_octet: bool) -> MemoryWorld:
    """A world in memory for *transcript*. Its store is in *folder*, or in memory for None."""
    settings = settings_of(transcript)
    store = await open_store(folder, limits=settings.limits, quota=dict(settings.quota))
    return await world_of(transcript, store, folder, by_octet=by_octet)


async def open_naive_world(transcript: Transcript) -> MemoryWorld:
    """The same with the naive engine, which forgets everything when it is closed."""
    settings = settings_of(transcript)
    store = await naive.open_store(limits=settings.limits, quota=dict(settings.quota))
    return await world_of(transcript, store, None, by_octet=False)


async def world_of(transcript: Transcript, store: Store, folder: Path | None, *, by_octet: bool) -> MemoryWorld:
    """A world over *store*, which is in *folder*, with the accounts of *transcript*; closing the world closes it."""
    settings = settings_of(transcript)
    for name, password in accounts_of(transcript).items():
        await store.directory.add(name, {"password": "{PLAIN}" + password})
    backend = MektupInMemory(store, folder, settings)
    secure = transcript.head("tls") != "no"
    return MemoryWorld(backend, by_octet=by_octet, secure=secure, client_name=certified(transcript))
