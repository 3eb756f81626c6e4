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
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from mektup.server import texts
from mektup.server.addresses import Endpoint, Service, address_of
from mektup.server.balancers import take_header
from mektup.server.connection import Connection
from mektup.server.control.tracing import Tracing
from mektup.server.door import Door
from mektup.server.fair_turns import FairTurns
from mektup.server.layers.server_tls import ServerTls
from mektup.server.layers.tls import NotTls
from mektup.server.progress import ProgressTimer
from mektup.server.proxy_header import ProxyError
from mektup.server.tuning.busy_poll import BusyPoll
from mektup.server.tuning.switches import DEFAULT_TUNING, Tuning
from mektup.server.visit import Session, Visit
from mektup.session.services import Tally
from mektup.store.interface import AccountEntry
from mektup.terms.errors import MektupError, without_text
from mektup.terms.limits import Limits
from mektup.terms.networks import NO_NETWORKS, Networks, network_of
from mektup.terms.peer import Peer
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


@dataclass(frozen=True, slots=True)
class Begin:
    """The parts of a new session."""

    connection: Connection
    service: Service
    place: Endpoint | None
    """The address as it is configured."""
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
    # these protocols have no farewell: who is cut off asks again
    "sasl": "",
    "socketmap": "",
}


@dataclass(slots=True)
class Census:
    """The open connections of this process."""

    stages: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Sessions by protocol and stage."""
    octets_in: Counter[str] = field(default_factory=Counter)
    """By protocol."""
    octets_out: Counter[str] = field(default_factory=Counter)


def _why(connection: Connection, session: Session | None) -> str:
    """Why a session has ended, for the log."""
    if connection.dismissal is not None:
        # its reason, for example that the server shuts down
        return str(connection.dismissal)
    if session is None:
        return "never began"
    return "broke off" if session.ending is None else session.ending.value


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
        certificate: Callable[[], ServerTls | None],
        limits: Limits,
        log: FilteringBoundLogger,
        proxy_from: Mapping[Service, Networks] | None = None,
        trusted: Networks = NO_NETWORKS,
        tuning: Tuning = DEFAULT_TUNING,
    ) -> None:
        """*begin* makes a session; *certificate* returns what TLS needs at that time, None if there is none.

        *proxy_from* and *trusted*: see ``Config``.
        """
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
        """Connections whose socket is open."""
        self.serving: dict[Connection, Visit] = {}
        """Connections whose session has not ended; its octets are not in the tally yet. Only this class changes it."""
        self.tracing = Tracing(self.serving)
        self._progress = ProgressTimer(self.serving)
        self._gone = asyncio.Event()
        self._stopping = False
        self.limits = limits
        """May be replaced, as the next two may; open sessions keep their limits."""
        self.proxy_from = proxy_from or {}
        self.trusted = trusted
        self._introductions: set[asyncio.Task[None]] = set()
        """Connections of balancers that have not sent their header yet."""
        self._strangers_apart = 0
        self.tallies = {protocol: Tally() for protocol in _FAREWELLS}

    @property
    def count(self) -> int:
        """The number of open connections."""
        return len(self._visits)

    def accept(
        self, accepted: socket.socket, peer_name: object, service: Service, place: Endpoint | None = None
    ) -> None:
        """Starts a session for a connection accepted at *place*, an address of *service*, or refuses it."""
        connection = self._connection(peer_name)
        balancers = self.proxy_from.get(service)
        if balancers is None or not balancers.has(connection.address):
            port = peer_name[1] if isinstance(peer_name, tuple) else None
            self._admit(connection, accepted, service, place, port)
        elif len(self._introductions) < self.limits.connections_before_login:
            task = asyncio.get_running_loop().create_task(self._introduce(connection, accepted, service, place))
            self._introductions.add(task)
            task.add_done_callback(self._introductions.discard)
        else:
            self._note_refusal(connection, service, texts.FULL)
            accepted.close()

    def _connection(self, peer_name: object) -> Connection:
        return Connection(
            peer_name,
            busy_poll=self._busy_poll,
            inline_wakeup=self._inline_wakeup,
            turns=self._turns,
            certificate=self._certificate,
            write_seconds=self.limits.write_seconds,
            interest_seconds=self.limits.interest_seconds,
            on_lost=self._lost,
        )

    async def _introduce(
        self, connection: Connection, accepted: socket.socket, service: Service, place: Endpoint | None
    ) -> None:
        """Lets a balancer name the client of *connection*, for whom everything from now on counts."""
        try:
            source = await take_header(accepted)
        except ProxyError as error:
            self._note_refusal(connection, service, f"PROXY protocol: {error}")
            accepted.close()
        except OSError:
            # the balancer only looked whether the port is open
            accepted.close()
        except asyncio.CancelledError:
            accepted.close()
            raise
        else:
            if source is not None:
                connection.address, _ = address_of((source, 0))
            # whatever the balancer is, the client is not on this machine
            connection.local = False
            self._admit(connection, accepted, service, place, None)

    def _network(self, address: str) -> str:
        """The network for which the door counts a client; each client of a trusted address is one of its own."""
        if self.trusted.has(address):
            self._strangers_apart += 1
            return f"{address} {self._strangers_apart}"
        return network_of(address)

    def _admit(
        self,
        connection: Connection,
        accepted: socket.socket,
        service: Service,
        place: Endpoint | None,
        port: int | None,
    ) -> None:
        network, now = self._network(connection.address), time.monotonic()
        verdict = self._door.ask(network, service, self.limits, now)
        if verdict.gives_way is not None:
            self._give_way(verdict.gives_way)
        if verdict.objection is None:
            # counted now, because many connections are accepted before their sessions begin
            self._door.enter(connection, network, service, now)
            if service.is_for_agents:
                connection.trust()
            coming = self._serve(connection, accepted, service, place, port)
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

    def note_login(self, peer: Peer, entry: AccountEntry) -> None:
        """Notes that *peer* logged in as *entry*."""
        if isinstance(peer, Connection) and (visit := self._visits.get(peer)) is not None:
            visit.tally.logins += 1
            visit.user = entry.name
            self.tracing.began(peer, visit)
            peer.trust()
            self._door.logged_in(peer)

    def note_logout(self, peer: Peer) -> None:
        """Notes that *peer* has left its account, and may log in again."""
        if isinstance(peer, Connection) and (visit := self._visits.get(peer)) is not None:
            visit.user = None
            # whoever follows the account does not follow what comes now
            self.tracing.ended(peer)
            self.tracing.began(peer, visit)
            peer.trust(is_known=False)
            self._door.logged_out(peer, self._network(peer.address), time.monotonic())

    def census(self) -> Census:
        """Who is connected now, and the octets of these connections. Looks at each of them."""
        census = Census()
        for connection, visit in self.serving.items():
            protocol = visit.service.protocol
            census.stages[protocol, visit.stage] += 1
            census.octets_in[protocol] += connection.bytes_in
            census.octets_out[protocol] += connection.bytes_out
        return census

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
        self._progress.close()
        for introduction in tuple(self._introductions):
            introduction.cancel()
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

    def _note_refusal(self, connection: Connection, service: Service, objection: Text | str) -> None:
        self.tallies[service.protocol].refused_connections += 1
        self._refusals.note(service.value, str(objection), connection.address)

    async def _serve(
        self,
        connection: Connection,
        accepted: socket.socket,
        service: Service,
        place: Endpoint | None,
        port: int | None,
    ) -> None:
        session_id = secrets.token_hex(4)
        log = self._log.bind(session=session_id, protocol=service.value, address=connection.address)
        tally = self.tallies[service.protocol]
        tally.connections += 1
        visit = self.serving[connection] = Visit(service, session_id, tally, log, port)
        self._progress.start(self.limits.progress_seconds)
        try:
            if await self._connect(connection, visit, accepted, service):
                visit.session = self._begin(Begin(connection, service, place, session_id, log, tally))
                self.tracing.began(connection, visit)
                await visit.session.run()
        except MektupError as ending:
            log.debug("session_broke", reason=str(ending))
        except asyncio.CancelledError:
            # the server stops, and the time of this session is over
            if not connection.in_response:
                connection.write(_FAREWELLS[service.protocol].format(texts.SHUTTING_DOWN).encode("ascii"))
            raise
        except Exception as failure:
            # the last boundary: the other sessions go on, whatever happened
            tally.bugs += 1
            log.error("session_failed", exc_info=failure if visit.user else without_text(failure))
        finally:
            self.tracing.ended(connection)
            connection.close()
            self._door.leave(connection, service)
            del self.serving[connection]
            tally.octets_in += connection.bytes_in
            tally.octets_out += connection.bytes_out
            log.info(
                "session_ended",
                user=visit.user,
                reason=_why(connection, visit.session),
                commands=0 if visit.session is None else visit.session.commands,
                fetched=0 if visit.session is None else visit.session.fetched,
                octets_in=connection.bytes_in,
                octets_out=connection.bytes_out,
                seconds=round(time.monotonic() - visit.began, 3),
            )

    async def _refuse(self, connection: Connection, accepted: socket.socket, service: Service, objection: Text) -> None:
        tally = self.tallies[service.protocol]
        log = self._log.bind(protocol=service.value, address=connection.address)
        try:
            visit = Visit(service, "", tally, log)
            if await self._connect(connection, visit, accepted, service):
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
