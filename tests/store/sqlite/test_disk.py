"""Whether the loop may wait for the disk: while it is quick, and after each stall it takes longer to trust it again."""

from __future__ import annotations

import pytest

from mektup.store.sqlite.file import disk
from mektup.store.sqlite.file.disk import MOST_QUICK_SYNCS, QUICK_SECONDS, QUICK_SYNCS, Disk
from mektup.store.threads import Threads


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(disk, "perf_counter", clock)
    return clock


def wait(on: Disk, clock: Clock, seconds: float) -> None:
    with on.timed():
        clock.now += seconds


def quick_syncs_until_trusted(on: Disk, clock: Clock) -> int:
    count = 0
    while not on.is_quick:
        wait(on, clock, QUICK_SECONDS / 2)
        count += 1
    return count


def test_each_stall_for_which_the_loop_waited_doubles_what_is_needed(clock: Clock) -> None:
    slow = Disk(Threads())
    assert quick_syncs_until_trusted(slow, clock) == QUICK_SYNCS
    wait(slow, clock, 1.0)
    assert quick_syncs_until_trusted(slow, clock) == 2 * QUICK_SYNCS
    wait(slow, clock, 1.0)
    wait(slow, clock, 1.0)  # in a thread, so nobody else waited
    assert quick_syncs_until_trusted(slow, clock) == 4 * QUICK_SYNCS


def test_a_slow_sync_that_nobody_noticed_doubles_nothing(clock: Clock) -> None:
    slow = Disk(Threads())
    for _ in range(3):
        assert quick_syncs_until_trusted(slow, clock) == QUICK_SYNCS
        wait(slow, clock, 2 * QUICK_SECONDS)


def test_a_disk_is_trusted_again_at_some_time(clock: Clock) -> None:
    slow = Disk(Threads())
    for _ in range(15):
        quick_syncs_until_trusted(slow, clock)
        wait(slow, clock, 1.0)
    assert quick_syncs_until_trusted(slow, clock) == MOST_QUICK_SYNCS
