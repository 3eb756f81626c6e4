"""Carries notices over core NATS: one subject for each node, and one subscription to the subjects of all.

A message has many notices, so a node that hears thousands of changes a second handles far fewer messages. There is no
subject for each account: to subscribe and unsubscribe with each session costs more than to skip what nobody watches.

The client of the library does not reconnect: ``NodeBus`` does, because it must know when messages may be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from mektup.store.notices import CarrierDown

SUBJECT = "mektup.notice"
"""The first part of a subject; the second names the node that sends."""

CONNECT_SECONDS = 2
ANSWER_SECONDS = 4
"""A server that does not answer for so long is taken for dead."""
CLOSE_SECONDS = 1.0
WAITING_OCTETS = 16 * 1024 * 1024
"""Messages that this process has received and not handled. More are dropped."""


class NatsCarrier:
    """A ``Carrier`` over the NATS servers at *servers*, which are URLs: the first one that answers is used."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = list(servers)
        self._subject = f"{SUBJECT}.{secrets.token_hex(8)}"
        self._client: Client | None = None
        self._heard: Callable[[bytes], None] = _ignore
        self._lost: Callable[[], None] = _nothing
        self._ended: Callable[[], None] = _nothing
        self._error = ""

    async def open(self, heard: Callable[[bytes], None], lost: Callable[[], None], ended: Callable[[], None]) -> None:
        """See ``Carrier``."""
        self._heard, self._lost, self._ended, self._error = heard, lost, ended, ""
        self._client = Client()
        try:
            await self._client.connect(
                self._servers,
                name="mektup",
                error_cb=self._failed,
                closed_cb=self._closed,
                allow_reconnect=False,
                # each server is tried twice
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=CONNECT_SECONDS,
                no_echo=True,
            )
            await self._client.subscribe(
                f"{SUBJECT}.*", cb=self._received, pending_msgs_limit=0, pending_bytes_limit=WAITING_OCTETS
            )
            # what is published after the answer reaches this node
            await self._client.flush(ANSWER_SECONDS)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise self._down(error) from error

    async def send(self, payloads: Sequence[bytes]) -> None:
        """See ``Carrier``."""
        assert self._client is not None
        try:
            for payload in payloads:
                await self._client.publish(self._subject, payload)
            await self._client.flush(ANSWER_SECONDS)
        except (nats.errors.Error, OSError) as error:
            raise self._down(error) from error

    async def close(self) -> None:
        """See ``Carrier``."""
        client, self._client = self._client, None
        self._heard, self._lost, self._ended = _ignore, _nothing, _nothing
        if client is not None:
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                await asyncio.wait_for(client.close(), CLOSE_SECONDS)

    def _down(self, error: Exception) -> CarrierDown:
        # the library's last words on the way there say more than that no server is available
        return CarrierDown(self._error or str(error) or type(error).__name__)

    async def _received(self, message: Msg) -> None:
        self._heard(message.data)

    async def _failed(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            self._lost()
        else:
            self._error = str(error) or type(error).__name__

    async def _closed(self) -> None:
        self._ended()


def _ignore(payload: bytes) -> None:
    """Nobody listens."""


def _nothing() -> None:
    """Nobody listens."""
