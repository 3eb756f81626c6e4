"""Guessing waits longer and longer; other logins do not wait, and no login is locked out."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.auth.throttle import (
    FORGET_SECONDS,
    GENTLE,
    MOST_REMEMBERED,
    MOST_WAITING,
    NAME_SHARE,
    PROVED_SECONDS,
    Heaviest,
    Standing,
    Throttle,
)
from mektup.terms.errors import Code, Refused
from mektup.terms.networks import networks


class Time:
    """A clock that only sleeping moves."""

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


async def test_a_success_resets_the_wait(throttle: Throttle, time: Time) -> None:
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


async def test_a_name_with_many_failures_is_not_displaced_by_names_with_one(throttle: Throttle, time: Time) -> None:
    for _ in range(4):
        throttle.failed("192.0.2.1", "linda")
    for number in range(2 * MOST_REMEMBERED):
        throttle.failed(f"2001:db8:{number:x}::1", f"user{number}")
    assert len(throttle._pairs) == len(throttle._networks) == MOST_REMEMBERED
    assert throttle.wait("192.0.2.1", "linda") == 4.0
    assert throttle.wait("2001:db8::1", "user0") == 0.0
    assert throttle.wait(f"2001:db8:{number:x}::1", f"user{number}") == 0.5


async def test_many_names_from_one_address_wait(throttle: Throttle, time: Time) -> None:
    for number in range(100):
        await throttle.pause("192.0.2.1", f"user{number}")
        throttle.failed("192.0.2.1", f"user{number}")
    # some failures are free; then each attempt waits a little longer
    assert 60 < len(time.slept) < 90
    assert time.slept == sorted(time.slept)
    assert time.slept[-1] == 4.0
    assert throttle.wait("192.0.2.1", "linda") == 4.0
    assert throttle.wait("198.51.100.1", "linda") == 0.0


async def test_many_networks_of_a_site_wait_in_the_end(throttle: Throttle, time: Time) -> None:
    for number in range(200):
        throttle.failed(f"2001:db8:0:{number:x}::1", f"user{number}")
    assert throttle.wait("2001:db8:0:ffff::1", "linda") == 4.0
    assert throttle.wait("2001:db8:1::1", "linda") == 0.0


async def test_guesses_for_one_name_from_many_networks_slow_each_other(throttle: Throttle, time: Time) -> None:
    throttle.longest_seconds = 15.0
    for number in range(30):
        await throttle.pause(f"2001:db8:{number:x}::1", "linda")
        throttle.failed(f"2001:db8:{number:x}::1", "linda")
    # 20 are free; from a network of its own, each further attempt waits a little longer
    assert len(time.slept) == 9
    assert time.slept == sorted(time.slept)
    assert 0.0 < time.slept[0] < 0.3 < 1.5 < time.slept[-1]
    assert throttle.wait("203.0.113.7", "ada") == 0.0


async def test_nobody_can_lock_a_user_out_from_elsewhere(throttle: Throttle, time: Time) -> None:
    throttle.longest_seconds = 15.0
    throttle.succeeded("192.0.2.1", "linda")
    for number in range(MOST_REMEMBERED):
        throttle.failed(f"2001:db8:{number:x}::1", "linda")
    # where she has logged in she does not wait; elsewhere a few seconds, and after that once no longer
    assert throttle.wait("192.0.2.1", "linda") == 0.0
    assert throttle.wait("203.0.113.7", "linda") == 15.0 / NAME_SHARE
    throttle.succeeded("203.0.113.7", "linda")
    throttle.failed("2001:db8::1", "linda")
    assert throttle.wait("203.0.113.7", "linda") == 0.0


async def test_a_few_devices_with_an_old_password_do_not_slow_their_owner_elsewhere(
    throttle: Throttle, time: Time
) -> None:
    for number in range(4):
        for _ in range(50):
            throttle.failed(f"2001:db8:{number:x}::1", "linda")
    assert throttle.wait("203.0.113.7", "linda") == 0.0


async def test_at_a_trusted_address_names_do_not_wait_for_each_other(time: Time) -> None:
    throttle = Throttle(4.0, trusted=networks(["192.0.2.0/28"]), clock=time.clock, sleep=time.sleep)
    for number in range(200):
        throttle.failed("192.0.2.1", f"user{number}")
    assert throttle.wait("192.0.2.1", "linda") == 0.0
    # the same name waits, but as little as at loopback
    assert throttle.wait("192.0.2.1", "user199") == 0.5 / GENTLE
    assert throttle.wait("192.0.2.77", "linda") == 0.0
    for number in range(200):
        throttle.failed("192.0.2.77", f"user{number}")
    assert throttle.wait("192.0.2.77", "linda") == 4.0


async def test_a_device_with_an_old_password_does_not_delay_other_users(throttle: Throttle, time: Time) -> None:
    for _ in range(300):
        await throttle.pause("192.0.2.1", "linda")
        throttle.failed("192.0.2.1", "linda")
        assert throttle.wait("192.0.2.1", "ada") == 0.0
    assert throttle.wait("192.0.2.1", "linda") == 4.0


async def test_a_name_that_has_logged_in_does_not_wait_for_the_failures_of_others(
    throttle: Throttle, time: Time
) -> None:
    throttle.succeeded("192.0.2.1", "linda")
    for number in range(100):
        throttle.failed("192.0.2.1", f"user{number}")
    assert throttle.wait("192.0.2.1", "linda") == 0.0
    assert throttle.wait("192.0.2.1", "ada") == 4.0
    throttle.failed("192.0.2.1", "linda")
    assert throttle.wait("192.0.2.1", "linda") == 0.5


async def test_a_network_is_forgiven_with_time(throttle: Throttle, time: Time) -> None:
    for number in range(10_000):
        throttle.failed("192.0.2.1", f"user{number}")
    time.now += FORGET_SECONDS
    for number in range(8):
        throttle.failed("192.0.2.1", f"user{number}")
        assert throttle.wait("192.0.2.1", "linda") == 0.0


async def test_a_success_does_not_reset_the_failures_of_the_network(throttle: Throttle, time: Time) -> None:
    for number in range(100):
        throttle.failed("192.0.2.1", f"user{number}")
        throttle.succeeded("192.0.2.1", "the guesser's own")
    assert throttle.wait("192.0.2.1", "linda") == 4.0


async def test_a_shorter_limit_applies_at_once_and_nothing_is_forgotten(throttle: Throttle, time: Time) -> None:
    await _guess(throttle, "192.0.2.1", "linda", 5)
    throttle.longest_seconds = 1.0
    assert throttle.wait("192.0.2.1", "linda") == 1.0
    throttle.longest_seconds = 60.0
    assert throttle.wait("192.0.2.1", "linda") == 8.0


async def test_the_standing_of_a_name(throttle: Throttle, time: Time) -> None:
    assert throttle.standing("192.0.2.1", "linda") is Standing.UNKNOWN
    throttle.failed("192.0.2.1", "linda")
    assert throttle.standing("192.0.2.1", "linda") is Standing.FAILED
    throttle.succeeded("192.0.2.1", "linda")
    throttle.failed("192.0.2.1", "linda")
    assert throttle.standing("192.0.2.1", "linda") is Standing.PROVED
    assert throttle.standing("192.0.2.2", "linda") is Standing.UNKNOWN
    time.now += PROVED_SECONDS + 1
    assert throttle.standing("192.0.2.1", "linda") is Standing.FAILED


ATTEMPTS = st.lists(
    st.tuples(
        st.sampled_from(["192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1", "2001:db8:0:1::1", "127.0.0.1"]),
        st.sampled_from(["linda", "ada", "fred"]),
        st.sampled_from(["fails", "fails", "fails", "succeeds", "rests"]),
    ),
    max_size=150,
)


@given(ATTEMPTS, st.sampled_from([0.0, 0.3, 15.0]))
def test_no_wait_exceeds_the_limit_and_other_networks_add_at_most_a_third_of_it(
    attempts: list[tuple[str, str, str]], longest: float
) -> None:
    time = Time()
    throttle = Throttle(longest, clock=time.clock)
    for address, name, what in attempts:
        if what == "fails":
            throttle.failed(address, name)
        elif what == "succeeds":
            throttle.succeeded(address, name)
        else:
            time.now += 7.0
        assert 0.0 <= throttle.wait(address, name) <= longest
        assert throttle.wait("203.0.113.7", name) <= longest / NAME_SHARE
        assert throttle.wait("203.0.113.7", "nobody") == 0.0


WEIGHTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9), st.booleans()), max_size=100)


@given(WEIGHTS)
def test_the_heaviest_entries_stay(steps: list[tuple[int, int, bool]]) -> None:
    table: Heaviest[int, int] = Heaviest(5)
    known: dict[int, int] = {}
    for key, weight, dropped in steps:
        if dropped:
            table.drop(key)
            known.pop(key, None)
            continue
        weight = min(weight, Heaviest.LEVELS - 1)
        before = dict(known)
        table.put(key, weight, weight)
        known = {each: found for each in (*before, key) if (found := table.get(each)) is not None}
        assert table.get(key) == weight
        assert len(table) == len(known) <= 5
        for gone in before.keys() - known.keys():
            assert before[gone] == min(before.values())


async def test_only_a_few_attempts_may_wait_at_once(time: Time) -> None:
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
