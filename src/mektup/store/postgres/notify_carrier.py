"""Carries notices by NOTIFY of PostgreSQL, where there is no NATS: on one connection, which also listens.

A NOTIFY inside the transaction of a change takes a lock of the whole server until the commit. So notices are sent
after the commit, many at a time, in a transaction of their own. The connection must not go through a pooler.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg import pq

from mektup.store.notices import CarrierDown
from mektup.store.postgres.tables import notices

CLOSE_SECONDS = 1.0

CONNECTION: Final[Mapping[str, Any]] = {
    "application_name": "mektup notices",
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    # nothing can be said on a standby
    "target_session_attrs": "read-write",
}


class NotifyCarrier:
    """A ``Carrier`` over the database that *dsn* names, which all nodes must name."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.AsyncConnection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._file = -1
        self._heard: Callable[[bytes], None] | None = None
        self._ended: Callable[[], None] | None = None

    async def open(self, heard: Callable[[bytes], None], lost: Callable[[], None], ended: Callable[[], None]) -> None:
        """See ``Carrier``. The server drops nothing while the connection lasts, so *lost* is never called."""
        self._loop = asyncio.get_running_loop()
        try:
            self._connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, **CONNECTION)
            self._file = self._connection.fileno()
            self._heard, self._ended = heard, ended
            self._connection.add_notify_handler(self._notified)
            for statement in notices.PREPARE:
                await self._connection.execute(statement.encode())
        except psycopg.OperationalError as error:
            raise _down(error) from error
        except psycopg.Error as error:
            # a text of the library may hold a part of the connection string
            raise CarrierDown(type(error).__name__) from error
        self._listen()

    async def send(self, payloads: Sequence[bytes]) -> None:
        """See ``Carrier``."""
        assert self._connection is not None
        # the library waits for the same file
        self._stop_listening()
        try:
            if payloads:
                await self._connection.execute(notices.NOTIFY.encode(), ([each.decode("ascii") for each in payloads],))
            else:
                await self._connection.execute(notices.IS_THERE.encode())
        except psycopg.Error as error:
            raise _down(error) from error
        self._listen()

    async def close(self) -> None:
        """See ``Carrier``."""
        self._heard = self._ended = None
        connection, self._connection = self._connection, None
        if connection is not None:
            self._stop_listening()
            with contextlib.suppress(psycopg.Error, TimeoutError):
                await asyncio.wait_for(connection.close(), CLOSE_SECONDS)

    # Between two statements

    def _listen(self) -> None:
        assert self._loop is not None
        self._loop.add_reader(self._file, self._receive)

    def _stop_listening(self) -> None:
        if self._loop is not None and self._file >= 0:
            self._loop.remove_reader(self._file)

    def _receive(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            connection.pgconn.consume_input()
            while (notification := connection.pgconn.notifies()) is not None:
                self._hear(notification.be_pid, notification.extra)
        except psycopg.Error:
            self._stop_listening()
            if self._ended is not None:
                self._ended()
            return
        if connection.pgconn.status != pq.ConnStatus.OK and self._ended is not None:
            self._stop_listening()
            self._ended()

    def _notified(self, notification: psycopg.Notify) -> None:
        self._hear(notification.pid, notification.payload.encode("ascii", "replace"))

    def _hear(self, process: int, payload: bytes) -> None:
        """*process* is that of the server which sent it for its client."""
        if self._connection is not None and self._heard is not None and process != self._connection.pgconn.backend_pid:
            self._heard(payload)


def _down(error: psycopg.Error) -> CarrierDown:
    return CarrierDown(" ".join(str(error).split()) or type(error).__name__)
