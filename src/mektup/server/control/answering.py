"""Answers the questions about the sessions of this process."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator

from structlog.typing import FilteringBoundLogger

from mektup.server import texts
from mektup.server.connection import Connection
from mektup.server.control.messages import AskEnd, AskSessions, AskTrace, Ended, Listed, Question, encoded
from mektup.server.control.selection import Selection
from mektup.server.control.tracing import AT_ONCE, Tracing, Visits
from mektup.server.visit import Visit


class Answering:
    """Answers questions that come with a socket for the answers."""

    def __init__(self, visits: Visits, tracing: Tracing, log: FilteringBoundLogger) -> None:
        self._visits = visits
        self._tracing = tracing
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def asked(self, question: Question, worker: int, end: socket.socket) -> None:
        """Sends the answers to *end*, and closes it after the last one. *worker* is the number of this process."""
        if isinstance(question, AskTrace):
            self._tracing.begin(question, worker, end)
            return
        end.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._answer(question, worker, end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends all answers, traces included."""
        self._tracing.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, question: AskSessions | AskEnd, worker: int, end: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with end:
            try:
                if isinstance(question, AskEnd):
                    await loop.sock_sendall(end, encoded(Ended(await self._end(question))))
                    return
                for meant in self._meant(Selection(question.whom), strangers=question.strangers):
                    lines = b"".join([encoded(_listed(connection, visit, worker)) for connection, visit in meant])
                    if lines:
                        await loop.sock_sendall(end, lines)
                    await asyncio.sleep(0)
            except OSError:
                return  # the asker is gone

    async def _end(self, question: AskEnd) -> int:
        """Dismisses the sessions; returns how many there were."""
        reason = texts.ENDED_BY_OPERATOR if question.reason is None else texts.ENDED_BECAUSE.of(reason=question.reason)
        ended = 0
        for meant in self._meant(Selection(question.whom), strangers=True):
            for connection, visit in meant:
                connection.dismiss(reason)
                visit.log.info("session_kicked", user=visit.user, reason=str(reason))
            ended += len(meant)
            await asyncio.sleep(0)
        return ended

    def _meant(self, selection: Selection, *, strangers: bool) -> Iterator[list[tuple[Connection, Visit]]]:
        """The sessions that are meant, of AT_ONCE connections at a time."""
        everybody = tuple(self._visits.items())
        for start in range(0, len(everybody), AT_ONCE):
            yield [
                (connection, visit)
                for connection, visit in everybody[start : start + AT_ONCE]
                if (strangers or visit.user is not None or visit.service.is_for_agents)
                and selection.means(visit, connection.address)
            ]


def _listed(connection: Connection, visit: Visit, worker: int) -> Listed:
    now = time.monotonic()
    session = visit.session
    return Listed(
        session=visit.session_id,
        protocol=visit.service.value,
        address=connection.address,
        port=visit.port,
        user=visit.user,
        state=visit.stage,
        mailbox=None if session is None else session.mailbox,
        command=(session.last_command or None) if session is not None else None,
        seconds=round(now - visit.began, 3),
        idle_seconds=round(now - (visit.began if session is None else session.since), 3),
        octets_in=connection.bytes_in,
        octets_out=connection.bytes_out,
        tls=connection.secure,
        compressed=connection.compressed,
        client=None if session is None else session.identity,
        worker=worker,
        pid=os.getpid(),
    )
