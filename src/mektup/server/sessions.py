"""The life of each connection, from accept to its last log line.

It asks the door whether the connection may enter, counts it, runs a session of the right protocol, logs it, and ends
all sessions when the server stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ssl import SSLContext
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from mektup.server import texts
from mektup.server.addresses import Service
from mektup.server.connection import Connection
from mektup.server.door import Door
from mektup.server.fair_turns import FairTurns
from mektup.server.layers.tls import NotTls
from mektup.server.tuning.busy_poll import BusyPoll
from mektup.server.tuning.switches import DEFAULT_TUNING, Tuning
from mektup.session.services import Tally
from mektup.store.interface import AccountEntry
from mektup.terms.errors import MektupError
from mektup.terms.limits import Limits
from mektup.terms.networks import network_of
from mektup.terms.texts import Text

FAREWELL_SECONDS = 0.5
"""When the server stops: how long a client may take to close after its farewell, if it has sent octets meanwhile."""

STANDSTILL_SECONDS = 2.0
"""When the server stops: how long a client in the middle of a command may neither send nor take an octet. A program
that stops its embedded server is often the client, too, and cannot go on before the server has stopped."""

CLOSING_SECONDS = 0.01
"""When the server stops: how long a silent client may take to close. It need not close, because it has sent nothing
that could meet a closed socket and cause a reset, which would destroy the farewell."""

REFUSALS_TOLD_SECONDS = 1.0
"""How often the log reports refused connections: one line for each reason, with their number."""

REFUSALS_AT_ONCE = 200
"""So many refused connections at a time get an answer. More are closed without one."""

FAREWELLS_AT_ONCE = 200
"""So many connections that give way at a time get a farewell. More are closed without one."""


class Session(Protocol):
    """A session of one protocol with one client."""

    async def run(self) -> None:
        """Serves the client until one of the two says goodbye."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The parts of a new session."""

    connection: Connection
    service: Service
    session_id: str
    log: FilteringBoundLogger
    tally: Tally


_HTTP = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|TRACE|PATCH) ")
_HTTP_ANSWER = (
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}\n"
)


def _tls_expected(protocol: str, said: bytes) -> bytes:
    """The answer to a client that sent clear text where TLS is expected, in its own protocol."""
    if _HTTP.match(said):
        text = str(texts.NO_WEB_SERVER)
        return _HTTP_ANSWER.format(len(text) + 1, text).encode("ascii")
    return _FAREWELLS[protocol].format(texts.TLS_EXPECTED).encode("ascii")


_FAREWELLS: Mapping[str, str] = {
    # RFC 9051 §7.1.5; RFC 2449 §8.1.1 with RFC 3206 §4; RFC 2033 §4.1 with RFC 3463 §3.4
    "imap": "* BYE [UNAVAILABLE] {}\r\n",
    "pop3": "-ERR [SYS/TEMP] {}\r\n",
    "lmtp": "421 4.3.2 {}\r\n",
}


@dataclass(slots=True)
class Visit:
    """What the server knows about one connection."""

    tally: Tally
    log: FilteringBoundLogger
    user: str | None = None
    """The account that logged in."""


class Refusals:
    """Counts refused connections for the log. With a line for each, a client could fill the log."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._counts: dict[tuple[str, str], int] = {}
        self._addresses: dict[tuple[str, str], str] = {}
        self._timer: asyncio.TimerHandle | None = None

    def note(self, protocol: str, reason: str, address: str) -> None:
        """Counts one more refusal, from *address*."""
        key = protocol, reason
        self._counts[key] = self._counts.get(key, 0) + 1
        self._addresses[key] = address
        if self._timer is None:
            self.tell()
            self._timer = self._loop.call_later(REFUSALS_TOLD_SECONDS, self._look)

    def tell(self) -> None:
        """Logs the refusals since the last call."""
        for (protocol, reason), count in self._counts.items():
            last = self._addresses[protocol, reason]
            self._log.info("connection_refused", protocol=protocol, reason=reason, connections=count, last_from=last)
        self._counts.clear()
        self._addresses.clear()

    def close(self) -> None:
        """Logs the refusals that are not logged yet."""
        if self._timer is not None:
            self._timer.cancel()
        self.tell()

    def _look(self) -> None:
        self._timer = self._loop.call_later(REFUSALS_TOLD_SECONDS, self._look) if self._counts else None
        self.tell()


class Sessions:
    """All sessions of this process."""

    def __init__(
        self,
        begin: Callable[[Begin], Session],
        *,
        certificate: Callable[[], SSLContext | None],
        limits: Limits,
        log: FilteringBoundLogger,
        tuning: Tuning = DEFAULT_TUNING,
    ) -> None:
        """*begin* makes a session; *certificate* returns the TLS context of that time, None if there is none."""
        self._begin = begin
        self._certificate = certificate
        self._log = log
        self._refusals = Refusals(log)
        self._door: Door[Connection] = Door()
        self._giving_way: set[Connection] = set()
        self._refusing = 0
        self._inline_wakeup = tuning.inline_wakeup
        self._busy_poll = BusyPoll(asyncio.get_running_loop(), is_enabled=tuning.busy_poll)
        self._turns = FairTurns(asyncio.get_running_loop())
        self._tasks: set[asyncio.Task[None]] = set()
        self._visits: dict[Connection, Visit] = {}
        self._gone = asyncio.Event()
        self._stopping = False
        self.limits = limits
        """May be replaced; open sessions keep their limits."""
        self.tallies = {protocol: Tally() for protocol in _FAREWELLS}

    @property
    def count(self) -> int:
        """The number of open connections."""
        return len(self._visits)

    def accept(self, accepted: socket.socket, peer_name: object, service: Service) -> None:
        """Starts a session for a connection accepted at an address of *service*, or refuses it."""
        connection = Connection(
            peer_name,
            busy_poll=self._busy_poll,
            inline_wakeup=self._inline_wakeup,
            turns=self._turns,
            certificate=self._certificate,
            write_seconds=self.limits.write_seconds,
            interest_seconds=self.limits.interest_seconds,
            on_lost=self._lost,
        )
        network, now = network_of(connection.address), time.monotonic()
        verdict = self._door.ask(network, service, self.limits, now)
        if verdict.gives_way is not None:
            self._give_way(verdict.gives_way)
        if verdict.objection is None:
            # counted now, because many connections are accepted before their sessions begin
            self._door.enter(connection, network, service, now)
            if service is Service.LMTP:
                connection.trust()
            coming = self._serve(connection, accepted, service)
        elif self._refusing < REFUSALS_AT_ONCE:
            self._refusing += 1
            self._note_refusal(connection, service, verdict.objection)
            coming = self._refuse(connection, accepted, service, verdict.objection)
        else:
            self._note_refusal(connection, service, verdict.objection)
            accepted.close()
            return
        task = connection.task = asyncio.get_running_loop().create_task(coming)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def note_attempt(self, connection: Connection, entry: AccountEntry | None) -> None:
        """Notes that *connection* logged in as *entry*; None: that its login failed."""
        visit = self._visits.get(connection)
        if visit is None:
            return
        if entry is None:
            visit.tally.refused_logins += 1
        else:
            visit.tally.logins += 1
            visit.user = entry.name
            connection.trust()
            self._door.logged_in(connection)

    def _give_way(self, connection: Connection) -> None:
        """Ends a connection before login to make room for a new one."""
        self._door.logged_in(connection)
        visit = self._visits.get(connection)
        if visit is not None:
            visit.tally.refused_connections += 1
            visit.log.info("connection_gave_way")
        connection.dismiss(texts.FULL)
        if len(self._giving_way) < FAREWELLS_AT_ONCE:
            self._giving_way.add(connection)
        else:
            connection.abort()

    async def stop(self) -> None:
        """Tells every session to end, and cancels those that have not ended within ``limits.stop_seconds``."""
        self._stopping = True
        self._refusals.close()
        for connection in tuple(self._visits):
            connection.stop()
        await self._until_done_or_still(self.limits.stop_seconds)
        for connection in tuple(self._visits):
            connection.hurry()
        await self._until_done(FAREWELL_SECONDS)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._until_gone(CLOSING_SECONDS)
        for connection in tuple(self._visits):
            if connection.can_be_left:
                connection.leave()
        await self._until_gone(FAREWELL_SECONDS)
        for connection in tuple(self._visits):
            connection.abort()
        await self._until_gone(FAREWELL_SECONDS)

    async def _until_done_or_still(self, seconds: float) -> None:
        """Waits for the sessions, but not for one whose client does nothing for STANDSTILL_SECONDS."""
        ends = time.monotonic() + seconds
        # all sessions were woken just now; after this, those that wait for their clients wait again
        await self._until_done(min(seconds, CLOSING_SECONDS))
        passed: dict[Connection, tuple[int, ...] | None] = {}
        given_up: set[Connection] = set()
        while (left := ends - time.monotonic()) > 0:
            serving = [connection for connection in self._visits if connection.task in self._tasks]
            before, passed = passed, {connection: connection.passed for connection in serving}
            for connection, octets in passed.items():
                if octets is not None and octets == before.get(connection):
                    connection.hurry()
                    given_up.add(connection)
            if given_up.issuperset(serving):
                return
            await self._until_done(min(left, STANDSTILL_SECONDS))

    async def _until_done(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=seconds)

    async def _until_gone(self, seconds: float) -> None:
        if self._visits:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), seconds)

    def _lost(self, connection: Connection) -> None:
        self._visits.pop(connection, None)
        self._giving_way.discard(connection)
        if not self._visits:
            self._gone.set()

    # One connection

    def _note_refusal(self, connection: Connection, service: Service, objection: Text) -> None:
        self.tallies[service.protocol].refused_connections += 1
        self._refusals.note(service.value, str(objection), connection.address)

    async def _serve(self, connection: Connection, accepted: socket.socket, service: Service) -> None:
        began = time.monotonic()
        session_id = secrets.token_hex(4)
        log = self._log.bind(session=session_id, protocol=service.value, address=connection.address)
        tally = self.tallies[service.protocol]
        tally.connections += 1
        tally.open += 1
        visit = Visit(tally, log)
        try:
            if await self._connect(connection, visit, accepted, service):
                await self._begin(Begin(connection, service, session_id, log, tally)).run()
        except MektupError as ending:
            log.debug("session_broke", reason=str(ending))
        except asyncio.CancelledError:
            # the server stops, and the time of this session is over
            if not connection.in_response:
                connection.write(_FAREWELLS[service.protocol].format(texts.SHUTTING_DOWN).encode("ascii"))
            raise
        except Exception:
            # the last boundary: the other sessions go on, whatever happened
            tally.bugs += 1
            log.exception("session_failed")
        finally:
            connection.close()
            self._door.leave(connection, service)
            tally.open -= 1
            tally.octets_in += connection.bytes_in
            tally.octets_out += connection.bytes_out
            log.info(
                "session_ended",
                user=visit.user,
                octets_in=connection.bytes_in,
                octets_out=connection.bytes_out,
                seconds=round(time.monotonic() - began, 3),
            )

    async def _refuse(self, connection: Connection, accepted: socket.socket, service: Service, objection: Text) -> None:
        tally = self.tallies[service.protocol]
        log = self._log.bind(protocol=service.value, address=connection.address)
        try:
            if await self._connect(connection, Visit(tally, log), accepted, service):
                connection.write(_FAREWELLS[service.protocol].format(objection).encode("ascii"))
        finally:
            self._refusing -= 1
            connection.close()

    async def _connect(self, connection: Connection, visit: Visit, accepted: socket.socket, service: Service) -> bool:
        """Connects *connection* to its socket and completes the TLS handshake; false if that failed."""
        self._visits[connection] = visit
        self._gone.clear()
        if self._stopping:
            # accepted just before the stop, and not yet listed when stop() told all connections
            connection.stop()
        connected = False
        try:
            tls = connection.expect_tls() if service.implicit_tls else None
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, accepted)
            connected = True
            if tls is not None:
                await connection.shake_hands(tls)
        except NotTls as error:
            # the clear text is not logged, because it may hold a password
            visit.log.info("tls_expected", spoken="HTTP" if _HTTP.match(error.said) else service.protocol.upper())
            connection.write(_tls_expected(service.protocol, error.said))
            connection.close()
            return False
        except (OSError, MektupError) as error:
            # a client that does not trust our certificate, or a port scanner
            visit.log.debug("handshake_failed", reason=str(error.__cause__ or error))
            return False
        finally:
            if not connected:
                accepted.close()
                self._lost(connection)
        return True
