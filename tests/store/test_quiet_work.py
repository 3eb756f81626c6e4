"""Background work begins when nothing happens, runs again if something happened meanwhile, and never after the end."""

from __future__ import annotations

import asyncio

import pytest

from mektup.store import quiet_work
from mektup.store.quiet_work import QuietWork
from mektup.store.texts import DISK_FULL
from mektup.terms.errors import Code, Refused


class Work(QuietWork):
    """Counts its runs; *outcomes* are their results in turn, and then everything is done."""

    def __init__(self, *outcomes: bool | Refused, is_off: bool = False) -> None:
        super().__init__(lambda: self, is_off=is_off)
        self.outcomes = list(outcomes)
        self.done = asyncio.Queue[int]()
        self.times = 0

    async def _do(self) -> bool:
        self.times += 1
        self.done.put_nowait(self.times)
        outcome = self.outcomes.pop(0) if self.outcomes else True
        if isinstance(outcome, Refused):
            raise outcome
        return outcome


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_work, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(quiet_work, "AGAIN_SECONDS", 0.0)


async def test_the_work_runs_once_however_often_it_is_woken() -> None:
    work = Work()
    for _ in range(5):
        work.wake()
    assert await work.done.get() == 1
    await work.close()
    assert work.times == 1


async def test_the_work_waits_no_longer_than_its_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_work, "QUIET_SECONDS", 3600.0)
    monkeypatch.setattr(quiet_work, "PATIENCE_SECONDS", 0.0)
    work = Work()
    work.wake()
    assert await work.done.get() == 1
    await work.close()


@pytest.mark.parametrize("outcome", [False, Refused(Code.UNAVAILABLE, DISK_FULL)])
async def test_unfinished_work_is_tried_again(outcome: bool | Refused) -> None:
    work = Work(outcome)
    work.wake()
    assert [await work.done.get(), await work.done.get()] == [1, 2]
    await work.close()


async def test_the_work_does_not_run_if_switched_off_or_after_the_end() -> None:
    off, ended = Work(is_off=True), Work()
    off.wake()
    await ended.close()
    ended.wake()
    await asyncio.sleep(0)
    assert (off.times, ended.times) == (0, 0)
    assert off._timer is ended._timer is None
