"""Each connection's way from the door to its last log line.

Here is who may connect, counted; the session of the right protocol; what is logged of it; and how all
of them end when the server stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from mektup.auth.services import Tally
from mektup.server.addresses import Service
from mektup.server.connection import HANDSHAKE_SECONDS, SHUTDOWN_SECONDS, Connection
from mektup.terms.errors import MektupError
from mektup.terms.limits import Limits

FAREWELL_SECONDS = 0.5
"""How long clients have to close after their session's farewell, when the server stops."""

REFUSALS_AT_ONCE = 200
"""Connections over the limits that are being told so; beyond, they are closed without a word."""


class Session(Protocol):
    """What speaks with one client."""

    async def run(self) -> None:
        """Serves the client until one of the two says goodbye."""


@dataclass(frozen=True, slots=True)
class Begin:
    """What a new session is made from."""

    connection: Connection
    service: Service
    session_id: str
    log: FilteringBoundLogger
    tally: Tally


_FAREWELLS: Mapping[str, str] = {
    # RFC 9051 §7.1.5; RFC 2449 §8.1.1 with RFC 3206 §4; RFC 2033 §4.1 with RFC 3463 §3.4
    "imap": "* BYE [UNAVAILABLE] {}\r\n",
    "pop3": "-ERR [SYS/TEMP] {}\r\n",
    "lmtp": "421 4.3.2 {}\r\n",
}


@dataclass(slots=True)
class Door:
    """Who may connect. The limits are those of one process."""

    open: int = 0
    refusing: int = 0
    before_login: Counter[str] = field(default_factory=Counter)
    """By address."""

    def objection(self, address: str, service: Service, limits: Limits) -> str | None:
        """Why one more may not come in; None where it may."""
        if self.open >= limits.connections:
            return "Too many connections, try again later"
        if service is not Service.LMTP and self.before_login[address] >= limits.connections_per_address_before_login:
            return "Too many connections from your address that did not log in"
        return None


class Sessions:
    """All sessions of this process."""

    def __init__(
        self,
        begin: Callable[[Begin], Session],
        *,
        certificate: Callable[[], SSLContext | None],
        limits: Limits,
        log: FilteringBoundLogger,
    ) -> None:
        """*begin* makes a session of its protocol; *certificate* yields what TLS uses at that time."""
        self._begin = begin
        self._certificate = certificate
        self._log = log
        self._door = Door()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()
        self._gone = asyncio.Event()
        self.limits = limits
        """May be replaced; sessions that are there keep theirs."""
        self.tallies = {protocol: Tally() for protocol in _FAREWELLS}

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def accept(self, accepted: socket.socket, peer_name: object, service: Service) -> None:
        """Takes a connection that was accepted at a *service*'s address."""
        connection = Connection(
            peer_name,
            secure=service.implicit_tls,
            certificate=self._certificate,
            write_seconds=self.limits.write_seconds,
            on_lost=self._lost,
        )
        objection = self._door.objection(connection.address, service, self.limits)
        if objection is None:
            coming = self._serve(connection, accepted, service)
        elif self._door.refusing < REFUSALS_AT_ONCE:
            coming = self._refuse(connection, accepted, service, objection)
        else:
            accepted.close()
            return
        task = asyncio.get_running_loop().create_task(coming)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def logged_in(self, connection: Connection, user: str) -> None:
        """Notes that *connection* is *user*; may be called twice."""
        connection.user = user
        self._let_address_go(connection)

    async def stop(self) -> None:
        """Tells every session to say goodbye, and ends those that have not within ``limits.stop_seconds``."""
        for connection in tuple(self._connections):
            connection.stop()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=self.limits.stop_seconds)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._until_gone(FAREWELL_SECONDS)
        for connection in tuple(self._connections):
            connection.abort()
        await self._until_gone(FAREWELL_SECONDS)

    async def _until_gone(self, seconds: float) -> None:
        if self._connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), seconds)

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._gone.set()

    # One connection

    async def _serve(self, connection: Connection, accepted: socket.socket, service: Service) -> None:
        began = time.monotonic()
        session_id = secrets.token_hex(4)
        log = self._log.bind(session=session_id, protocol=service.value, address=connection.address)
        tally = self.tallies[service.protocol]
        tally.connections += 1
        tally.open += 1
        self._enter(connection, service)
        try:
            if await self._connect(connection, accepted, service, log):
                await self._begin(Begin(connection, service, session_id, log, tally)).run()
        except MektupError as ending:
            log.debug("session_broke", reason=str(ending))
        except Exception:
            # the boundary of last resort: whatever happened, the other sessions go on
            tally.bugs += 1
            log.exception("session_failed")
        finally:
            connection.close()
            self._leave(connection)
            tally.open -= 1
            tally.octets_in += connection.bytes_in
            tally.octets_out += connection.bytes_out
            log.info(
                "session_ended",
                user=connection.user,
                octets_in=connection.bytes_in,
                octets_out=connection.bytes_out,
                seconds=round(time.monotonic() - began, 3),
            )

    async def _refuse(self, connection: Connection, accepted: socket.socket, service: Service, objection: str) -> None:
        self.tallies[service.protocol].refused_connections += 1
        self._log.info("connection_refused", protocol=service.value, address=connection.address, reason=objection)
        self._door.refusing += 1
        try:
            if await self._connect(connection, accepted, service, self._log):
                connection.write(_FAREWELLS[service.protocol].format(objection).encode("ascii"))
        finally:
            self._door.refusing -= 1
            connection.close()

    async def _connect(
        self, connection: Connection, accepted: socket.socket, service: Service, log: FilteringBoundLogger
    ) -> bool:
        context = self._certificate() if service.implicit_tls else None
        self._connections.add(connection)
        self._gone.clear()
        try:
            if service.implicit_tls and context is None:
                raise ConnectionAbortedError("There is no certificate for TLS")
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=context,
                ssl_handshake_timeout=None if context is None else HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=None if context is None else SHUTDOWN_SECONDS,
            )
        except OSError as error:
            # a client that does not trust us, a port scanner, TLS where none was expected
            log.debug("handshake_failed", reason=str(error))
            accepted.close()
            self._lost(connection)
            return False
        except asyncio.CancelledError:
            accepted.close()
            self._lost(connection)
            raise
        return True

    def _enter(self, connection: Connection, service: Service) -> None:
        self._door.open += 1
        if service is not Service.LMTP:
            self._door.before_login[connection.address] += 1
            connection.login_pending = True

    def _leave(self, connection: Connection) -> None:
        self._door.open -= 1
        self._let_address_go(connection)

    def _let_address_go(self, connection: Connection) -> None:
        if connection.login_pending:
            connection.login_pending = False
            self._door.before_login[connection.address] -= 1
            if not self._door.before_login[connection.address]:
                del self._door.before_login[connection.address]
