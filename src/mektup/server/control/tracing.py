"""Follows the sessions of this process for everybody who asked for it.

An asker gets lines over a socket, which also says when the asker is gone. Lines wait in a bounded buffer; those that do
not fit are counted and dropped, so a slow asker never delays a session.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from mektup.server.connection import Connection
from mektup.server.control.messages import Answer, AskTrace, Line, Lost, Note, Side, encoded
from mektup.server.control.selection import Selection
from mektup.server.control.session_tap import Fan, SessionTap
from mektup.server.control.traced import TracedConnection
from mektup.server.visit import Session, Visit
from mektup.terms.peer import Peer
from mektup.terms.printable import escaped_octets

AT_ONCE = 200
"""So many sessions are looked at before others may go on: one or two milliseconds."""

UNSENT_BYTES = 512 * 1024
"""With more unsent octets than this for one asker, lines are dropped."""

Visits = Mapping[Connection, Visit]


class Trace:
    """One asker, and the sessions that are followed for it."""

    def __init__(self, asked: AskTrace, worker: int, end: socket.socket, forget: Callable[[Trace], None]) -> None:
        """Lines go to *end*, which is owned from now on. *forget* is called once, when the asker is gone."""
        self.selection = Selection(asked.whom)
        self.followed: dict[Connection, tuple[Session, Visit, SessionTap]] = {}
        self.delivering: set[Connection] = set()
        """Those that are followed only while they take in mail for the account."""
        self.wants_content = asked.content
        self._worker = worker
        self._socket = end
        self._forget = forget
        self._unsent = bytearray()
        self._is_sending = False
        """Whether ``_flush`` will be called."""
        self._lost = 0
        self._loop = asyncio.get_running_loop()
        end.setblocking(False)
        self._loop.add_reader(end.fileno(), self._look_for_end)

    def follow(self, connection: Connection, visit: Visit) -> None:
        """Follows a session from now on, if it has begun."""
        session = visit.session
        if session is None:
            return
        tap = self._tap(connection, visit)
        self.followed[connection] = session, visit, tap
        fan = session.tap
        if not isinstance(fan, Fan):
            fan = session.tap = Fan()
            connection.answered = fan.answered
            connection.__class__ = TracedConnection
        fan.taps = (*fan.taps, tap)

    def leave(self, connection: Connection) -> None:
        """Ends following a session, if it is followed."""
        self.delivering.discard(connection)
        if connection not in self.followed:
            return
        session, visit, tap = self.followed.pop(connection)
        self.send(Line(time.time(), visit.session_id, Side.NOTE, "", about=Note(True)))
        fan = session.tap
        assert isinstance(fan, Fan)
        fan.taps = tuple(each for each in fan.taps if each is not tap)
        if not fan.taps:
            session.tap = connection.answered = None
            connection.__class__ = Connection

    def _tap(self, connection: Connection, visit: Visit) -> SessionTap:
        session_id = visit.session_id

        def tell(side: Side, line: bytes, begins: bool) -> None:
            if len(self._unsent) > UNSENT_BYTES:
                self._lost += 1  # before the work of making it
            else:
                self.send(Line(time.time(), session_id, side, escaped_octets(line), begins))

        note = Note(False, visit.service.value, connection.address, visit.user, self._worker)
        self.send(Line(time.time(), session_id, Side.NOTE, "", about=note))
        return SessionTap(
            visit.service.protocol,
            tell,
            wants_content=self.wants_content,
            is_amid=connection.in_response,
            is_stranger=visit.user is None,
        )

    def send(self, answer: Answer) -> None:
        """Sends *answer* soon, or counts it as lost."""
        if len(self._unsent) > UNSENT_BYTES:
            self._lost += 1
            return
        if self._lost:
            self._unsent += encoded(Lost(self._lost))
            self._lost = 0
        self._unsent += encoded(answer)
        if not self._is_sending:
            # the lines of one round of the loop leave together
            self._is_sending = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Ends it; may be called twice."""
        if self._socket.fileno() < 0:
            return
        for connection in tuple(self.followed):
            self.leave(connection)
        self._flush()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._forget(self)

    def _flush(self) -> None:
        if self._socket.fileno() < 0:
            return
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._unsent.clear()  # the asker is gone, which _look_for_end finds, too
        if self._unsent:
            self._loop.add_writer(self._socket.fileno(), self._flush)
            return
        self._loop.remove_writer(self._socket.fileno())
        self._is_sending = False
        if self._lost:
            lost, self._lost = self._lost, 0
            self.send(Lost(lost))

    def _look_for_end(self) -> None:
        try:
            if self._socket.recv(1024):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self.close()


class Tracing:
    """All traces of this process; itself the ``session.tap.Taps`` of its sessions."""

    def __init__(self, visits: Visits) -> None:
        """*visits* are the connections of this process, at any time."""
        self._visits = visits
        self._traces: list[Trace] = []

    def begin(self, asked: AskTrace, worker: int, end: socket.socket) -> None:
        """Follows what *asked* means, now and later, until the other end of *end* is closed."""
        trace = Trace(asked, worker, end, self._forget)
        self._traces.append(trace)
        self._consider_some(trace, tuple(self._visits.items()))

    def close(self) -> None:
        """Ends all traces."""
        for trace in tuple(self._traces):
            trace.close()

    def began(self, connection: Connection, visit: Visit) -> None:
        """A session is about to begin, or has logged in: whoever asked for it follows it from now on."""
        for trace in self._traces:
            self._consider(trace, connection, visit)

    def ended(self, connection: Connection) -> None:
        """A session has ended."""
        for trace in self._traces:
            trace.leave(connection)

    def receives(self, peer: Peer, user: str) -> None:
        """See ``session.tap.Taps``."""
        if not self._traces or not isinstance(peer, Connection):
            return
        visit = self._visits.get(peer)
        for trace in self._traces:
            if visit is not None and peer not in trace.followed and trace.selection.means_account(user):
                trace.delivering.add(peer)
                trace.follow(peer, visit)

    def received(self, peer: Peer) -> None:
        """See ``session.tap.Taps``."""
        for trace in self._traces:
            if isinstance(peer, Connection) and peer in trace.delivering:
                trace.leave(peer)

    def _consider(self, trace: Trace, connection: Connection, visit: Visit) -> None:
        if connection not in trace.followed and trace.selection.means(visit, connection.address):
            trace.follow(connection, visit)

    def _consider_some(self, trace: Trace, found: Sequence[tuple[Connection, Visit]]) -> None:
        """Considers AT_ONCE sessions, and the rest when others have had their turn."""
        for connection, visit in found[:AT_ONCE]:
            if connection in self._visits:
                self._consider(trace, connection, visit)
        rest = found[AT_ONCE:]
        if rest and trace in self._traces:
            asyncio.get_running_loop().call_soon(self._consider_some, trace, rest)

    def _forget(self, trace: Trace) -> None:
        self._traces.remove(trace)
