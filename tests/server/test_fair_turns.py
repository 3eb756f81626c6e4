"""Sessions that keep the loop busy take turns, one in each round of the loop."""

from __future__ import annotations

import asyncio

from mektup.server.fair_turns import SHORT_TURN_SECONDS, TURN_SECONDS, FairTurns


async def test_sessions_go_on_in_their_order_and_others_run_in_between() -> None:
    turns = FairTurns(asyncio.get_running_loop())
    seen: list[str] = []

    async def busy(name: str) -> None:
        for _ in range(2):
            await turns.wait(is_first=False)
            seen.append(name)

    async def light() -> None:
        while len("".join(seen).replace(".", "")) < 6:
            seen.append(".")
            await asyncio.sleep(0)

    await asyncio.gather(busy("a"), busy("b"), busy("c"), light())
    told = "".join(seen)
    assert told.replace(".", "") == "abcabc"
    assert not any(pair in told for pair in ("ab", "bc", "ca")), "two busy sessions in one round"


async def test_a_turn_is_shorter_while_others_wait_for_theirs() -> None:
    turns = FairTurns(asyncio.get_running_loop())
    assert turns.seconds == TURN_SECONDS
    waiting = [asyncio.create_task(turns.wait(is_first=False)) for _ in range(3)]
    await asyncio.sleep(0)
    assert turns.seconds == SHORT_TURN_SECONDS
    await asyncio.gather(*waiting)
    await asyncio.sleep(0)
    assert turns.seconds == TURN_SECONDS


async def test_a_cancelled_session_leaves_the_queue() -> None:
    turns = FairTurns(asyncio.get_running_loop())
    first, second = (asyncio.create_task(turns.wait(is_first=False)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(5):
        await second
    assert first.cancelled()


async def test_a_first_wait_does_not_queue_behind_busy_sessions() -> None:
    turns = FairTurns(asyncio.get_running_loop())
    seen: list[str] = []

    async def waiting(name: str, *, is_first: bool) -> None:
        await turns.wait(is_first=is_first)
        seen.append(name)

    busy = [asyncio.create_task(waiting("busy", is_first=False)) for _ in range(6)]
    short = [asyncio.create_task(waiting("short", is_first=True)) for _ in range(3)]
    await asyncio.gather(*busy, *short)
    assert seen == ["short", "busy"] * 3 + ["busy"] * 3, "the busy go on, too"
