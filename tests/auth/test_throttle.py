"""Who guesses waits longer and longer; nobody else does, and nobody is shut out."""

import asyncio

import pytest

from mektup.auth.throttle import FORGET_SECONDS, MOST_REMEMBERED, MOST_WAITING, Throttle
from mektup.terms.errors import Code, Refused


class Time:
    """A clock that goes only as far as somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def throttle(time: Time) -> Throttle:
    return Throttle(4.0, clock=time.clock, sleep=time.sleep)


async def _guess(throttle: Throttle, address: str, name: str, times: int) -> None:
    for _ in range(times):
        await throttle.pause(address, name)
        throttle.failed(address, name)


async def test_delays_double_up_to_the_longest(throttle: Throttle, time: Time) -> None:
    await _guess(throttle, "192.0.2.1", "linda", 7)
    assert time.slept == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


async def test_loopback_waits_less(throttle: Throttle, time: Time) -> None:
    await _guess(throttle, "127.0.0.1", "linda", 3)
    await _guess(throttle, "::1", "linda", 1)
    assert time.slept == [0.0625, 0.125, 0.25]


async def test_a_unix_socket_waits_less(throttle: Throttle, time: Time) -> None:
    await _guess(throttle, "unix", "linda", 2)
    assert time.slept == [0.0625]


async def test_a_success_forgets(throttle: Throttle, time: Time) -> None:
    await _guess(throttle, "192.0.2.1", "linda", 3)
    throttle.succeeded("192.0.2.1", "linda")
    time.slept.clear()
    await _guess(throttle, "192.0.2.1", "linda", 2)
    assert time.slept == [0.5]


async def test_others_do_not_wait(throttle: Throttle, time: Time) -> None:
    await _guess(throttle, "192.0.2.1", "linda", 1)
    await throttle.pause("192.0.2.2", "linda")
    await throttle.pause("192.0.2.1", "ada")
    await throttle.pause("2001:db8::1", "linda")
    assert time.slept == []


async def test_a_network_of_ipv6_is_one(throttle: Throttle, time: Time) -> None:
    await _guess(throttle, "2001:db8:0:1::1", "linda", 1)
    await throttle.pause("2001:db8:0:2::1", "linda")
    assert time.slept == []
    await throttle.pause("2001:db8:0:1:ffff::2", "linda")
    assert time.slept == [0.5]


async def test_ipv4_in_ipv6_is_ipv4(throttle: Throttle, time: Time) -> None:
    await _guess(throttle, "::ffff:192.0.2.1", "linda", 1)
    await throttle.pause("::ffff:192.0.2.2", "linda")
    assert time.slept == []
    await throttle.pause("192.0.2.1", "linda")
    assert time.slept == [0.5]


async def test_the_wait_counts_from_the_failure(throttle: Throttle, time: Time) -> None:
    await _guess(throttle, "192.0.2.1", "linda", 2)
    time.now += 0.75
    await throttle.pause("192.0.2.1", "linda")
    assert time.slept == [0.5, 0.25]


async def test_failures_are_forgotten(throttle: Throttle, time: Time) -> None:
    await _guess(throttle, "192.0.2.1", "linda", 4)
    time.now += FORGET_SECONDS + 1
    time.slept.clear()
    await _guess(throttle, "192.0.2.1", "linda", 2)
    assert time.slept == [0.5]


async def test_the_table_is_bounded(throttle: Throttle, time: Time) -> None:
    throttle.failed("192.0.2.1", "linda")
    for number in range(MOST_REMEMBERED):
        throttle.failed("192.0.2.1", f"user{number}")
    await throttle.pause("192.0.2.1", "linda")
    assert time.slept == []
    await throttle.pause("192.0.2.1", "user0")
    assert time.slept == [0.5]


async def test_few_wait_at_once(time: Time) -> None:
    awake = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await awake.wait()

    throttle = Throttle(4.0, clock=time.clock, sleep=sleep)
    throttle.failed("192.0.2.1", "linda")
    waiting = [asyncio.create_task(throttle.pause("192.0.2.1", "linda")) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await throttle.pause("192.0.2.1", "linda")
    assert refused.value.code is Code.UNAVAILABLE
    waiting.pop().cancel()
    await asyncio.sleep(0)
    waiting.append(asyncio.create_task(throttle.pause("192.0.2.1", "linda")))
    await asyncio.sleep(0)
    awake.set()
    await asyncio.gather(*waiting)
