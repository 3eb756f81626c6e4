"""The bus between nodes, over each carrier, with several nodes in one process and a real server between them."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
import structlog

from mektup.server.nodes import node_bus
from mektup.server.nodes.nats_carrier import NatsCarrier
from mektup.server.nodes.node_bus import NodeBus
from mektup.store.notices import NOTICES_PER_PAYLOAD, Carrier, CarrierDown, packed
from mektup.store.postgres.notify_carrier import NotifyCarrier
from mektup.terms.numbers import MAX_MODSEQ, AccountId, MailboxId, ModSeq
from tests.support.nats import nats_server
from tests.support.postgres import NewDatabase

LINDA = AccountId("aa01")
ONE = ModSeq(1)


class Node:
    """One node on the bus, and what it heard."""

    def __init__(self, carrier: Carrier) -> None:
        self.bus = NodeBus(carrier, structlog.get_logger())
        self.heard: list[tuple[AccountId, MailboxId]] = []
        self.modseqs: dict[MailboxId, ModSeq | None] = {}
        self.missed = 0
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self.bus.start(self._hear, self._miss)

    def _hear(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        self.heard.append((account, mailbox))
        self.modseqs[mailbox] = modseq
        self._tell()

    def _miss(self) -> None:
        self.missed += 1
        self._tell()

    def _tell(self) -> None:
        async def tell() -> None:
            async with self._news:
                self._news.notify_all()

        self._tasks.add(asyncio.get_running_loop().create_task(tell()))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(holds)

    async def until_heard(self, mailbox: int) -> None:
        await self.until(lambda: MailboxId(mailbox) in self.modseqs)

    async def until_missed(self, since: int) -> None:
        await self.until(lambda: self.missed > since)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that carries notices."""

    carrier: Callable[[], Carrier]
    cut: Callable[[], None]
    """Ends all connections without a farewell; after it, ``restore``."""
    restore: Callable[[], None]
    hang: Callable[[], None]
    """It does not answer any more; after it, ``go_on``."""
    go_on: Callable[[], None]
    say: Callable[[bytes], None]
    """Sends octets to all nodes."""


@contextmanager
def over_nats() -> Iterator[Server]:
    with nats_server() as nats:

        def say(payload: bytes) -> None:
            asyncio.run(_say_by_nats(nats.url, payload))

        yield Server(
            lambda: NatsCarrier([nats.url]),
            nats.kill,
            nats.start,
            lambda: nats.signal(signal.SIGSTOP),
            lambda: nats.signal(signal.SIGCONT),
            say,
        )


async def _say_by_nats(url: str, payload: bytes) -> None:
    carrier = NatsCarrier([url])
    await carrier.open(lambda octets: None, lambda: None, lambda: None)
    await carrier.send([payload])
    await carrier.close()


@contextmanager
def over_postgres(database: str) -> Iterator[Server]:
    backends = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'mektup notices' AND datname = current_database()"
    )

    def ask(statement: str, *values: object) -> list[tuple[int, ...]]:
        with psycopg.connect(database, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    stopped: list[int] = []

    def hang() -> None:
        for (pid,) in ask(backends):
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)

    def go_on() -> None:
        while stopped:
            os.kill(stopped.pop(), signal.SIGCONT)

    try:
        yield Server(
            lambda: NotifyCarrier(database),
            lambda: [ask(f"SELECT pg_terminate_backend(pid) FROM ({backends}) AS found")].clear(),
            lambda: None,
            hang,
            go_on,
            lambda payload: [ask("SELECT pg_notify('mektup_notice', %s)", payload.decode("latin-1"))].clear(),
        )
    finally:
        go_on()


@pytest.fixture(params=["nats", "postgres"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "nats":
        with over_nats() as nats:
            yield nats
    else:
        new_database: NewDatabase = request.getfixturevalue("new_database")
        with over_postgres(new_database()) as postgres:
            yield postgres


@pytest.fixture
async def nodes(server: Server) -> AsyncIterator[list[Node]]:
    """Three nodes that are connected."""
    made = [Node(server.carrier()) for _ in range(3)]
    for each in made:
        await each.until_missed(0)
    yield made
    await asyncio.gather(*(each.bus.close() for each in made))


async def test_all_other_nodes_get_a_notice(nodes: list[Node]) -> None:
    nodes[0].bus.publish(LINDA, MailboxId(7), ModSeq(5))
    nodes[0].bus.publish(LINDA, MailboxId(8), None)
    for other in nodes[1:]:
        await other.until_heard(8)
        assert other.modseqs == {7: 5, 8: None}
    nodes[1].bus.publish(LINDA, MailboxId(9), ONE)
    await nodes[0].until_heard(9)
    assert nodes[0].heard == [(LINDA, MailboxId(9))], "a node does not hear itself"


async def test_a_burst_is_one_notice_with_the_newest_modseq(nodes: list[Node]) -> None:
    for modseq in (3, 9, 7):
        nodes[0].bus.publish(LINDA, MailboxId(7), ModSeq(modseq))
    await nodes[1].until_heard(7)
    assert nodes[1].heard == [(LINDA, MailboxId(7))]
    assert nodes[1].modseqs == {7: 9}


async def test_more_notices_than_a_payload_holds_arrive(nodes: list[Node]) -> None:
    for number in range(1, 5001):
        nodes[0].bus.publish(LINDA, MailboxId(number), ONE)
    for other in nodes[1:]:
        await other.until(lambda: len(set(other.heard)) == 5000)  # noqa: B023
        assert len(other.heard) == 5000
    await until(lambda: nodes[0].bus.sent == 5000)


async def test_publish_may_be_called_from_any_thread(nodes: list[Node]) -> None:
    threads = [threading.Thread(target=nodes[0].bus.publish, args=(LINDA, MailboxId(n), ONE)) for n in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    await nodes[1].until(lambda: len(nodes[1].modseqs) == 20)


async def test_lost_notices_are_reported(nodes: list[Node]) -> None:
    nodes[0].bus.publish_lost()
    await nodes[1].until_missed(1)
    await nodes[2].until_missed(1)
    assert nodes[0].missed == 1
    assert nodes[1].heard == []


async def test_after_a_cut_all_look_and_hear_each_other_again(nodes: list[Node], server: Server) -> None:
    server.cut()
    await asyncio.gather(*(until_down(each) for each in nodes))
    for number in range(1, 11):
        nodes[0].bus.publish(LINDA, MailboxId(number), ONE)
    server.restore()
    await asyncio.gather(*(each.until_missed(1) for each in nodes))
    assert all(each.bus.is_up and not each.bus.trouble and each.bus.disconnects == 1 for each in nodes)
    nodes[2].bus.publish(LINDA, MailboxId(70), ONE)
    await asyncio.gather(nodes[0].until_heard(70), nodes[1].until_heard(70))
    await until(lambda: nodes[0].bus.sent == 10)


async def test_a_server_that_hangs_is_noticed(
    nodes: list[Node], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_bus, "SEND_SECONDS", 0.2)
    monkeypatch.setattr(node_bus, "CONNECT_SECONDS", 0.5)
    server.hang()
    nodes[0].bus.publish(LINDA, MailboxId(1), ONE)
    await until(lambda: bool(nodes[0].bus.trouble))
    server.go_on()
    # it is sent again when the server answers; a node that was not back by then looks for itself
    await nodes[1].until(lambda: MailboxId(1) in nodes[1].modseqs or nodes[1].missed > 1)


async def test_a_quiet_connection_is_asked_whether_it_is_there(
    nodes: list[Node], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_bus, "SEND_SECONDS", 0.2)
    monkeypatch.setattr(node_bus, "QUIET_SECONDS", 0.1)
    nodes[0].bus.publish(LINDA, MailboxId(1), ONE)
    await nodes[1].until_heard(1)
    server.hang()
    await until(lambda: bool(nodes[0].bus.trouble))
    server.go_on()


async def test_what_was_published_while_nobody_took_it_is_kept_within_a_bound(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_bus, "MAX_KEPT", 100)
    hears = Node(server.carrier())
    await hears.until_missed(0)
    early = NodeBus(server.carrier(), structlog.get_logger())
    for number in range(1, 102):
        early.publish(LINDA, MailboxId(number), ONE)
    early.start(lambda account, mailbox, modseq: None, lambda: None)
    await hears.until_missed(1)
    assert hears.heard == []
    await asyncio.gather(early.close(), hears.bus.close())


async def test_a_node_that_ends_sends_what_is_pending(nodes: list[Node], server: Server) -> None:
    short = NodeBus(server.carrier(), structlog.get_logger())
    short.start(lambda account, mailbox, modseq: None, lambda: None)
    short.publish(LINDA, MailboxId(3), ONE)
    await short.close()
    await nodes[0].until_heard(3)


async def test_nonsense_is_passed_over(nodes: list[Node], server: Server) -> None:
    for payload in (b"\xff\xfe", b"x", b"aa 1\n\naa -1 1\naa 1 1 1\naa 1 x", b"linda 5 9"):
        await asyncio.to_thread(server.say, payload)
    await nodes[0].until_heard(5)
    assert nodes[0].heard == [(AccountId("linda"), MailboxId(5))]


@pytest.mark.parametrize(
    ("carrier", "reason"),
    [
        (lambda: NatsCarrier(["nats://linda:Pa$$123@127.0.0.1:9"]), "127.0.0.1"),
        (lambda: NatsCarrier(["nats://linda:Pa$$123@[::1"]), "url"),
        (lambda: NotifyCarrier("postgresql://linda:Pa$$123@127.0.0.1:9/mail"), "127.0.0.1"),
        (lambda: NotifyCarrier("postgresql://linda:Pa$$123@127.0.0.1:many/mail"), "many"),
        (lambda: NotifyCarrier("password=Pa$$123 host"), "Error"),
    ],
)
async def test_a_server_that_is_not_there_delays_nothing(
    carrier: Callable[[], Carrier], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_bus, "MISSED_SECONDS", 0.01)
    node = Node(carrier())
    await until(lambda: bool(node.bus.trouble))
    await node.until_missed(2)
    assert reason in node.bus.trouble
    assert "Pa$$123" not in node.bus.trouble
    assert not node.bus.is_up
    await node.bus.close()


async def test_a_wrong_password_is_said() -> None:
    with nats_server("--user", "linda", "--pass", "Pa$$123") as nats:
        wrong = NatsCarrier([nats.url.replace("//", "//linda:wrong@")])
        with pytest.raises(CarrierDown, match=r"(?i)authorization"):
            await wrong.open(lambda octets: None, lambda: None, lambda: None)
        await wrong.close()
        right = NatsCarrier([nats.url.replace("//", "//linda:Pa$$123@")])
        await right.open(lambda octets: None, lambda: None, lambda: None)
        await right.close()


async def test_the_next_server_of_several_is_used() -> None:
    with nats_server() as nats:
        carrier = NatsCarrier(["nats://127.0.0.1:9", nats.url])
        await carrier.open(lambda octets: None, lambda: None, lambda: None)
        await carrier.close()


def test_postgresql_takes_a_whole_payload() -> None:
    notices = [((AccountId("f" * 36), MailboxId(10**18 + number)), MAX_MODSEQ) for number in range(NOTICES_PER_PAYLOAD)]
    assert len(packed(notices)) < 8000


async def until_down(node: Node) -> None:
    await until(lambda: bool(node.bus.trouble))


async def until(holds: Callable[[], bool]) -> None:
    """Waits until that holds, looking once in each round of the loop."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0)
