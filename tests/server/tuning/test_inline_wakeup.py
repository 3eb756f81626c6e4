"""The objects that a session waits with: one kind wakes it at once, the other in the next round of the loop."""

from __future__ import annotations

import asyncio

import pytest

from mektup.server.tuning.inline_wakeup import InlineWakeup, PlainWakeup, Wakeup

either = pytest.mark.parametrize("kind", [InlineWakeup, PlainWakeup])


class Sleeper:
    """A task that waits several times, and counts how often it was woken."""

    def __init__(self, times: int = 1, kind: type[InlineWakeup | PlainWakeup] = InlineWakeup) -> None:
        self.wakeup: Wakeup = kind(asyncio.get_running_loop())
        self.rounds = 0
        self.task = asyncio.get_running_loop().create_task(self._wait(times))

    async def _wait(self, times: int) -> None:
        for _ in range(times):
            await self.wakeup
            self.rounds += 1

    async def settled(self) -> Sleeper:
        """Returns this task when it waits."""
        while not self.wakeup.waits:
            await asyncio.sleep(0)
        return self


async def from_the_loop(call: object) -> None:
    """Calls *call* from the event loop, as it happens when octets come."""
    done = asyncio.get_running_loop().create_future()

    def called() -> None:
        call()  # type: ignore[operator]
        done.set_result(None)

    asyncio.get_running_loop().call_soon(called)
    await done


@either
async def test_wake_wakes_in_the_next_round(kind: type[InlineWakeup | PlainWakeup]) -> None:
    sleeper = await Sleeper(kind=kind).settled()
    sleeper.wakeup.wake()
    assert sleeper.rounds == 0
    await sleeper.task
    assert sleeper.rounds == 1


async def test_wake_now_wakes_at_once() -> None:
    sleeper = await Sleeper(3).settled()
    rounds: list[int] = []

    def twice() -> None:
        for _ in range(2):
            sleeper.wakeup.wake_now()
            rounds.append(sleeper.rounds)

    await from_the_loop(twice)
    assert rounds == [1, 2]
    assert sleeper.wakeup.waits
    sleeper.wakeup.wake()
    await sleeper.task


async def test_the_plain_kind_always_wakes_in_the_next_round() -> None:
    sleeper = await Sleeper(kind=PlainWakeup).settled()
    rounds: list[int] = []

    def wake() -> None:
        sleeper.wakeup.wake_now()
        rounds.append(sleeper.rounds)

    await from_the_loop(wake)
    await sleeper.task
    assert (rounds, sleeper.rounds) == ([0], 1)


@either
async def test_a_second_wake_means_nothing(kind: type[InlineWakeup | PlainWakeup]) -> None:
    sleeper = await Sleeper(2, kind).settled()

    def thrice() -> None:
        sleeper.wakeup.wake()
        sleeper.wakeup.wake()
        sleeper.wakeup.wake_now()

    await from_the_loop(thrice)
    await sleeper.settled()
    assert sleeper.rounds == 1
    sleeper.wakeup.wake()
    await sleeper.task


@either
async def test_waking_without_a_waiting_task_does_nothing(kind: type[InlineWakeup | PlainWakeup]) -> None:
    wakeup = kind(asyncio.get_running_loop())
    wakeup.wake()
    wakeup.wake_now()
    assert not wakeup.waits


@either
@pytest.mark.parametrize("is_awake", [False, True], ids=["asleep", "just woken"])
async def test_a_waiting_task_can_be_cancelled(is_awake: bool, kind: type[InlineWakeup | PlainWakeup]) -> None:
    sleeper = await Sleeper(kind=kind).settled()
    if is_awake:
        sleeper.wakeup.wake()
    sleeper.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper.task
    assert sleeper.rounds == 0


@either
async def test_a_wakeup_can_be_awaited_again_after_a_timeout(kind: type[InlineWakeup | PlainWakeup]) -> None:
    wakeup = kind(asyncio.get_running_loop())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await wakeup
    task = asyncio.ensure_future(waited(wakeup))
    await asyncio.sleep(0)
    wakeup.wake()
    assert await task


async def waited(wakeup: Wakeup) -> bool:
    await wakeup
    return True
