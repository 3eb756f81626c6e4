"""Turns rotate over networks: an attempt waits for only one attempt of a crowd from another network."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.auth.login_queue import LoginQueue, Rotation
from mektup.auth.throttle import Standing
from mektup.terms.errors import Code, Refused
from mektup.terms.networks import networks


class Attempts:
    """Attempts that hold their turns until a test ends them."""

    def __init__(self, queue: LoginQueue) -> None:
        self._queue = queue
        self.computing: list[tuple[str, str]] = []
        self.began: list[tuple[str, str]] = []
        self._end = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def come(self, address: str, name: str = "linda", standing: Standing = Standing.UNKNOWN) -> asyncio.Task[None]:
        task = asyncio.create_task(self._attempt(address, name, standing))
        self.tasks.append(task)
        return task

    async def _attempt(self, address: str, name: str, standing: Standing) -> None:
        async with self._queue.turn(address, name, standing):
            self.computing.append((address, name))
            self.began.append((address, name))
            end = self._end
            await end.wait()
            self.computing.remove((address, name))

    async def round(self) -> None:
        """Ends all attempts that have a turn, so that others begin."""
        self._end.set()
        self._end = asyncio.Event()
        await settle()

    async def finish(self) -> None:
        while self.computing:
            await self.round()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_first_attempt_of_a_network_waits_for_one_turn_of_a_crowd() -> None:
    attempts = Attempts(LoginQueue(2, 100))
    for number in range(95):
        attempts.come("192.0.2.1", f"user{number}")
    await settle()
    attempts.come("198.51.100.1")
    await settle()
    assert len(attempts.computing) == 2
    await attempts.round()
    await attempts.round()
    assert ("198.51.100.1", "linda") in attempts.began[:4]
    await attempts.finish()
    assert len(attempts.began) == 96


@pytest.mark.parametrize(
    "crowd",
    [
        [f"2001:db8::{number:x}" for number in range(50)],
        [f"2001:db8:0:{number:x}::1" for number in range(50)],
        [f"192.0.2.{number}" for number in range(50)],
        ["127.0.0.1"] * 50,
        [f"127.0.0.{number}" for number in range(50)],
    ],
)
async def test_a_crowd_of_one_neighbourhood_is_one_crowd(crowd: list[str]) -> None:
    attempts = Attempts(LoginQueue(1, 100))
    for number, address in enumerate(crowd):
        attempts.come(address, f"user{number}")
    attempts.come("2001:db8:ffff::1")
    await settle()
    for _ in range(2):
        await attempts.round()
    assert ("2001:db8:ffff::1", "linda") in attempts.began[:3]
    await attempts.finish()


async def test_a_known_user_does_not_wait_for_crowds_from_many_networks() -> None:
    attempts = Attempts(LoginQueue(1, 100))
    for number in range(200):
        attempts.come(f"2001:db8:{number:x}::1", f"user{number}", Standing.FAILED if number % 2 else Standing.UNKNOWN)
    attempts.come("192.0.2.1", "linda", Standing.PROVED)
    await settle()
    for _ in range(3):
        await attempts.round()
    assert ("192.0.2.1", "linda") in attempts.began[:4]
    await attempts.finish()
    assert len(attempts.began) == 201


async def test_within_a_network_turns_rotate_over_names() -> None:
    attempts = Attempts(LoginQueue(1, 100))
    for _ in range(20):
        attempts.come("127.0.0.1", "the telephone")
    attempts.come("127.0.0.1", "ada")
    await settle()
    for _ in range(2):
        await attempts.round()
    assert ("127.0.0.1", "ada") in attempts.began[:3]
    await attempts.finish()


async def test_a_network_with_too_many_waiting_is_refused_and_others_are_not() -> None:
    attempts = Attempts(LoginQueue(1, 5))
    running = [attempts.come("2001:db8::1") for _ in range(6)]
    await settle()
    refused = attempts.come("2001:db8::2", "ada")
    other = attempts.come("198.51.100.1")
    await settle()
    with pytest.raises(Refused) as refusal:
        await refused
    assert refusal.value.code is Code.UNAVAILABLE
    assert not other.done()
    await attempts.finish()
    assert all(task.exception() is None for task in (*running, other))
    again = attempts.come("2001:db8::1")
    await settle()
    await attempts.finish()
    assert again.exception() is None


async def test_at_a_trusted_address_each_name_is_a_network_of_its_own() -> None:
    attempts = Attempts(LoginQueue(1, 2, networks(["192.0.2.1"])))
    for number in range(10):
        attempts.come("192.0.2.1", f"user{number}")
    several = [attempts.come("192.0.2.1", "linda") for _ in range(3)]
    await settle()
    with pytest.raises(Refused):
        await several[2]
    assert not several[1].done()
    await attempts.finish()
    assert several[1].exception() is None


async def test_a_crowd_does_not_keep_out_a_known_user_of_the_same_network() -> None:
    attempts = Attempts(LoginQueue(1, 5))
    for number in range(6):
        attempts.come("192.0.2.1", f"user{number}")
    await settle()
    known = attempts.come("192.0.2.1", "linda", Standing.PROVED)
    await settle()
    await attempts.finish()
    assert known.exception() is None
    assert not attempts._queue._counts


async def test_a_cancelled_attempt_leaves_the_queue() -> None:
    attempts = Attempts(LoginQueue(1, 2))
    attempts.come("192.0.2.1", "first")
    await settle()
    waiting = attempts.come("192.0.2.1", "second")
    last = attempts.come("192.0.2.1", "third")
    await settle()
    waiting.cancel()
    await settle()
    attempts.come("192.0.2.1", "fourth")
    await settle()
    await attempts.finish()
    assert [name for _, name in attempts.began] == ["first", "third", "fourth"]
    assert last.exception() is None


async def test_a_turn_given_to_a_cancelled_attempt_is_passed_on() -> None:
    queue = LoginQueue(1, 10)
    attempts = Attempts(queue)
    attempts.come("192.0.2.1", "first")
    await settle()
    second, third = attempts.come("192.0.2.1", "second"), attempts.come("192.0.2.1", "third")
    await settle()
    queue._give_on()
    second.cancel()
    await settle()
    assert attempts.computing == [("192.0.2.1", "first"), ("192.0.2.1", "third")]
    await attempts.finish()
    assert third.exception() is None


PATHS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.sampled_from("12")), max_size=60)


@given(PATHS, st.integers(0, 60))
def test_every_waiting_name_gets_a_turn_before_one_gets_a_second(paths: list[tuple[str, str, str]], later: int) -> None:
    rotation: Rotation[tuple[tuple[str, str, str], int]] = Rotation(3)
    for number, path in enumerate(paths[:later]):
        rotation.add(path, (path, number))
    taken = []
    waiting = Counter(path[0] for path in paths[:later])
    for number, path in enumerate(paths[later:], later):
        # one is added for each one taken, so that there are always new ones
        rotation.add(path, (path, number))
        waiting[path[0]] += 1
        taken.append(rotation.take())
        waiting[taken[-1][0][0]] -= 1
    since: dict[str, int] = {}
    while rotation:
        present = {first for first, count in waiting.items() if count}
        path, number = rotation.take()
        taken.append((path, number))
        waiting[path[0]] -= 1
        since[path[0]] = since.get(path[0], 0) + 1
        # no waiting name is two turns behind
        assert all(since[path[0]] - since.get(first, 0) <= 1 for first in present)
    assert sorted(number for _, number in taken) == list(range(len(paths)))
    for path in set(paths):
        own = [number for at, number in taken if at == path]
        assert own == sorted(own)
    with pytest.raises(KeyError):
        rotation.take()
