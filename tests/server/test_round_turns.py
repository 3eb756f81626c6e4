"""Sessions that go on at the same moment take a bounded time of each round of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from mektup.server import round_turns
from mektup.server.round_turns import (
    ROUND_SECONDS,
    STRANGERS_UNREAD_BYTES,
    WAITING_BYTES,
    RoundTurns,
    StrangerTurns,
)


class Clock:
    """Stands in for the clock: moves only by work."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


class Caller:
    """A connection before login, whose every piece of input takes a whole round."""

    def __init__(self, clock: Clock, turns: StrangerTurns, taken: list[bytes]) -> None:
        self.is_held = self.is_reading = self.is_aborted = False
        self._clock, self._turns, self._taken = clock, turns, taken

    def take(self, data: bytes) -> None:
        self._clock.now += ROUND_SECONDS
        self._taken.append(data)

    def pause(self) -> None:
        self.is_reading = False

    def go_on(self) -> None:
        self.is_reading = not self.is_held

    def abort(self) -> None:
        self.is_aborted = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(round_turns, "time", clock)
    return clock


def work(clock: Clock, seconds: float, done: list[int], number: int) -> Callable[[], None]:
    def run() -> None:
        clock.now += seconds
        done.append(number)

    return run


async def rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_round_ends_when_its_time_is_used(clock: Clock) -> None:
    turns, done = RoundTurns(asyncio.get_running_loop()), list[int]()
    for number in range(6):
        turns.call(work(clock, 0.6 * ROUND_SECONDS, done, number))
    assert done == []
    await rounds(1)
    assert done == [0, 1]
    await rounds(1)
    assert done == [0, 1, 2, 3]
    await rounds(1)
    assert done == [0, 1, 2, 3, 4, 5]


async def test_what_takes_longer_than_a_round_has_one_by_itself(clock: Clock) -> None:
    turns, done = RoundTurns(asyncio.get_running_loop()), list[int]()
    for number in range(2):
        turns.call(work(clock, 5 * ROUND_SECONDS, done, number))
    await rounds(1)
    assert done == [0]
    await rounds(1)
    assert done == [0, 1]


async def test_an_error_of_one_does_not_keep_the_others_waiting(clock: Clock) -> None:
    loop = asyncio.get_running_loop()
    turns, done, errors = RoundTurns(loop), list[int](), list[dict[str, object]]()
    loop.set_exception_handler(lambda _, context: errors.append(context))
    turns.call([].pop)
    turns.call(work(clock, ROUND_SECONDS, done, 1))
    await rounds(2)
    assert done == [1]
    assert [type(error["exception"]) for error in errors] == [IndexError]


async def test_a_stranger_is_served_at_once_while_there_is_time(clock: Clock) -> None:
    turns, taken = StrangerTurns(asyncio.get_running_loop()), list[bytes]()
    first, second = Caller(clock, turns, taken), Caller(clock, turns, taken)
    turns.came(first, b"first")
    assert taken == [b"first"]
    turns.came(second, b"second")
    assert (taken, second.is_held) == ([b"first"], True)
    await rounds(2)
    assert (taken, second.is_held, second.is_reading) == ([b"first", b"second"], False, True)
    await rounds(2)
    turns.came(first, b"third")
    assert taken[-1] == b"third"


async def test_the_input_of_strangers_and_their_ends_keep_their_order(clock: Clock) -> None:
    turns, taken = StrangerTurns(asyncio.get_running_loop()), list[bytes]()
    caller = Caller(clock, turns, taken)
    for number in range(3):
        turns.came(caller, b"%d" % number)
    turns.call(partial(taken.append, b"end"))
    await rounds(6)
    assert taken == [b"0", b"1", b"2", b"end"]


async def test_a_stranger_that_sends_much_is_cut_off_when_much_waits(clock: Clock) -> None:
    turns, taken = StrangerTurns(asyncio.get_running_loop()), list[bytes]()
    much = bytes(STRANGERS_UNREAD_BYTES + 1)
    callers = [Caller(clock, turns, taken) for _ in range(WAITING_BYTES // len(much) + 3)]
    for caller in callers:
        turns.came(caller, much)
    assert [caller.is_aborted for caller in callers[-2:]] == [False, True]
    little = Caller(clock, turns, taken)
    turns.came(little, b"a LOGIN linda secret\r\n")
    assert not little.is_aborted
