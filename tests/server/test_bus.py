"""The bus between processes, tested with several ends in one process."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from mektup.server import bus as bus_module
from mektup.server.bus import Bus
from mektup.store import notices
from mektup.store.sqlite import open_store
from mektup.terms.numbers import AccountId, MailboxId, ModSeq

LINDA = AccountId("aa01")
ONE = ModSeq(1)


class Ear:
    """The end of one process, and the notices that it received."""

    def __init__(self, data: Path) -> None:
        self.bus = Bus(data)
        self.heard: list[tuple[AccountId, MailboxId]] = []
        self.modseqs: dict[MailboxId, ModSeq | None] = {}
        self.missed = 0
        self._news = asyncio.Event()
        self.bus.start(self._hear, self._miss)

    def _hear(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        self.heard.append((account, mailbox))
        self.modseqs[mailbox] = modseq
        self._news.set()

    def _miss(self) -> None:
        self.missed += 1
        self._news.set()

    async def until(self, count: int, *, missed: int = 0) -> None:
        async with asyncio.timeout(5):
            while len(set(self.heard)) < count or self.missed < missed:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def ears(data: Path) -> AsyncIterator[list[Ear]]:
    made = [Ear(data) for _ in range(3)]
    yield made
    for ear in made:
        ear.bus.close()
    assert not list((data / "run").iterdir())


async def test_all_other_processes_get_a_notice(ears: list[Ear]) -> None:
    ears[0].bus.publish(LINDA, MailboxId(7), ONE)
    await ears[1].until(1)
    await ears[2].until(1)
    assert ears[1].heard == ears[2].heard == [(LINDA, MailboxId(7))]
    assert ears[0].heard == []


async def test_a_burst_is_one_notice(ears: list[Ear]) -> None:
    for _ in range(1000):
        ears[0].bus.publish(LINDA, MailboxId(7), ONE)
    await ears[1].until(1)
    assert ears[1].heard == [(LINDA, MailboxId(7))]


async def test_the_latest_modseq_of_a_burst_arrives(ears: list[Ear]) -> None:
    for modseq in (3, 9, 7):
        ears[0].bus.publish(LINDA, MailboxId(7), ModSeq(modseq))
        ears[0].bus.publish(LINDA, MailboxId(8), ModSeq(modseq))
    ears[0].bus.publish(LINDA, MailboxId(8), None)
    await ears[1].until(2)
    assert ears[1].modseqs == {7: 9, 8: None}


async def test_notices_that_do_not_fit_into_the_queue_are_reported_as_lost(
    ears: list[Ear], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "MAX_KEPT", 100)
    loop = asyncio.get_running_loop()
    stuck = ears[2].bus._socket.fileno()
    loop.remove_reader(stuck)
    for number in range(1, 60_001):
        ears[0].bus.publish(LINDA, MailboxId(number), ONE)
    await ears[1].until(1, missed=1)
    loop.add_reader(stuck, ears[2].bus._receive)
    await ears[2].until(0, missed=1)
    ears[0].bus.publish(LINDA, MailboxId(70_000), ONE)
    await asyncio.gather(ears[1].until(1), ears[2].until(1))
    assert ears[2].heard[-1] == (LINDA, 70_000)
    assert ears[2].missed == 1


async def test_notices_are_lost_while_the_directory_cannot_be_read(
    ears: list[Ear], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: int) -> list[str]:
        raise OSError(errno.EMFILE, "")

    with monkeypatch.context() as broken:
        broken.setattr(os, "listdir", fails)
        ears[0].bus._seen = None
        ears[0].bus.publish(LINDA, MailboxId(1), ONE)
        ears[0].bus._send()
    await asyncio.gather(ears[1].until(0, missed=1), ears[2].until(0, missed=1))
    assert ears[1].heard == ears[2].heard == []


async def test_more_notices_than_the_kernel_buffers_arrive(ears: list[Ear]) -> None:
    for number in range(1, 5001):
        ears[0].bus.publish(LINDA, MailboxId(number), ONE)
    await ears[1].until(5000)
    await ears[2].until(5000)
    assert set(ears[1].heard) == {(LINDA, MailboxId(number)) for number in range(1, 5001)}


async def test_a_process_that_does_not_read_delays_only_itself(ears: list[Ear]) -> None:
    loop = asyncio.get_running_loop()
    stuck = ears[2].bus._socket.fileno()
    loop.remove_reader(stuck)
    for number in range(1, 51):
        ears[0].bus.publish(LINDA, MailboxId(number), ONE)
        await ears[1].until(number)
    loop.add_reader(stuck, ears[2].bus._receive)
    await ears[2].until(50)


async def test_publish_may_be_called_from_any_thread(ears: list[Ear]) -> None:
    threads = [threading.Thread(target=ears[0].bus.publish, args=(LINDA, MailboxId(n), ONE)) for n in range(1, 21)]
    for thread in threads:
        thread.start()
    await ears[1].until(20)
    for thread in threads:
        thread.join()


async def test_a_process_that_starts_later_is_found(ears: list[Ear], data: Path) -> None:
    ears[0].bus.publish(LINDA, MailboxId(1), ONE)
    await ears[1].until(1)
    late = Ear(data)
    ears[0].bus.publish(LINDA, MailboxId(2), ONE)
    await late.until(1)
    assert late.heard == [(LINDA, MailboxId(2))]
    late.bus.close()


async def test_the_socket_of_a_dead_process_is_removed(ears: list[Ear], data: Path) -> None:
    dead = data / "run" / "1-dead.bus"
    left = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    here = os.getcwd()
    os.chdir(data / "run")  # the path may be too long for a socket
    try:
        left.bind("1-dead.bus")
    finally:
        os.chdir(here)
    left.close()
    ears[0].bus.publish(LINDA, MailboxId(1), ONE)
    await ears[1].until(1)
    assert not dead.exists()


async def test_publishing_needs_no_event_loop(ears: list[Ear], data: Path) -> None:
    def command() -> None:
        short = Bus(data)
        short.publish(LINDA, MailboxId(3), ONE)
        short.close()
        short.close()

    await asyncio.to_thread(command)
    await ears[0].until(1)
    assert ears[0].heard == [(LINDA, MailboxId(3))]


async def test_a_deep_directory_will_do(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-directory-with-a-long-name"] * 6)
    one, other = Ear(deep), Ear(deep)
    one.bus.publish(LINDA, MailboxId(1), ONE)
    await other.until(1)
    one.bus.close()
    other.bus.close()


async def test_nonsense_is_passed_over(ears: list[Ear], data: Path) -> None:
    name = next(path.name for path in (data / "run").iterdir() if path.name == ears[1].bus._name)
    ears[0].bus._socket.sendto(b"\xff\x00\naa 1\n\naa -1 1\naa 1 1 1\naa 1 x\nlinda 5 9", ears[0].bus._address(name))
    await ears[1].until(1)
    assert ears[1].heard == [(AccountId("linda"), MailboxId(5))]


def test_a_datagram_holds_what_is_put_in_one() -> None:
    longest = len(f"{'f' * 64} {2**63} {2**63}\n")
    assert notices.NOTICES_PER_PAYLOAD * longest < bus_module.DATAGRAM_BYTES


async def test_a_name_that_cannot_be_removed_does_not_fail_the_end(data: Path) -> None:
    end = Bus(data)
    end.start(lambda account, mailbox, modseq: None, lambda: None)
    (data / "run").rename(data / "moved")
    (data / "run").touch()  # nothing can be removed there, as on a disk that has become read-only
    end.close()


async def test_changes_of_mailboxes_and_subscriptions_reach_other_processes(data: Path) -> None:
    here_bus, there_bus = Bus(data), Bus(data)
    here_store, there_store = await open_store(data, bus=here_bus), await open_store(data, bus=there_bus)
    for bus, store in ((here_bus, here_store), (there_bus, there_store)):
        bus.start(store.changed_elsewhere, store.missed_notices)
    entry = await here_store.directory.add("linda", {})
    here, there = await here_store.account(entry), await there_store.account(entry)
    watch, news = there.watch(None), asyncio.Event()
    watch.on_fire = news.set
    since = (await there.mailbox_changes(ModSeq(0))).modseq
    changing: list[Coroutine[Any, Any, object]] = [
        here.create("work"),
        here.subscribe("work"),
        here.rename("work", "done"),
        here.unsubscribe("work"),
        here.delete("done"),
    ]
    for change in changing:
        news.clear()
        watch.rearm()
        await change
        async with asyncio.timeout(5):
            while True:
                await news.wait()
                changes = await there.mailbox_changes(since)
                if changes.modseq > since:
                    break
                news.clear()
                watch.rearm()
        assert len((*changes.mailboxes, *changes.gone, *changes.subscriptions)) == 1
        since = changes.modseq
    for bus, store in ((here_bus, here_store), (there_bus, there_store)):
        await store.close()
        bus.close()
