"""Notices pass from the processes of one node to those of another, whose data directories differ."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from mektup.server.bus import Bus
from mektup.server.nodes import relay as relay_module
from mektup.server.nodes.nats_carrier import NatsCarrier
from mektup.server.nodes.relay import Relay
from mektup.terms.numbers import AccountId, MailboxId, ModSeq
from tests.support.nats import Nats, nats_server

LINDA = AccountId("aa01")


class Process:
    """A process of a node, and what it heard."""

    def __init__(self, data: Path) -> None:
        self.bus = Bus(data)
        self.heard: list[tuple[MailboxId, ModSeq | None]] = []
        self.missed = 0
        self.bus.start(self._hear, self._miss)

    def _hear(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        self.heard.append((mailbox, modseq))

    def _miss(self) -> None:
        self.missed += 1

    def say(self, mailbox: int) -> None:
        self.bus.publish(LINDA, MailboxId(mailbox), ModSeq(mailbox))


@pytest.fixture
def nats() -> Iterator[Nats]:
    with nats_server() as server:
        yield server


def relay(data: Path, nats: Nats) -> Relay:
    made = Relay(data, NatsCarrier([nats.url]), structlog.get_logger())
    made.start()
    return made


def is_up(one: Relay) -> bool:
    return bool(one.figures().get(("mektup_bus_up", ())))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0)


async def test_a_notice_reaches_each_process_of_all_nodes_once(tmp_path: Path, nats: Nats) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    relays = [relay(here, nats), relay(there, nats)]
    one, beside, far = Process(here), Process(here), Process(there)
    await until(lambda: all(map(is_up, relays)))
    one.say(7)
    await until(lambda: bool(far.heard and beside.heard))
    # what comes after them shows that they came once, and did not come back
    far.say(8)
    await until(lambda: len(one.heard) == 1 and len(beside.heard) == 2)
    assert one.heard == [(8, 8)]
    assert beside.heard == [(7, 7), (8, 8)]
    assert far.heard == [(7, 7)]
    for each in (*relays,):
        await each.close()
    for process in (one, beside, far):
        process.bus.close()


async def test_lost_notices_of_a_process_are_told_to_all_nodes(tmp_path: Path, nats: Nats) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    relays = [relay(here, nats), relay(there, nats)]
    one, far = Process(here), Process(there)
    await until(lambda: all(map(is_up, relays)))
    before = far.missed
    one.bus.publish_lost()
    await until(lambda: far.missed > before)
    for each in relays:
        await each.close()
    one.bus.close()
    far.bus.close()


async def test_one_process_of_a_node_passes_notices_on_and_the_next_takes_over(
    tmp_path: Path, nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "LOOK_SECONDS", 0.01)
    here, there = tmp_path / "here", tmp_path / "there"
    first, second, other = relay(here, nats), relay(here, nats), relay(there, nats)
    one, far = Process(here), Process(there)
    await until(lambda: is_up(first) and is_up(other))
    assert not second.is_working
    assert second.figures() == {}
    one.say(1)
    await until(lambda: far.heard == [(1, 1)])
    await first.close()
    await until(lambda: is_up(second))
    one.say(2)
    await until(lambda: len(far.heard) == 2)
    assert far.heard == [(1, 1), (2, 2)]
    for each in (second, other):
        await each.close()
    one.bus.close()
    far.bus.close()


async def test_a_command_where_no_server_runs_tells_the_other_nodes(tmp_path: Path, nats: Nats) -> None:
    other, far = relay(tmp_path / "there", nats), Process(tmp_path / "there")
    await until(lambda: is_up(other))
    command, bus = relay(tmp_path / "here", nats), Bus(tmp_path / "here")
    bus.publish(LINDA, MailboxId(3), ModSeq(3))
    bus.close()
    await command.close()
    await until(lambda: far.heard == [(3, 3)])
    await other.close()
    far.bus.close()


async def test_a_node_whose_bus_is_down_says_so(tmp_path: Path) -> None:
    alone = Relay(tmp_path, NatsCarrier(["nats://linda:Pa$$123@127.0.0.1:9"]), structlog.get_logger())
    assert alone.warnings() == ()
    alone.start()
    await until(lambda: bool(alone.warnings()))
    assert "the bus between nodes is down" in alone.warnings()[0]
    assert "Pa$$123" not in alone.warnings()[0]
    await alone.close()
