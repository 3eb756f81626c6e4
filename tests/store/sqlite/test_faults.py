"""A disk that fails at each of its operations in turn: what a process remembers then agrees with the file."""

from __future__ import annotations

import asyncio
import os
import resource
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from mektup.store.columns import Column
from mektup.store.faults import Kind
from mektup.store.interface import Account, FlagOrder
from mektup.store.sqlite import open_store
from mektup.store.sqlite.file import wal_sync
from mektup.store.sqlite.file.database import Database
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId
from mektup.terms.search import HasFlag, InText
from mektup.terms.sets import Uids
from mektup.terms.sorting import SortCriterion, SortKey
from tests.contract.mail import EVERYTHING, entry_of, fetched, fill, flags_of, inbox, incoming, raw, uids
from tests.store.sqlite.conftest import Book, file_of
from tests.support.faulty_disk import FaultyDisk, Raise, failed, faulty_disk, full, no_memory

MANY = 300
QUIET = Limits(text_index=False)
"""Without the index only the test itself causes writes."""
KEYWORDS = ("$One", "$Two", "$Three", "$Four", "$Junk")

Doing = Callable[[Account, MailboxId], Awaitable[object]]


async def store_one(account: Account, mailbox: MailboxId) -> None:
    await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"$One", "\\Flagged"}))


async def store_replacing(account: Account, mailbox: MailboxId) -> None:
    await account.store_flags(mailbox, uids(2, 3), FlagChange.REPLACE, frozenset({"$TWO", "\\Deleted"}))


async def store_many(account: Account, mailbox: MailboxId) -> None:
    await account.store_flags(mailbox, EVERYTHING, FlagChange.ADD, frozenset({"$three"}))


async def store_in_turn(account: Account, mailbox: MailboxId) -> None:
    orders = [
        FlagOrder(uids(4), FlagChange.ADD, frozenset({"$Four"})),
        FlagOrder(uids(5), FlagChange.ADD, frozenset({"$One"})),
    ]
    await account.store_flags_in_turn(mailbox, orders)


async def append(account: Account, mailbox: MailboxId) -> None:
    await account.append(mailbox, [incoming("$Junk"), incoming("$junk", "$One")])


async def append_large(account: Account, mailbox: MailboxId) -> None:
    await account.append(mailbox, [incoming("$Four", octets=raw(text="large " * 60_000))])


async def copy(account: Account, mailbox: MailboxId) -> None:
    await account.copy(mailbox, uids(1, 2), "Archive")


async def move(account: Account, mailbox: MailboxId) -> None:
    await account.move(mailbox, uids(1, 3), "Archive")


async def expunge(account: Account, mailbox: MailboxId) -> None:
    await account.expunge(mailbox, uids(2, 7))


async def remove(account: Account, mailbox: MailboxId) -> None:
    await account.remove(mailbox, uids(4, 5))


async def create(account: Account, mailbox: MailboxId) -> None:
    await account.create("a/b/c")


async def rename(account: Account, mailbox: MailboxId) -> None:
    await account.rename("Archive", "Old/Archive")


async def rename_inbox(account: Account, mailbox: MailboxId) -> None:
    await account.rename("INBOX", "Old")


async def delete(account: Account, mailbox: MailboxId) -> None:
    await account.delete("Archive")


async def subscribe(account: Account, mailbox: MailboxId) -> None:
    await account.subscribe("news")


async def select(account: Account, mailbox: MailboxId) -> None:
    await account.select("INBOX", claim_recent=True)


FEW = (
    store_one,
    store_replacing,
    store_in_turn,
    append,
    copy,
    move,
    expunge,
    remove,
    create,
    rename,
    delete,
    subscribe,
    select,
)
LONG = (store_many, append_large, rename_inbox)


async def told_by(account: Account, mailbox: MailboxId) -> None:
    await told(account)


async def fetch_all(account: Account, mailbox: MailboxId) -> None:
    for _, content in await fetched(account, mailbox, uids(1, 2), Column.CONTENT):
        assert b"".join([piece async for piece in account.content(content, 0, 2**20)]).startswith(b"Date: ")


async def search_all(account: Account, mailbox: MailboxId) -> None:
    assert (await account.search(mailbox, InText("eight"), EVERYTHING)).uids == Uids.span(1, MANY)


async def sort_all(account: Account, mailbox: MailboxId) -> None:
    assert (
        len((await account.sort(mailbox, InText("eight"), EVERYTHING, [SortCriterion(SortKey.SUBJECT)])).uids) == MANY
    )


async def furnish(account: Account) -> None:
    """The data with which every test begins."""
    if "Archive" not in {mailbox.name for mailbox in await account.mailboxes()}:
        await account.create("Archive")
    mailbox = await fill(account, MANY, "$Old")
    await account.store_flags(mailbox, uids(2, 7), FlagChange.ADD, frozenset({"\\Deleted"}))


async def told(account: Account) -> dict[str, Any]:
    """Everything that an account returns about its mail."""
    found: dict[str, Any] = {"subscriptions": await account.subscriptions()}
    for mailbox in await account.mailboxes():
        if not mailbox.selectable:
            found[mailbox.name] = mailbox
            continue
        selection = await account.select(mailbox.name, claim_recent=False)
        flags = await flags_of(account, mailbox.id)
        having = {
            keyword: tuple((await account.search(mailbox.id, HasFlag(keyword), selection.uids)).uids)
            for keyword in KEYWORDS
        }
        found[mailbox.name] = mailbox, selection, flags, having
        for keyword, messages in having.items():
            named = [uid for uid, names in flags.items() if keyword.lower() in {name.lower() for name in names}]
            assert list(messages) == named
    return found


@pytest.fixture
def disk() -> Any:
    with faulty_disk() as disk:
        yield disk


@pytest.fixture
async def account(disk: FaultyDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Account]:
    monkeypatch.setattr(wal_sync, "MENDING_SECONDS", 0.0)
    store = await open_store(tmp_path / "data", limits=QUIET)
    account = await store.account(await store.directory.add("linda", {}))
    await furnish(account)
    yield account
    disk.works()
    await store.close()


async def agrees_with_the_file(account: Account, data: Path) -> None:
    """The account's process returns the same as a process that remembers nothing."""
    store = await open_store(data)
    try:
        assert await told(account) == await told(await store.account(entry_of(account)))
    finally:
        await store.close()


@pytest.mark.parametrize("error", [full, failed, no_memory])
@pytest.mark.parametrize("doing", FEW + LONG)
async def test_remembered_state_is_committed_state(
    account: Account, disk: FaultyDisk, tmp_path: Path, doing: Doing, error: Raise
) -> None:
    mailbox = await inbox(account)
    before = await told(account)
    number, step = 1, 1 if doing in FEW and error is full else 7
    while True:
        disk.fails_at(number, error)
        refusal: Refused | None = None
        try:
            await doing(account, mailbox)
        except Refused as refused:
            refusal = refused
        has_failed = disk.failures > 0
        disk.works()
        if not has_failed:
            break
        if refusal is not None:
            assert refusal.code in (Code.DISKFULL, Code.UNAVAILABLE)
            assert await told(account) == before
        await agrees_with_the_file(account, tmp_path / "data")
        if refusal is None:
            break  # the change was made: a checkpoint after it failed
        number += step
    assert number > 1 or doing is select
    await agrees_with_the_file(account, tmp_path / "data")


READING = (told_by, fetch_all, search_all, sort_all)


@pytest.mark.parametrize("begin", [FaultyDisk.fails_to_read_at, FaultyDisk.fails_to_open_at])
@pytest.mark.parametrize("doing", FEW + LONG + READING)
async def test_failed_reads_and_openings_are_refused_and_change_nothing(
    account: Account, disk: FaultyDisk, tmp_path: Path, doing: Doing, begin: Callable[[FaultyDisk, int], None]
) -> None:
    mailbox = await inbox(account)
    before = await told(account)
    number = 1
    while True:
        await account.database.release()  # type: ignore[attr-defined]  # nothing is in a cache
        begin(disk, number)
        refusal: Refused | None = None
        try:
            await doing(account, mailbox)
        except Refused as refused:
            refusal = refused
        has_failed = disk.failures > 0
        disk.works()
        if not has_failed:
            break
        if refusal is not None:
            assert refusal.code is Code.UNAVAILABLE
            assert await told(account) == before
        await agrees_with_the_file(account, tmp_path / "data")
        if refusal is None and doing not in READING:
            break  # the change was made: follow-up work failed
        number = number + 1 if number < 4 else number * 3 // 2
    assert number > 1
    await agrees_with_the_file(account, tmp_path / "data")


@pytest.mark.parametrize("doing", FEW + LONG)
async def test_a_statement_that_ends_the_transaction_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, doing: Doing
) -> None:
    left = 0
    connect = Database._connect

    def counted(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        nonlocal left
        connection = cursor.connection
        if left and connection.in_transaction and not sql.startswith("ROLLBACK"):
            left -= 1
            if not left:
                # SQLite rolls back by itself when the disk is full (its documentation: "Response To Errors Within A
                # Transaction")
                connection.exec_trace = None
                connection.execute("ROLLBACK")
                connection.exec_trace = counted
                raise apsw.FullError("no room, says the test")
        return True

    def traced(self: Database, busy_ms: int, cache_kib: int) -> apsw.Connection:
        connection = connect(self, busy_ms, cache_kib)
        connection.exec_trace = counted
        return connection

    monkeypatch.setattr(Database, "_connect", traced)
    store = await open_store(tmp_path / "data", limits=QUIET)
    account = await store.account(await store.directory.add("linda", {}))
    await furnish(account)
    mailbox = await inbox(account)
    before = await told(account)
    number, step = 1, 1 if doing in FEW else 5
    while True:
        left = number
        with suppress(Refused):
            await doing(account, mailbox)
        if left:
            left = 0
            break
        assert await told(account) == before or doing is select
        await agrees_with_the_file(account, tmp_path / "data")
        number += step
    assert number > 1
    await agrees_with_the_file(account, tmp_path / "data")
    await store.close()


@pytest.mark.parametrize("error", [full, failed, no_memory])
async def test_a_keyword_that_was_refused_is_not_taken_for_another(
    account: Account, disk: FaultyDisk, tmp_path: Path, error: Raise
) -> None:
    mailbox = await inbox(account)
    disk.fails_at(1, error)
    with pytest.raises(Refused):
        await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"$Important"}))
    disk.works()
    await account.store_flags(mailbox, uids(3), FlagChange.ADD, frozenset({"$JUNK"}))
    await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"$important"}))
    assert await flags_of(account, mailbox, uids(1, 3)) == {1: {"$Old", "$important"}, 3: {"$Old", "$JUNK"}}
    await agrees_with_the_file(account, tmp_path / "data")


async def test_keywords_that_are_lost_make_no_mailbox_unreadable(tmp_path: Path) -> None:
    # an older mektup could leave flag words that name no set of keywords
    book = Book()
    store = await open_store(tmp_path / "data", limits=QUIET, faults=book)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 5, "$Lost", "\\Seen")
    await account.store_flags(mailbox, uids(2), FlagChange.REPLACE, frozenset({"$Kept"}))
    await store.close()
    file = apsw.Connection(str(file_of(tmp_path / "data", account.id)))
    file.execute(
        "DELETE FROM keyword_sets WHERE names = '$Lost'; UPDATE messages SET flags = flags + (7 << 5) WHERE uid = 3"
    )
    file.close()

    store = await open_store(tmp_path / "data", limits=QUIET, faults=book)
    account = await store.account(entry_of(account))
    before = await account.select("INBOX", claim_recent=False)
    assert await flags_of(account, mailbox) == {
        1: {"\\Seen"},
        2: {"$Kept"},
        3: {"\\Seen"},
        4: {"\\Seen"},
        5: {"\\Seen"},
    }
    assert (await account.search(mailbox, HasFlag("\\Seen"), EVERYTHING)).uids == uids(1, 3, 4, 5)
    assert not (await account.search(mailbox, HasFlag("$Lost"), EVERYTHING)).uids
    await account.copy(mailbox, uids(1, 2), "Archive")
    watch = account.watch(mailbox)
    while not watch.fired:
        await account.mailbox("INBOX")
        await asyncio.sleep(0)
    touched = await account.touched(mailbox, before.mailbox.highestmodseq)
    assert touched.changed == uids(1, 3, 4, 5)
    assert [(fault.kind, fault.account, fault.lasts) for fault in book.faults] == [(Kind.DAMAGED, "linda", False)]
    # and new keywords do not get the lost numbers
    await account.store_flags(mailbox, uids(2), FlagChange.REPLACE, frozenset({"$Junk"}))
    await account.store_flags(mailbox, uids(2), FlagChange.REPLACE, frozenset({"$Other"}))
    assert await flags_of(account, mailbox) == {
        1: {"\\Seen"},
        2: {"$Other"},
        3: {"\\Seen"},
        4: {"\\Seen"},
        5: {"\\Seen"},
    }
    await store.close()
    words = apsw.Connection(str(file_of(tmp_path / "data", account.id)))
    assert (
        words.execute(
            "SELECT count(*) FROM messages WHERE flags >> 5 NOT IN (SELECT id FROM keyword_sets) AND flags > 31"
        ).get
        == 0
    )
    words.close()


async def test_keywords_that_are_lost_do_not_become_others(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "data", limits=QUIET)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 3)
    await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"$Important"}))
    await store.close()
    file = apsw.Connection(str(file_of(tmp_path / "data", account.id)))
    file.execute("DELETE FROM keyword_sets")
    file.close()
    store = await open_store(tmp_path / "data", limits=QUIET)
    account = await store.account(entry_of(account))
    # before the account is read
    await account.store_flags(mailbox, uids(2), FlagChange.ADD, frozenset({"$Junk"}))
    assert await flags_of(account, mailbox) == {1: set(), 2: {"$Junk"}, 3: set()}
    await store.close()


async def test_too_few_descriptors_are_reported(tmp_path: Path) -> None:
    book = Book()
    store = await open_store(tmp_path / "data", limits=QUIET, faults=book)
    account = await store.account(await store.directory.add("linda", {}))
    await fill(account, 1)
    await account.database.release()  # type: ignore[attr-defined]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 8, hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(Refused) as caught:
            await account.mailbox("INBOX")
    finally:
        for file in taken:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.code is Code.UNAVAILABLE
    assert [fault.kind for fault in book.faults] == [Kind.DESCRIPTORS]
    assert (await account.mailbox("INBOX")).messages == 1
    await store.close()


async def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    book = Book()
    store = await open_store(tmp_path / "data", limits=QUIET, faults=book)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(Refused) as caught:
            await account.append(mailbox, [incoming("$New", octets=raw(text="x" * 1_000_000))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code is Code.DISKFULL
    assert [fault.kind for fault in book.faults] == [Kind.FULL]
    await account.append(mailbox, [incoming("$Other")])
    await agrees_with_the_file(account, tmp_path / "data")
    await store.close()


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _of_another_program(file: Path) -> None:
    with apsw.Connection(str(file)) as connection:
        connection.pragma("application_id", 7)


def _of_tomorrow(file: Path) -> None:
    with apsw.Connection(str(file)) as connection:
        connection.pragma("user_version", 99)


@pytest.mark.parametrize(
    ("change", "kind", "code", "reason"),
    [
        (_empty, Kind.DAMAGED, Code.CORRUPTION, "its application_id is 0x0"),
        (_of_another_program, Kind.DAMAGED, Code.CORRUPTION, "its application_id is 0x7"),
        (_of_tomorrow, Kind.NEWER, Code.UNAVAILABLE, "it has version 99"),
    ],
)
async def test_a_file_that_is_none_of_this_mektup_is_told_of(
    tmp_path: Path, change: Callable[[Path], None], kind: Kind, code: Code, reason: str
) -> None:
    store = await open_store(tmp_path / "data", limits=QUIET)
    account = await store.account(await store.directory.add("linda", {}))
    await store.close()
    change(file_of(tmp_path / "data", account.id))
    book = Book()
    store = await open_store(tmp_path / "data", limits=QUIET, faults=book)
    with pytest.raises(Refused) as caught:
        await store.account(entry_of(account))
    assert caught.value.code is code
    assert [(fault.kind, reason in str(fault.reason)) for fault in book.faults] == [(kind, True)]
    await store.close()
    for names in (_empty, _of_tomorrow):
        names(tmp_path / "data" / "mektup.db")
        with pytest.raises(Refused, match=r"mektup\.db: "):
            await open_store(tmp_path / "data", limits=QUIET, faults=book)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
@pytest.mark.parametrize("mode", [0o600, 0o644])
async def test_a_file_of_another_user_is_told_of_with_its_owner(mode: int) -> None:
    with tempfile.TemporaryDirectory(prefix="mektup-") as place:  # pytest's directories are closed to other users
        data = Path(place, "data")
        store = await open_store(data, limits=QUIET)
        account = await store.account(await store.directory.add("linda", {}))
        await store.close()
        file = file_of(data, account.id)
        for each in (Path(place), data, *data.rglob("*")):
            os.chown(each, 12345, 12345)
        os.chown(file, 0, 0)
        file.chmod(mode)
        book = Book()
        os.seteuid(12345)
        try:
            store = await open_store(data, limits=QUIET, faults=book)
            with pytest.raises(Refused) as caught:
                await fill(await store.account(entry_of(account)), 1)
            await store.close()
        finally:
            os.seteuid(0)
        assert caught.value.code is Code.UNAVAILABLE
        told = f"{file}: Permission denied; it belongs to root, mektup runs as user 12345"
        assert {(fault.kind, str(fault.reason)) for fault in book.faults} == {(Kind.DENIED, told)}
