"""The importer goes on where it was stopped, and loses nothing, whatever stopped it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import pytest

from mektup.migration import importing
from mektup.migration.files import OnDisk
from mektup.migration.importing import Importer, Plan
from mektup.migration.maildir.reading import MaildirSource
from mektup.migration.preparing import Preparing
from mektup.migration.source import CannotRead, Head, Read, SourceMailbox, Tell, quiet
from mektup.store.arrival import Arrival, Octets, prepare
from mektup.store.interface import Account
from mektup.store.spool import Spool
from mektup.store.sqlite import open_store
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import Uid, UidValidity
from mektup.terms.quota import Resource
from mektup.terms.texts import Text
from tests.contract.mail import incoming
from tests.migration.conftest import Quiet, imported, mail_of
from tests.migration.maildirs import folder, message, put, uidlist
from tests.support.faulty_disk import faulty_disk

LIMITS = DEFAULT_LIMITS
MESSAGES = 1200


def filled(root: Path, count: int = MESSAGES) -> Path:
    """A Maildir of Dovecot."""
    folder(root)
    for number in range(1, count + 1):
        put(root, f"{1600000000 + number}.M{number}.host:2,S", message(f"number {number}"))
    uidlist(
        root, 77, count + 10, *(f"{number} :{1600000000 + number}.M{number}.host" for number in range(1, count + 1))
    )
    return root


class Stop(Exception):
    """Stands for anything that ends an import."""


class StopsAt(Quiet):
    """Ends the import when so many messages are done."""

    def __init__(self, messages: int, then: Callable[[], None]) -> None:
        super().__init__()
        self._left, self._then = messages, then

    def advance(self, messages: int) -> None:
        super().advance(messages)
        if self.done >= self._left:
            self._then()


def importer(account: Account, root: Path, progress: Quiet) -> Importer:
    source = OnDisk(MaildirSource(root, LIMITS))
    return Importer(account, source, Plan(), LIMITS, progress, quiet, lambda: Spool(limit=LIMITS.message_bytes))


def stop() -> None:
    raise Stop


async def test_an_import_that_was_stopped_goes_on(account: Account, tmp_path: Path) -> None:
    root = filled(tmp_path / "Maildir")
    stopped = importer(account, root, StopsAt(500, stop))
    with pytest.raises(Stop):
        await stopped.run()
    assert stopped.result.added >= 500
    assert (await account.mailbox("INBOX")).messages == stopped.result.added
    done = await imported(account, MaildirSource(root, LIMITS))
    assert (done.result.known, done.result.added + done.result.known) == (stopped.result.added, MESSAGES)
    assert [each.uid for each in await mail_of(account)] == [*range(1, MESSAGES + 1)]
    assert (await account.mailbox("INBOX")).uidnext == MESSAGES + 10


async def test_no_batch_is_stored_before_an_earlier_one_that_takes_longer(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_MESSAGES", 10)
    second_is_prepared = asyncio.Event()
    batches = iter(range(2))
    prepared = Preparing.arrivals

    async def slow_at_first(preparing: Preparing, messages: Sequence[Octets]) -> list[Arrival]:
        is_first = next(batches) == 0
        arrivals = await prepared(preparing, messages)
        if is_first:
            await second_is_prepared.wait()
        second_is_prepared.set()
        return arrivals

    monkeypatch.setattr(Preparing, "arrivals", slow_at_first)
    stopped = importer(account, filled(tmp_path / "Maildir", 20), StopsAt(10, stop))
    with pytest.raises(Stop):
        await stopped.run()
    assert [each.uid for each in await mail_of(account)] == list(range(1, 11))


async def test_an_import_on_a_full_disk_keeps_what_it_has_and_goes_on_later(tmp_path: Path) -> None:
    root = filled(tmp_path / "Maildir")
    with faulty_disk() as disk:
        store = await open_store(tmp_path / "data")
        account = await store.account(await store.directory.add("linda", {}))
        stopped = importer(account, root, StopsAt(500, lambda: disk.fails_while(lambda: True)))
        with pytest.raises(Refused) as refused:
            await stopped.run()
        assert refused.value.code is Code.DISKFULL
        disk.works()
        assert (await account.mailbox("INBOX")).messages == stopped.result.added >= 500
        done = await imported(account, MaildirSource(root, LIMITS))
        assert done.result.added == MESSAGES - stopped.result.added
        assert [each.uid for each in await mail_of(account)] == [*range(1, MESSAGES + 1)]
        await store.close()


async def test_an_account_that_gets_full_has_as_much_as_fits(account: Account, tmp_path: Path) -> None:
    root = filled(tmp_path / "Maildir", 50)
    await account.quota.set_limits({Resource.MESSAGE: 33})
    stopped = importer(account, root, Quiet())
    with pytest.raises(Refused) as refused:
        await stopped.run()
    assert refused.value.code is Code.OVERQUOTA
    assert stopped.result.added == (await account.mailbox("INBOX")).messages == 33
    await account.quota.set_limits({})
    await imported(account, MaildirSource(root, LIMITS))
    assert [each.uid for each in await mail_of(account)] == [*range(1, 51)]


async def test_two_imports_at_once_bring_each_message_once(account: Account, tmp_path: Path) -> None:
    root = filled(tmp_path / "Maildir")
    one, other = importer(account, root, Quiet()), importer(account, root, Quiet())
    await asyncio.gather(one.run(), other.run())
    assert one.result.added + other.result.added == MESSAGES
    assert [each.uid for each in await mail_of(account)] == [*range(1, MESSAGES + 1)]


class Server:
    """A source that answers as a server does that loses its connection in the middle."""

    def __init__(self, messages: int, fails_at: int = 0) -> None:
        self._messages, self._fails_at = messages, fails_at
        self.read_messages = 0

    async def mailboxes(self, tell: Tell) -> Sequence[SourceMailbox]:
        return [
            SourceMailbox(name, name, UidValidity(77), Uid(1000), messages=self._messages) for name in ("INBOX", "Old")
        ]

    async def heads(self, mailbox: SourceMailbox, tell: Tell) -> AsyncGenerator[Sequence[Head], None]:
        for start in range(1, self._messages + 1, 10):
            yield [Head(f"UID {uid}", Uid(uid)) for uid in range(start, start + 10)]

    async def read(
        self, mailbox: SourceMailbox, heads: Sequence[Head], spool: Callable[[], Spool]
    ) -> AsyncGenerator[Sequence[Read], None]:
        for head in heads:
            self.read_messages += 1
            if self.read_messages == self._fails_at:
                raise CannotRead(Text("the connection was lost"))
            made = spool()
            made.write(b"Subject: %d\r\n\r\n" % (head.uid or 0))
            yield [(head, made)]

    async def close(self) -> None:
        pass


async def test_a_mailbox_that_ends_in_the_middle_is_told_and_the_others_go_on(account: Account) -> None:
    done = await imported(account, Server(30, fails_at=25))
    assert done.told == [("INBOX", "the connection was lost")]
    assert (await account.mailbox("Old")).messages == 30
    assert (await account.mailbox("INBOX")).uidnext < 1000, "later messages must still get their UIDs"
    again = Server(30)
    done = await imported(account, again)
    assert again.read_messages < 60 - 24
    assert [each.uid for each in await mail_of(account)] == [*range(1, 31)]
    assert (await account.mailbox("INBOX")).uidnext == 1000


async def test_mail_that_came_before_is_not_mixed_up_with_that_of_the_source(account: Account) -> None:
    await account.append((await account.mailbox("INBOX")).id, [incoming()])
    done = await imported(account, Server(10))
    assert len(done.told) == 1
    assert (await account.mailbox("INBOX")).messages == 11
    assert (await account.mailbox("Old")).uidvalidity == 77


async def test_messages_are_prepared_in_another_process_as_here() -> None:
    octets = [message(f"number {number}").replace(b"\n", b"\r\n") for number in range(5)]
    async with Preparing(LIMITS, None) as preparing:
        assert await preparing.arrivals(octets) == [prepare(each) for each in octets]


async def test_messages_are_prepared_here_when_the_process_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    octets = [b"Subject: x\r\n\r\ntext\r\n"]
    async with Preparing(LIMITS, None) as preparing:
        await preparing.arrivals(octets)
        processes = preparing._processes._processes  # type: ignore[union-attr]
        for process in processes.values():
            process.kill()
        assert await preparing.arrivals(octets) == [prepare(each) for each in octets]
        assert await preparing.arrivals(octets) == [prepare(each) for each in octets]


async def test_a_batch_is_bounded(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH_BYTES", 5000)
    root = folder(tmp_path / "Maildir")
    for number in range(20):
        put(root, f"{number}.host:2,", message(f"number {number}", "x" * 1000))
    progress = Quiet()
    await importer(account, root, progress).run()
    assert (progress.messages, progress.done) == (20, 20)
    assert (await account.mailbox("INBOX")).messages == 20
