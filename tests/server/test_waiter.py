"""What a session waits with again and again: one kind lets it go on at once, one in the next round of the loop."""

from __future__ import annotations

import asyncio

import pytest

from mektup.server.waiter import PlainWaiter, Waiter, Waiting

either = pytest.mark.parametrize("kind", [Waiter, PlainWaiter])


class Sleeper:
    """A task that waits some times and counts how often it went on."""

    def __init__(self, times: int = 1, kind: type[Waiter | PlainWaiter] = Waiter) -> None:
        self.waiter: Waiting = kind(asyncio.get_running_loop())
        self.rounds = 0
        self.task = asyncio.get_running_loop().create_task(self._wait(times))

    async def _wait(self, times: int) -> None:
        for _ in range(times):
            await self.waiter
            self.rounds += 1

    async def settled(self) -> Sleeper:
        """This, waiting."""
        while not self.waiter.waits:
            await asyncio.sleep(0)
        return self


async def from_the_loop(call: object) -> None:
    """Has the event loop itself *call* something, as it does when octets come."""
    done = asyncio.get_running_loop().create_future()

    def called() -> None:
        call()  # type: ignore[operator]
        done.set_result(None)

    asyncio.get_running_loop().call_soon(called)
    await done


@either
async def test_it_wakes_in_the_next_round(kind: type[Waiter | PlainWaiter]) -> None:
    sleeper = await Sleeper(kind=kind).settled()
    sleeper.waiter.wake()
    assert sleeper.rounds == 0
    await sleeper.task
    assert sleeper.rounds == 1


async def test_it_wakes_at_once_when_the_loop_says_so() -> None:
    sleeper = await Sleeper(3).settled()
    rounds: list[int] = []

    def twice() -> None:
        for _ in range(2):
            sleeper.waiter.wake_now()
            rounds.append(sleeper.rounds)

    await from_the_loop(twice)
    assert rounds == [1, 2]
    assert sleeper.waiter.waits
    sleeper.waiter.wake()
    await sleeper.task


async def test_the_plain_kind_wakes_in_the_next_round_whoever_says_so() -> None:
    sleeper = await Sleeper(kind=PlainWaiter).settled()
    rounds: list[int] = []

    def wake() -> None:
        sleeper.waiter.wake_now()
        rounds.append(sleeper.rounds)

    await from_the_loop(wake)
    await sleeper.task
    assert (rounds, sleeper.rounds) == ([0], 1)


@either
async def test_a_second_wake_means_nothing(kind: type[Waiter | PlainWaiter]) -> None:
    sleeper = await Sleeper(2, kind).settled()

    def thrice() -> None:
        sleeper.waiter.wake()
        sleeper.waiter.wake()
        sleeper.waiter.wake_now()

    await from_the_loop(thrice)
    await sleeper.settled()
    assert sleeper.rounds == 1
    sleeper.waiter.wake()
    await sleeper.task


@either
async def test_nobody_waits(kind: type[Waiter | PlainWaiter]) -> None:
    waiter = kind(asyncio.get_running_loop())
    waiter.wake()
    waiter.wake_now()
    assert not waiter.waits


@either
@pytest.mark.parametrize("is_awake", [False, True], ids=["asleep", "just woken"])
async def test_its_task_can_be_cancelled(is_awake: bool, kind: type[Waiter | PlainWaiter]) -> None:
    sleeper = await Sleeper(kind=kind).settled()
    if is_awake:
        sleeper.waiter.wake()
    sleeper.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper.task
    assert sleeper.rounds == 0


@either
async def test_it_can_be_awaited_again_after_a_timeout(kind: type[Waiter | PlainWaiter]) -> None:
    waiter = kind(asyncio.get_running_loop())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await waiter
    task = asyncio.ensure_future(waited(waiter))
    await asyncio.sleep(0)
    waiter.wake()
    assert await task


async def waited(waiter: Waiting) -> bool:
    await waiter
    return True
