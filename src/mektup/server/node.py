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
from collections.abc import Callable
from functools import partial
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from mektup.imap.session import ImapSession
from mektup.lmtp.session import LmtpSession
from mektup.pop3.session import Pop3Session
from mektup.server.addresses import Endpoint, Service
from mektup.server.admission import Admission
from mektup.server.bus import Bus
from mektup.server.config import Config, ConfigError
from mektup.server.fault_book import FaultBook
from mektup.server.listeners import Listener
from mektup.server.logs import Log
from mektup.server.report import Report, process_figures
from mektup.server.sessions import Begin, Session, Sessions
from mektup.server.tls import LOOK_SECONDS, Certificates, Loaded
from mektup.server.tuning.malloc_trim import trim_memory
from mektup.session.services import Services, Tally
from mektup.store import files
from mektup.store.faults import in_words
from mektup.store.interface import Store
from mektup.store.sqlite import Reserve, open_store
from mektup.terms.errors import Refused
from mektup.terms.texts import ABOUT

NOBODYS_KEY_BYTES = 32

REVIEW_SECONDS = 1.0
"""How often a node looks for changed passwords; then sessions that logged in with an old password end."""

EXPIRY_DAYS = 14
"""How many days before a certificate expires the log warns."""


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedConfig:
    """A configuration whose steps that can fail are done."""

    config: Config
    certificates: Loaded


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
    ) -> None:
        """Use ``open_node``."""
        self.config = config
        self.store = store
        self.certificates = certificates
        self.log = log
        self.counters: dict[str, Callable[[], float]] = {}
        """Counters of the whole process for the metrics; names as in Report."""
        self.troubles: list[Callable[[], str | None]] = []
        """Each returns a text that says what is wrong now, for ``/health``; None if nothing is."""
        self._faults = faults
        self._bus = bus
        self._nobodys_key = _nobodys_key(config.data)
        self.sessions = Sessions(
            self._begin, certificate=certificates.context, limits=config.limits, log=log, tuning=config.tuning
        )
        self._authenticator = self._make_authenticator(config)
        self._listeners: dict[tuple[Service, Endpoint], list[Listener]] = {}
        self._look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._refresh_certificates)
        self._review = asyncio.get_running_loop().create_task(self._review_accounts())
        self._warn_of_expiry()

    # Listening

    def listen(self, service: Service, configured: Endpoint, bound: list[socket.socket]) -> None:
        """Accepts connections at the sockets *bound*. The node owns them from now on."""
        accept = partial(_accept, self.sessions, service)
        self._listeners.setdefault((service, configured), []).extend(Listener(each, accept) for each in bound)

    def stop_listening(self, service: Service, configured: Endpoint) -> None:
        """Stops accepting at this address; open sessions stay."""
        for listener in self._listeners.pop((service, configured), ()):
            listener.close()

    # Reports

    def report(self) -> Report:
        """The counters so far."""
        return Report(
            protocols={protocol: _numbers(tally) for protocol, tally in self.sessions.tallies.items()},
            durations={protocol: tally.durations.counted() for protocol, tally in self.sessions.tallies.items()},
            counters={name: count() for name, count in self.counters.items()},
            remembered={
                kind.value: (counts.hits, counts.misses, counts.octets)
                for kind, counts in self.store.memory.counts().items()
            },
            faults=self._faults.counts(),
            process=process_figures(),
            troubles=tuple(trouble for look in self.troubles if (trouble := look()) is not None),
        )

    # Changing and ending

    def prepare(self, config: Config) -> PreparedConfig:
        """Checks that *config* can be applied; nothing changes yet. Raises ConfigError."""
        return PreparedConfig(config, self.certificates.prepare(config))

    def commit(self, prepared: PreparedConfig) -> None:
        """Applies a prepared configuration, except its data directory, workers and addresses.

        Open sessions keep their settings. Cannot fail, because ``prepare`` has done every step that can.
        """
        config = prepared.config
        self.certificates.commit(prepared.certificates)
        self._warn_of_expiry()
        if (config.limits, config.plaintext) != (self.config.limits, self.config.plaintext):
            self._authenticator.reload(config.limits, config.plaintext)
            self.sessions.limits = config.limits
        self.config = dataclasses.replace(config, data=self.config.data)

    async def stop(self) -> None:
        """Stops accepting, lets sessions finish within ``limits.stop_seconds``, and closes everything."""
        for service, configured in tuple(self._listeners):
            self.stop_listening(service, configured)
        self._look.cancel()
        self._review.cancel()
        await asyncio.gather(self._review, return_exceptions=True)
        await self.sessions.stop()
        await self._authenticator.close()
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
            can_start_tls=True,
            spool_directory=self.config.data,
            delivery=self.config.delivery,
            faults=self._faults,
            tally=what.tally,
        )
        match what.service:
            case Service.POP3 | Service.POP3S:
                return Pop3Session(what.connection, services)
            case Service.LMTP:
                return LmtpSession(what.connection, services)
            case _:
                return ImapSession(what.connection, services)

    def _make_authenticator(self, config: Config) -> Admission:
        return Admission(
            self.store.directory,
            config.limits,
            self.sessions.note_attempt,
            plaintext=config.plaintext,
            nobodys_key=self._nobodys_key,
            # in memory, passwords are not hashed
            hashes_anew=config.data is not None,
            log=self.log,
        )

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
    certificates = Certificates(config, log)
    bus = None
    if config.data is not None:
        try:
            bus = Bus(config.data)
        except OSError as error:
            raise ConfigError(ABOUT.of(place="data", problem=files.reason(error, config.data))) from error
        except Refused as error:
            raise ConfigError(ABOUT.of(place="data", problem=error.text)) from error
    reserve = Reserve(config.data)
    faults = FaultBook(log, reserve)
    try:
        store = await open_store(
            config.data,
            bus=bus,
            limits=config.limits,
            compression=config.compression,
            faults=faults,
            reserve=reserve,
            trim_memory=trim_memory if config.tuning.trim_memory else None,
        )
        if not reserve.refill():
            log.warning("no_reserve", file=str(reserve), consequence="no mail is taken until there is room for it")
        if bus is not None:
            bus.start(store.changed_elsewhere, store.missed_notices)
        node = Node(config, store, bus, certificates, log, faults)
    except (Refused, OSError) as error:
        if bus is not None:
            bus.close()
        words = in_words(error) if isinstance(error, Refused) else files.reason(error, config.data or Path())
        raise ConfigError(ABOUT.of(place="data", problem=words)) from error
    node.troubles.append(faults.trouble)
    if own is not None:
        node.counters["log_lines_dropped"] = lambda: own.dropped
        node.counters["log_lines_left_out"] = lambda: own.left_out
    return node


def _numbers(tally: Tally) -> dict[str, int]:
    named = ((field.name, getattr(tally, field.name)) for field in dataclasses.fields(tally))
    return {name: value for name, value in named if isinstance(value, int)}


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


def _accept(sessions: Sessions, service: Service, accepted: socket.socket, peer_name: object) -> None:
    sessions.accept(accepted, peer_name, service)


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
