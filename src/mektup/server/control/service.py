"""Serves the control socket, in the parent of several workers or in the only process.

A question is handed to every process that has sessions, each with one end of a pair of sockets. Its answers come back
through that pair, so they are slow where the asker reads slowly, and the process learns when the asker is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from mektup.server.control import socket_file
from mektup.server.control.messages import (
    ANSWER_BYTES,
    QUESTION_BYTES,
    AskEnd,
    AskTrace,
    Problem,
    ProblemKind,
    Question,
    encoded,
    question,
)
from mektup.server.listeners import Listener
from mektup.store import files, system
from mektup.terms.errors import Refused

MOST_ASKERS = 32
MOST_TRACES = 16
"""The most askers at a time, and those of them that follow sessions."""

QUESTION_SECONDS = 30.0
"""How long an asker may take to send its question."""

ANSWER_SECONDS = 5.0
"""How long a process may take for the next answer."""

READING_SECONDS = 30.0
"""How long an asker may leave answers unread, except those of a trace."""

Hand = Callable[[Question, socket.socket], None]
"""Hands a question to a process, with the socket for its answers, which it owns from then on."""


class Processes(Protocol):
    """The processes of a server that have sessions."""

    on_process: Callable[[int, Hand], None] | None
    """Called for each process that begins later."""

    def hands(self, *, starting: bool) -> Mapping[int, Hand]:
        """Those that are up, by their number; with *starting* also those that are not up yet, but soon."""


class ControlService:
    """The control socket of a running server."""

    def __init__(self, processes: Processes, owner: int, log: FilteringBoundLogger) -> None:
        """Use ``open_control``. Only the user *owner* may ask, the user of this process, and root."""
        self._processes = processes
        self._allowed = {0, owner, system.effective_user()}
        self._log = log
        self._listener: Listener | None = None
        self._path: Path | None = None
        self._askers: set[asyncio.Task[None]] = set()
        self._traces: dict[_Trace, AskTrace] = {}

    def open(self, listening: socket.socket, path: Path) -> None:
        """Serves the socket *listening*, whose file is *path*."""
        self._path = path
        self._listener = Listener(listening, self._accept)
        self._processes.on_process = self._process_began

    async def close(self) -> None:
        """Removes the socket and drops all askers."""
        if self._listener is not None:
            self._listener.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._processes.on_process = None
        for asker in tuple(self._askers):
            asker.cancel()
        await asyncio.gather(*self._askers, return_exceptions=True)

    def _accept(self, accepted: socket.socket, peer_name: object) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(accepted))
        self._askers.add(task)
        task.add_done_callback(self._askers.discard)

    async def _serve(self, accepted: socket.socket) -> None:
        """Serves one asker."""
        user = system.user_of_peer(accepted)
        reader, writer = await asyncio.open_unix_connection(sock=accepted, limit=QUESTION_BYTES)
        try:
            asked = await self._question(reader, user)
            if isinstance(asked, Problem):
                writer.write(encoded(asked))
            elif isinstance(asked, AskTrace):
                await self._trace(asked, reader, writer)
            else:
                await self._answer(asked, writer)
            async with asyncio.timeout(READING_SECONDS):
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _question(self, reader: asyncio.StreamReader, user: int | None) -> Question | Problem:
        if user is not None and user not in self._allowed:
            self._log.warning("control_refused", uid=user)
            return Problem(ProblemKind.FORBIDDEN)
        if len(self._askers) > MOST_ASKERS:
            return Problem(ProblemKind.BUSY)
        try:
            async with asyncio.timeout(QUESTION_SECONDS):
                asked = question(await reader.readuntil(b"\n"))
        except asyncio.LimitOverrunError:
            return Problem(ProblemKind.NOT_UNDERSTOOD)
        if isinstance(asked, AskTrace) and len(self._traces) >= MOST_TRACES:
            return Problem(ProblemKind.BUSY)
        if isinstance(asked, AskEnd | AskTrace):
            # whoever reads other people's mail, or ends their sessions, is on record
            event = "control_kick" if isinstance(asked, AskEnd) else "control_trace"
            self._log.info(event, uid=user, target=asked.whom.target, address=asked.whom.address)
        return asked

    async def _answer(self, asked: Question, writer: asyncio.StreamWriter) -> None:
        """Passes on the answers of all processes. They work at the same time, and are heard one after the other."""
        async with contextlib.AsyncExitStack() as stack:
            ends = {number: _handed(asked, hand) for number, hand in self._processes.hands(starting=False).items()}
            for end in ends.values():
                stack.callback(end.close)
            for number, end in ends.items():
                answers = await stack.enter_async_context(_reading(end))
                try:
                    while line := await _next_line(answers, ANSWER_SECONDS):
                        writer.write(line)
                        async with asyncio.timeout(READING_SECONDS):
                            await writer.drain()
                except TimeoutError:
                    writer.write(encoded(Problem(ProblemKind.SILENT, number)))

    async def _trace(self, asked: AskTrace, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes on what all processes tell, until the asker is gone."""
        trace = _Trace(writer)
        self._traces[trace] = asked
        try:
            for hand in self._processes.hands(starting=True).values():
                trace.add(asked, hand)
            while await reader.read(QUESTION_BYTES):
                pass  # an asker has nothing more to say
        finally:
            del self._traces[trace]
            await trace.close()

    def _process_began(self, number: int, hand: Hand) -> None:
        for trace, asked in self._traces.items():
            with contextlib.suppress(OSError):  # no descriptor is left; the others are still followed
                trace.add(asked, hand)


class _Trace:
    """What several processes tell one asker."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, asked: AskTrace, hand: Hand) -> None:
        """Passes on what one more process tells. Raises OSError."""
        task = asyncio.get_running_loop().create_task(self._pass_on(_handed(asked, hand)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Closes the sockets of the processes, which thereby learn that the asker is gone."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass_on(self, end: socket.socket) -> None:
        with contextlib.suppress(OSError):
            async with _reading(end) as lines:
                while line := await _next_line(lines, None):
                    self._writer.write(line)
                    await self._writer.drain()


def _handed(asked: Question, hand: Hand) -> socket.socket:
    """Asks one process; returns the end of the pair from which its answers are read. Raises OSError."""
    ours, theirs = socket.socketpair()
    hand(asked, theirs)
    return ours


@contextlib.asynccontextmanager
async def _reading(end: socket.socket) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_unix_connection(sock=end, limit=ANSWER_BYTES)
    try:
        yield reader
    finally:
        writer.close()


async def _next_line(lines: asyncio.StreamReader, seconds: float | None) -> bytes:
    """The next whole line; empty at the end, also where a process died in the middle of a line."""
    async with asyncio.timeout(seconds):
        line = await lines.readline()
    return line if line.endswith(b"\n") else b""


async def open_control(data: Path | None, processes: Processes, log: FilteringBoundLogger) -> ControlService:
    """Serves the control socket of *data*, if there is a data directory.

    If there can be no socket now, that is logged, and mail is served without.
    """
    service = ControlService(processes, -1 if data is None else os.stat(data).st_uid, log)
    if data is None:
        return service
    try:
        service.open(*socket_file.make(data))
    except (OSError, Refused) as error:
        reason = files.reason(error, data / "run") if isinstance(error, OSError) else error.text
        log.warning("control_unavailable", reason=str(reason), consequence="no who, kick and trace")
    return service
