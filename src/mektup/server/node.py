"""All parts of one serving process: store, authenticator, certificates, bus, sessions, listening sockets.

A node gets sockets that are bound already: from ``single`` if there is one process, from the parent (``workers``) if
there are several.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import shlex
import socket
from functools import partial
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from mektup.auth.authenticator import Authenticator
from mektup.auth.login_rules import LoginRules
from mektup.auth.oauth.rules import Tokens
from mektup.auth.plaintext import Plaintext
from mektup.backup.unfinished import is_unfinished
from mektup.imap.session import ImapSession
from mektup.lmtp.session import LmtpSession
from mektup.mta.sasl_session import SaslSession
from mektup.mta.socketmap import SocketmapSession
from mektup.pop3.session import Pop3Session
from mektup.server import texts
from mektup.server.addresses import Endpoint, Service
from mektup.server.bus import Bus
from mektup.server.config import Config, ConfigError
from mektup.server.control.answering import Answering
from mektup.server.engines import open_engine, reserve_of
from mektup.server.fault_book import FaultBook
from mektup.server.hidden import Hidden
from mektup.server.issuer_keys import Issuer
from mektup.server.last_logins import LastLogins
from mektup.server.listeners import Listener
from mektup.server.logs import Log
from mektup.server.reporter import EMBEDDED, Reporter
from mektup.server.sessions import Begin, Sessions
from mektup.server.tls import EXPIRY_DAYS, LOOK_SECONDS, Certificates, Loaded
from mektup.server.tuning.malloc_trim import trim_memory
from mektup.server.visit import Session
from mektup.session.refusal_log import RefusalLog
from mektup.session.services import Services
from mektup.store import files
from mektup.store.faults import fault_of_os_error, in_words
from mektup.store.interface import AccountEntry, Store
from mektup.store.spool import SpoolMemory
from mektup.store.sqlite import Reserve
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from mektup.terms.networks import Networks
from mektup.terms.peer import Peer
from mektup.terms.texts import ABOUT

NOBODYS_KEY_BYTES = 32

REVIEW_SECONDS = 1.0
"""How often a node looks for changed passwords; then sessions that logged in with an old password end."""


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedConfig:
    """A configuration whose steps that can fail are done."""

    config: Config
    certificates: Loaded
    hidden: Hidden
    issuer: Issuer | None
    """Of tokens; it has not begun to fetch keys."""


class Node:
    """One process of a server."""

    def __init__(
        self,
        config: Config,
        store: Store,
        bus: Bus | None,
        certificates: Certificates,
        log: FilteringBoundLogger,
        faults: FaultBook,
        reserve: Reserve,
        own: Log | None,
        hidden: Hidden,
        issuer: Issuer | None,
    ) -> None:
        """Use ``open_node``."""
        self.config = config
        self.store = store
        self.certificates = certificates
        self.log = log
        self._faults = faults
        self._bus = bus
        self._hidden = hidden
        self._nobodys_key = _nobodys_key(config.data)
        self._refusal_log = RefusalLog()
        self.sessions = Sessions(
            self._begin,
            certificate=certificates.tls,
            limits=config.limits,
            proxy_from=config.proxy_from,
            trusted=config.trusted,
            log=log,
            tuning=config.tuning,
        )
        self._issuer = issuer
        if issuer is not None:
            issuer.keys.start()
        self._last_logins = LastLogins(store.directory, log)
        self._last_logins.start()
        self._authenticator = self._make_authenticator(config)
        self.reporter = Reporter(self.sessions, store, faults, reserve, own)
        self._spool_memory = SpoolMemory()
        self.control = Answering(self.sessions.serving, self.sessions.tracing, log)
        """Answers ``mektup who``, ``kick`` and ``trace``."""
        self._listeners: dict[tuple[Service, Endpoint], list[Listener]] = {}
        self._look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._refresh_certificates)
        self._review = asyncio.get_running_loop().create_task(self._review_accounts())
        self._warn_of_expiry()

    # Listening

    def listen(self, service: Service, configured: Endpoint, bound: list[socket.socket]) -> None:
        """Accepts connections at the sockets *bound*. The node owns them from now on."""
        accept = partial(_accept, self.sessions, service, configured)
        failed = partial(self._note_not_accepted, configured)
        self._listeners.setdefault((service, configured), []).extend(Listener(each, accept, failed) for each in bound)

    def _note_not_accepted(self, configured: Endpoint, error: OSError) -> None:
        self._faults.happened(fault_of_os_error(error, f"accepting at {configured}"))

    def stop_listening(self, service: Service, configured: Endpoint) -> None:
        """Stops accepting at this address; open sessions stay."""
        for listener in self._listeners.pop((service, configured), ()):
            listener.close()

    @property
    def delivery_log(self) -> FilteringBoundLogger | None:
        """The log for messages from an embedding program; None if deliveries are not logged."""
        return self.log.bind(protocol=EMBEDDED) if self.config.log_rules.deliveries else None

    # Changing and ending

    def prepare(self, config: Config) -> PreparedConfig:
        """Checks that *config* can be applied; nothing changes yet. Raises ConfigError."""
        issuer = self._issuer
        if config.login.oauth != self.config.login.oauth:
            issuer = issuer_of(config, self.log)
        return PreparedConfig(config, self.certificates.prepare(config), Hidden(config.hide), issuer)

    def commit(self, prepared: PreparedConfig) -> None:
        """Applies a prepared configuration, except its data directory, workers and addresses.

        Open sessions keep their settings. Cannot fail, because ``prepare`` has done every step that can.
        """
        config = prepared.config
        self.certificates.commit(prepared.certificates)
        self._hidden = prepared.hidden
        self._warn_of_expiry()
        before = self.config
        if _login_settings(config) != _login_settings(before):
            self._use(prepared.issuer)
            self._authenticator.reload(*_login_settings(config), self._tokens)
            self.sessions.limits, self.sessions.trusted = config.limits, config.trusted
        self.sessions.proxy_from = config.proxy_from
        self.store.default_quota.limits = config.quota
        self.config = dataclasses.replace(config, data=before.data, store=before.store)

    def _use(self, issuer: Issuer | None) -> None:
        before, self._issuer = self._issuer, issuer
        if before is not issuer:
            if before is not None:
                before.keys.abandon()
            if issuer is not None:
                issuer.keys.start()

    @property
    def _tokens(self) -> Tokens | None:
        return None if self._issuer is None else self._issuer.tokens

    async def stop(self) -> None:
        """Stops accepting, lets sessions finish within ``limits.stop_seconds``, and closes everything."""
        for service, configured in tuple(self._listeners):
            self.stop_listening(service, configured)
        self._look.cancel()
        self.reporter.close()
        self._review.cancel()
        await asyncio.gather(self._review, return_exceptions=True)
        await self.sessions.stop()
        await self.control.close()
        if self._issuer is not None:
            await self._issuer.keys.close()
        await self._authenticator.close()
        await self._last_logins.close()
        await self.store.close()
        if self._bus is not None:
            self._bus.close()

    # Within

    def _begin(self, what: Begin) -> Session:
        services = Services(
            store=self.store,
            authenticator=self._authenticator,
            limits=self.sessions.limits,
            log=what.log,
            session_id=what.session_id,
            hostname=self.config.hostname,
            hidden=self._hidden.at(what.service, what.place),
            can_start_tls=True,
            spool_directory=self.config.data,
            spool_memory=self._spool_memory,
            delivery=self.config.delivery,
            administrators=self.config.administrators,
            contact=self.config.contact,
            log_rules=self.config.log_rules,
            refusal_log=self._refusal_log,
            faults=self._faults,
            taps=self.sessions.tracing,
            tally=what.tally,
        )
        match what.service:
            case Service.POP3 | Service.POP3S:
                return Pop3Session(what.connection, services)
            case Service.LMTP:
                return LmtpSession(what.connection, services)
            case Service.SASL:
                return SaslSession(what.connection, services)
            case Service.SOCKETMAP:
                return SocketmapSession(what.connection, services)
            case _:
                return ImapSession(what.connection, services)

    def _make_authenticator(self, config: Config) -> Authenticator:
        authenticator = Authenticator(
            self.store.directory,
            config.limits,
            plaintext=config.plaintext,
            trusted=config.trusted,
            rules=config.login,
            nobodys_key=self._nobodys_key,
            # in memory, passwords are not hashed
            hashes_anew=config.data is not None,
            tokens=self._tokens,
            log=self.log,
        )
        # called when the session has a place: a right password alone does not mean that the login succeeds
        authenticator.connections.entered = self._note_login
        authenticator.connections.left = self.sessions.note_logout
        return authenticator

    def _note_login(self, peer: Peer, entry: AccountEntry) -> None:
        self.sessions.note_login(peer, entry)
        self._last_logins.note(entry.id)

    async def _review_accounts(self) -> None:
        complained = ""
        while True:
            await asyncio.sleep(REVIEW_SECONDS)
            try:
                await self._authenticator.review()
                complained = ""
            except Refused as refusal:
                if str(refusal) != complained:
                    complained = str(refusal)
                    self.log.error("accounts_unreadable", reason=complained)

    def _refresh_certificates(self) -> None:
        self._look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._refresh_certificates)
        try:
            if self.certificates.refresh():
                self.log.info("certificate_replaced", days_left=round(self.certificates.days_left))
                self._warn_of_expiry()
        except ConfigError as error:
            self.log.warning("certificate_unusable", reason=str(error), consequence="the one before stays in use")

    def _warn_of_expiry(self) -> None:
        days = self.certificates.days_left
        if days < EXPIRY_DAYS:
            self.log.warning("certificate_expires", days_left=round(days, 1))


async def open_node(config: Config, log: FilteringBoundLogger, own: Log | None = None) -> Node:
    """A node with everything open except listening sockets; *own* is the log of the process, if it has its own.

    Raises ConfigError.
    """
    require_restored(config.data)
    certificates = Certificates(config, log)
    issuer, hidden = issuer_of(config, log), Hidden(config.hide)
    bus = None
    if config.data is not None:
        try:
            bus = Bus(config.data)
        except OSError as error:
            raise ConfigError(ABOUT.of(place="data", problem=files.reason(error, config.data))) from error
        except Refused as error:
            raise ConfigError(ABOUT.of(place="data", problem=error.text)) from error
    reserve = reserve_of(config.store, config.data)
    faults = FaultBook(log, reserve)
    try:
        store = await open_engine(
            config.store,
            config.data,
            bus=bus,
            limits=config.limits,
            quota=config.quota,
            compression=config.compression,
            faults=faults,
            reserve=reserve,
            trim_memory=trim_memory if config.tuning.trim_memory else None,
        )
        if not reserve.refill():
            log.warning("no_reserve", file=str(reserve), consequence="no mail is taken until there is room for it")
        if bus is not None:
            bus.start(store.changed_elsewhere, store.missed_notices)
        node = Node(config, store, bus, certificates, log, faults, reserve, own, hidden, issuer)
    except (Refused, OSError) as error:
        if bus is not None:
            bus.close()
        words = in_words(error) if isinstance(error, Refused) else files.reason(error, config.data or Path())
        raise ConfigError(ABOUT.of(place="data", problem=words)) from error
    return node


def issuer_of(config: Config, log: FilteringBoundLogger) -> Issuer | None:
    """The issuer of tokens that *config* names, which does not fetch keys yet. Raises ConfigError."""
    return None if config.login.oauth is None else Issuer(config.login.oauth, log)


def require_restored(data: Path | None) -> None:
    """Raises ConfigError where a restore into the data directory has not ended: its users would miss mail."""
    if data is not None and is_unfinished(data):
        raise ConfigError(ABOUT.of(place="data", problem=texts.RESTORE_UNFINISHED.of(directory=data)))


def warn_of_data(data: Path | None, log: FilteringBoundLogger) -> None:
    """Logs which files of the data directory other users may write to: they could add mail, or their own key."""
    for path in () if data is None else files.open_to_others(data):
        mode = f"{path.stat().st_mode & 0o7777:04o}"
        log.warning("others_may_write", path=str(path), mode=mode, advice=f"chmod -R go-rwx {shlex.quote(str(data))}")


async def tidy(store: Store, log: FilteringBoundLogger) -> None:
    """Finishes what killed commands and servers began. Raises Refused."""
    found = await store.tidy()
    if found.removed:
        log.info("removals_finished", accounts=found.removed)
    for path in found.strangers:
        log.warning("account_unknown", file=path, consequence="nobody can log in to it; it stays until you remove it")


def _accept(
    sessions: Sessions, service: Service, configured: Endpoint, accepted: socket.socket, peer_name: object
) -> None:
    sessions.accept(accepted, peer_name, service, configured)


def _login_settings(config: Config) -> tuple[Limits, Plaintext, Networks, LoginRules]:
    return config.limits, config.plaintext, config.trusted, config.login


def _nobodys_key(data: Path | None) -> bytes | None:
    """A key shared by all processes on one data directory, so that they answer alike for an unknown account."""
    if data is None:
        return None
    path = data / "run" / "nobodys.key"
    with files.alone_in(path.parent):
        # also if the file is empty or cut short, as a loss of power leaves it
        if not path.exists() or path.stat().st_size != NOBODYS_KEY_BYTES:
            files.write(path, secrets.token_bytes(NOBODYS_KEY_BYTES))
        return path.read_bytes()
