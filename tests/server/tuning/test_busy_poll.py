"""With quick clients the loop polls for a moment before it sleeps, but never for long, or while others wait."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import pytest
import uvloop

from mektup.server.tuning.busy_poll import AWAKE_SECONDS, QUICK_IN_A_ROW, BusyPoll

TRIES = 200
"""A busy machine may delay some of the tries, but not all."""


def quick(busy_poll: BusyPoll, commands: int = QUICK_IN_A_ROW) -> None:
    """Answers so many commands that come at once."""
    for _ in range(commands):
        busy_poll.answered()
        busy_poll.heard()


def shortest(busy_poll: BusyPoll, commands: int = QUICK_IN_A_ROW) -> float:
    """The shortest time of the last answer after so many quick commands, in seconds."""
    best = 1.0
    for _ in range(TRIES):
        busy_poll.heard()
        quick(busy_poll, commands)
        began = monotonic()
        busy_poll.answered()
        best = min(best, monotonic() - began)
    return best


@contextmanager
def someone_waits() -> Iterator[None]:
    """The loop has a socket from which it can read."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    with ours, theirs:
        loop.add_reader(ours.fileno(), lambda: None)
        theirs.send(b"something")
        try:
            yield
        finally:
            loop.remove_reader(ours.fileno())


async def test_no_polling_with_slow_clients() -> None:
    busy_poll = BusyPoll(asyncio.get_running_loop())
    assert shortest(busy_poll, commands=0) < AWAKE_SECONDS


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="with one processor it never stays awake")
def test_polling_with_quick_clients_ends_in_time() -> None:
    async def answer() -> None:
        busy_poll = BusyPoll(asyncio.get_running_loop())
        assert AWAKE_SECONDS <= shortest(busy_poll) < 10 * AWAKE_SECONDS
        quick(busy_poll)
        busy_poll.answered()
        # nothing came, so after the next commands it sleeps
        assert shortest(busy_poll, commands=1) < AWAKE_SECONDS

    # only uvloop gives the descriptor that it waits for
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(answer())


async def test_no_polling_while_another_client_waits() -> None:
    busy_poll = BusyPoll(asyncio.get_running_loop())
    with someone_waits():
        await asyncio.sleep(0)  # the loop registers the socket
        assert shortest(busy_poll) < AWAKE_SECONDS


async def test_no_polling_if_it_is_switched_off() -> None:
    assert shortest(BusyPoll(asyncio.get_running_loop(), is_enabled=False)) < AWAKE_SECONDS


async def test_no_polling_with_one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert shortest(BusyPoll(asyncio.get_running_loop())) < AWAKE_SECONDS
