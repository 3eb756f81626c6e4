"""A check names each kind of damage, and finds nothing where there is none."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import apsw
import pytest

from mektup.store.adoption import Adopted
from mektup.store.columns import HeaderFields
from mektup.store.rules.consistency import Finding, Kind
from mektup.store.sqlite import Report, check_all, open_store
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import AccountId, ModSeq, Uid, UidValidity
from mektup.terms.search import InText
from tests.contract.mail import EVERYTHING, fetched, incoming, raw, uids
from tests.store.sqlite.conftest import Book, file_of, make_older

TEXT = "Bir satır metin, yeterince uzun olsun diye biraz daha sözcük\r\n"


class Quiet:
    """A progress that nobody sees."""

    def begin(self, name: str, messages: int) -> None:
        pass

    def advance(self, messages: int) -> None:
        pass


def checked(data: Path, *names: str, quick: bool = False) -> list[Report]:
    return list(check_all(data, names, DEFAULT_LIMITS, Quiet(), quick=quick))


def found(data: Path, *, quick: bool = False) -> list[Finding]:
    return [each for report in checked(data, quick=quick) for each in report.findings]


def kinds(data: Path) -> set[Kind]:
    return {each.kind for each in found(data)}


async def made(data: Path, compression: int | None = None) -> AccountId:
    """A data directory with an account that has used everything."""
    store = await open_store(data, compression=compression)
    account = await store.account(await store.directory.add("linda", {"password": "{PLAIN}x"}))
    inbox = (await account.mailbox("INBOX")).id
    await account.append(
        inbox, [incoming("\\Seen", octets=raw(f"number {number}", TEXT * (number % 40))) for number in range(1, 141)]
    )
    await account.create("Work/Letters")
    await account.subscribe("Work/Letters")
    await account.append(inbox, [incoming("$Work", "$Letter", octets=raw("two words", TEXT * 5000))])
    await account.store_flags(inbox, uids(3, 4, 9), FlagChange.ADD, frozenset({"\\Deleted", "$Work"}))
    await account.copy(inbox, uids(1, 2, 3, 40), "Work/Letters")
    await account.expunge(inbox, None)
    await account.move(inbox, uids(20, 21), "Archive")
    await account.create("Old")
    await account.delete("Old")
    await account.unsubscribe("Junk")
    taken = await account.adopt_mailbox("Junk", UidValidity(1234567890), Uid(1), highestmodseq=ModSeq(5_000_000))
    await account.adopt(taken.id, [Adopted(incoming("$Taken"), Uid(uid), key=b"%d" % uid) for uid in (5, 6, 90)])
    await account.adopt_mailbox("Junk", UidValidity(1234567890), Uid(100), highestmodseq=ModSeq(6_000_000))
    await fetched(account, inbox, uids(*range(1, 129)), HeaderFields(frozenset({b"from", b"subject"})))
    while await account.database.read_long(lambda cursor: cursor.execute("SELECT count(*) FROM search_texts").get) == 0:
        await account.indexer.finish()
    await account.indexer.finish()
    await store.close()
    return account.id


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AccountId]:
    """An account that tests copy, because making it takes longer than checking it."""
    data = tmp_path_factory.mktemp("original") / "data"
    return data, asyncio.run(made(data))


@pytest.fixture
def linda(data: Path, original: tuple[Path, AccountId]) -> AccountId:
    shutil.copytree(original[0], data)
    return original[1]


def change(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.execute(sql)
    finally:
        connection.close()


@pytest.mark.parametrize("compression", [None, 3])
async def test_an_account_that_has_used_everything_is_clean(data: Path, compression: int | None) -> None:
    await made(data, compression)
    reports = checked(data)
    assert [(report.name, report.findings) for report in reports] == [("", ()), ("linda", ())]
    assert reports[1].messages == 145
    assert reports[1].size > 400_000
    assert found(data, quick=True) == []


INBOX = "(SELECT id FROM mailboxes WHERE name = 'INBOX')"

DAMAGES = [
    (Kind.COUNTERS, "UPDATE mailboxes SET messages = messages + 1 WHERE name = 'INBOX'"),
    (Kind.COUNTERS, "UPDATE mailboxes SET unseen = 7 WHERE name = 'INBOX'"),
    (Kind.COUNTERS, "UPDATE mailboxes SET deleted = deleted + 1"),
    (Kind.COUNTERS, "UPDATE mailboxes SET size = -1 WHERE name = 'Archive'"),
    (Kind.COUNTERS, "UPDATE mailboxes SET recent = 1000 WHERE name = 'Archive'"),
    (Kind.UIDNEXT, "UPDATE mailboxes SET uidnext = 5 WHERE name = 'INBOX'"),
    (Kind.MODSEQ, "UPDATE mailboxes SET highestmodseq = 1 WHERE name = 'INBOX'"),
    (Kind.MODSEQ, "UPDATE account SET modseq = 1, closed = 1"),
    (Kind.NUMBERS, "UPDATE account SET uidvalidity = 1"),
    (Kind.NUMBERS, "UPDATE account SET content = 3"),
    (Kind.NUMBERS, "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'mailboxes'"),
    (Kind.FLAGS, f"UPDATE messages SET flags = flags | 7 << 10 WHERE mailbox = {INBOX} AND uid = 1"),
    (Kind.FLAGS, "DELETE FROM keyword_sets"),
    (Kind.KEYWORDS, "UPDATE mailboxes SET keywords = '' WHERE name = 'INBOX'"),
    (Kind.CHANGED_RUNS, "UPDATE mailboxes SET runs = runs + 1 WHERE name = 'INBOX'"),
    (Kind.CHANGED_RUNS, f"DELETE FROM touched WHERE mailbox = {INBOX}"),
    (Kind.CHANGED_RUNS, f"UPDATE touched SET last = last + 5000000 WHERE mailbox = {INBOX}"),
    (Kind.EXPUNGED_RUNS, "DELETE FROM expunged"),
    (Kind.EXPUNGED_RUNS, f"INSERT INTO expunged VALUES ({INBOX}, 5, 1, 2)"),
    (Kind.EXPUNGED_RUNS, f"INSERT INTO expunged VALUES ({INBOX}, 5, 5000000, 5000001)"),
    (Kind.TREE, "DELETE FROM mailboxes WHERE name = 'Work'"),
    (Kind.TREE, "UPDATE mailboxes SET name = 'Not the inbox' WHERE name = 'INBOX'"),
    (Kind.MAILBOX_NAME, "UPDATE mailboxes SET name = 'a' || char(7) WHERE name = 'Archive'"),
    (Kind.MAILBOX_NAME, "UPDATE mailboxes SET name = 'inbox/below' WHERE name = 'Archive'"),
    (Kind.METADATA, "INSERT INTO metadata VALUES (1 << 40, '', '/shared/comment', 1, 'x')"),
    (Kind.METADATA, "INSERT INTO metadata VALUES (0, '', '/Shared/comment', 1, 'x')"),
    (Kind.METADATA, "INSERT INTO metadata VALUES (0, '', '/shared/comment', 1 << 40, 'x')"),
    (Kind.QUOTA, "INSERT INTO quota VALUES ('ACRES', 1)"),
    (Kind.QUOTA, "INSERT INTO quota VALUES ('STORAGE', -1)"),
    (Kind.RETAINED, "UPDATE account SET retained = retained + 1"),
    (
        Kind.RETAINED,
        "INSERT INTO retained SELECT NULL, mailbox, uid, flags, modseq, 1 << 39, size, arrived, zone, internaldate, "
        "saved, removed, 0 FROM retained LIMIT 1",
    ),
    (Kind.RETAINED, "UPDATE retained SET flags = flags | 7 << 10"),
    (Kind.RETAINED, "UPDATE retained SET moved = 2"),
    (Kind.RETAINED, "INSERT INTO past_flags VALUES (1, 1, 1, 2, 1, 1)"),
    (Kind.LOG, "UPDATE account SET log_floor = 1 << 60"),
    (Kind.LOG, "UPDATE tombstones SET modseq = modseq + (1 << 60)"),
    (Kind.LOG, "INSERT INTO tombstones SELECT changed, id, name, mailboxid, 1 FROM mailboxes LIMIT 1"),
    (Kind.LOG, "INSERT INTO tombstones SELECT changed, 0, name, '', 0 FROM subscriptions LIMIT 1"),
    (Kind.LOG, "UPDATE mailboxes SET created = changed + 1"),
    (Kind.NO_MAILBOX, f"DELETE FROM mailboxes WHERE id = {INBOX}"),
    (Kind.NO_MAILBOX, "UPDATE mailboxes SET selectable = 0 WHERE name = 'Work/Letters'"),
    (Kind.LEFT_OVER, "INSERT INTO expunged VALUES (999, 1, 1, 1)"),
    (Kind.LEFT_OVER, "INSERT INTO access VALUES (999, 'anyone', 'lr')"),
    (Kind.LEFT_OVER, "INSERT INTO imported VALUES (999, x'00')"),
    (Kind.LEFT_OVER, "INSERT INTO touched VALUES (999, 1, 1, 1, 0, 0)"),
    (Kind.LEFT_OVER, "UPDATE header_fields SET mailbox = 999"),
    (Kind.LEFT_OVER, "INSERT INTO freed SELECT id FROM contents LIMIT 1"),
    (Kind.LEFT_OVER, "INSERT INTO structures SELECT 999, body, bodystructure, layout FROM structures LIMIT 1"),
    (Kind.NO_CONTENT, "DELETE FROM contents WHERE id = 8"),
    (Kind.LOST_MESSAGE, "DELETE FROM contents WHERE id = 8"),
    (Kind.LOST_MESSAGE, "DELETE FROM messages WHERE content = 8"),
    (Kind.NO_DERIVED, "DELETE FROM structures WHERE content = 8"),
    (Kind.NO_DERIVED, "DELETE FROM texts WHERE content = 8"),
    (Kind.COPIES, "DELETE FROM shared"),
    (Kind.COPIES, "INSERT INTO shared VALUES (8, 1)"),
    (Kind.COPIES, "INSERT INTO shared VALUES (999, 1)"),
    (Kind.SIZE, "UPDATE messages SET size = size + 1 WHERE content = 8"),
    (Kind.DATE, "UPDATE messages SET arrived = arrived + 1024 WHERE content = 8"),
    (Kind.DATE, "UPDATE messages SET internaldate = x'00' WHERE content = 8"),
    (Kind.OCTETS, "DELETE FROM chunks WHERE id >> 12 = 8"),
    (Kind.OCTETS, "DELETE FROM chunks WHERE id = 141 << 12 | 2"),
    (Kind.OCTETS, "UPDATE chunks SET octets = upper(octets) WHERE id >> 12 = 8"),
    (Kind.OCTETS, "UPDATE chunks SET packed = 1 WHERE id >> 12 = 8"),
    (Kind.OCTETS, "UPDATE contents SET header_size = 10 WHERE id = 8"),
    (Kind.OCTETS, "UPDATE contents SET digest = x'' WHERE id = 8"),
    (Kind.OCTETS, "UPDATE contents SET size = -1 WHERE id = 8"),
    (Kind.RENDERED, "UPDATE contents SET envelope = x'28' WHERE id = 8"),
    (Kind.RENDERED, "UPDATE structures SET layout = body WHERE content = 8"),
    (Kind.RENDERED, "UPDATE texts SET subject = 'something else' WHERE content = 8"),
    (Kind.HEADER_FIELDS, "UPDATE header_fields SET fields = x'00'"),
    (Kind.SEARCH_TEXT, "UPDATE search_texts SET bodies = x'00' WHERE first = (SELECT min(first) FROM search_texts)"),
    (Kind.SEARCH_TEXT, "UPDATE search_texts SET octets = octets + 1"),
    (Kind.SEARCH_TEXT, "UPDATE search_texts SET bodies = headers"),
    (Kind.TEXT_INDEX, "DELETE FROM trigrams WHERE rowid = 4"),
    (Kind.TEXT_INDEX, "INSERT INTO trigrams (trigrams) VALUES ('delete-all')"),
    (Kind.TEXT_INDEX, "INSERT OR REPLACE INTO trigrams (rowid, document) VALUES (4, 'quite another text')"),
    (Kind.TEXT_INDEX, "INSERT INTO trigrams (rowid, document) VALUES (999, 'a document of nothing')"),
    (Kind.TEXT_INDEX, "UPDATE trigrams_data SET block = zeroblob(30) WHERE id > 100"),
    (Kind.LOOKUP, "DROP INDEX messages_by_content"),
    (Kind.TABLES, "DROP TABLE shared"),
    (Kind.TABLES, "ALTER TABLE mailboxes DROP COLUMN recent_from"),
    (Kind.NEWER, "PRAGMA user_version = 1000"),
    (Kind.NOT_OURS, "PRAGMA application_id = 1000"),
    (Kind.UNFINISHED, "DELETE FROM account"),
    (Kind.OTHER_ACCOUNT, "UPDATE account SET name = 'fred'"),
    (Kind.NOT_CHECKED, "UPDATE mailboxes SET uidnext = 'x' WHERE name = 'INBOX'"),
]
"""The kind of finding, and a statement that makes the damage."""


@pytest.mark.parametrize(("kind", "sql"), DAMAGES)
def test_each_kind_of_damage_is_named(data: Path, linda: AccountId, kind: Kind, sql: str) -> None:
    path = file_of(data, linda)
    change(path, sql)
    assert kind in kinds(data)


def test_every_kind_of_damage_of_an_account_has_a_case() -> None:
    of_files = {"DAMAGED", "OLDER", "UNREADABLE", "IN_USE", "CUT_OFF", "WAL_LOST", "FILE_MISSING", "FILE_UNKNOWN"}
    of_directory = {"OLDER_COPY", "ACCESS", "SECRETS", "NAME", "TLS_PAIR"}
    assert {kind.name for kind, _ in DAMAGES} | of_files | of_directory == {kind.name for kind in Kind}


def test_an_index_that_differs_from_its_table_is_named(data: Path, linda: AccountId) -> None:
    change(
        file_of(data, linda),
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '(content)', '(size)') "
        "WHERE name = 'messages_by_content'",
    )
    assert Kind.LOOKUP in kinds(data)


# Files


def test_an_older_file_is_named(data: Path, linda: AccountId) -> None:
    make_older(file_of(data, linda), 3)
    assert kinds(data) == {Kind.OLDER}


def test_a_missing_and_an_unknown_file_are_named(data: Path, linda: AccountId) -> None:
    path = file_of(data, linda)
    path.rename(path.with_name(f"{'0' * 32}.db"))
    assert kinds(data) == {Kind.FILE_MISSING, Kind.FILE_UNKNOWN}


@pytest.mark.parametrize("size", [0, 10, 5000, 100_000])
def test_a_file_that_was_cut_off_is_named(data: Path, linda: AccountId, size: int) -> None:
    os.truncate(file_of(data, linda), size)
    assert kinds(data) & {Kind.DAMAGED, Kind.NOT_OURS}


def test_a_file_that_is_no_database_is_named(data: Path, linda: AccountId) -> None:
    file_of(data, linda).write_bytes(b"This is not a database. " * 1000)
    assert kinds(data) == {Kind.DAMAGED}


def test_a_file_that_another_program_has_locked_is_named(
    data: Path, linda: AccountId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mektup.store.sqlite.file.inspection.BUSY_MS", 1)
    other = apsw.Connection(str(file_of(data, linda)))
    other.execute("PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE; UPDATE account SET modseq = modseq").fetchall()
    assert kinds(data) == {Kind.IN_USE}
    other.close()


def test_files_that_others_can_read_are_named(data: Path, linda: AccountId) -> None:
    file_of(data, linda).chmod(0o644)
    (data / "mektup.db").chmod(0o660)
    assert [each.kind for each in found(data)] == [Kind.ACCESS, Kind.ACCESS]


def test_an_older_copy_and_wrong_entries_are_named(data: Path, linda: AccountId) -> None:
    change(data / "mektup.db", "UPDATE accounts SET seen = 1000000000000, secrets = '{', folded = 'lind'")
    assert kinds(data) == {Kind.OLDER_COPY, Kind.SECRETS, Kind.NAME}


def test_an_account_that_was_not_completely_added_is_named(data: Path, linda: AccountId) -> None:
    change(data / "mektup.db", "INSERT INTO unfinished VALUES ('aa')")
    assert kinds(data) == {Kind.UNFINISHED}


def test_accounts_are_checked_although_their_directory_is_damaged(data: Path, linda: AccountId) -> None:
    (data / "mektup.db").write_bytes(b"nonsense" * 1000)
    change(file_of(data, linda), "UPDATE mailboxes SET size = 1")
    assert kinds(data) >= {Kind.DAMAGED, Kind.COUNTERS}


# While it is used


async def test_a_check_while_the_account_is_used_finds_nothing_and_leaves_it_as_it_is(data: Path) -> None:
    await made(data)
    store = await open_store(data)
    entry = await store.directory.find("linda")
    assert entry is not None
    account = await store.account(entry)
    inbox = (await account.mailbox("INBOX")).id
    for number in range(3):
        appended = await account.append(inbox, [incoming(octets=raw(f"meanwhile {number}"))])
        assert await asyncio.to_thread(found, data) == []
    await account.remove(inbox, appended.uids)
    await store.close()
    assert found(data) == []
    assert not list(data.rglob("*-wal"))


async def test_a_wal_that_a_killed_process_left_stays_and_is_read(data: Path, tmp_path: Path) -> None:
    store = await open_store(data)
    account = await store.account(await store.directory.add("linda", {}))
    inbox = (await account.mailbox("INBOX")).id
    await account.append(inbox, [incoming()])
    path = Path(f"{file_of(data, account.id)}-wal")
    first = path.stat().st_size
    await account.append(inbox, [incoming()])
    await account.append(inbox, [incoming()])
    killed = tmp_path / "killed"
    shutil.copytree(data, killed)
    await store.close()
    wal = Path(f"{file_of(killed, account.id)}-wal")
    before = wal.read_bytes()
    (report,) = checked(killed, "linda")
    assert (report.findings, report.messages) == ((), 3)
    assert wal.read_bytes() == before
    with wal.open("r+b") as file:
        file.seek(first + 100)
        file.write(b"x" * 50)
    assert Kind.WAL_LOST in kinds(killed)


async def test_a_block_of_texts_that_cannot_be_read_is_a_fault_and_no_bug(data: Path, linda: AccountId) -> None:
    change(file_of(data, linda), "UPDATE search_texts SET bodies = x'00', headers = x'00'")
    book = Book()
    store = await open_store(data, faults=book)
    entry = await store.directory.find("linda")
    assert entry is not None
    account = await store.account(entry)
    inbox = (await account.mailbox("INBOX")).id
    with pytest.raises(Refused) as refused:
        await account.search(inbox, InText("sözcük"), EVERYTHING)
    assert refused.value.code is Code.CORRUPTION
    assert {fault.kind.label for fault in book.faults} == {"damaged"}
    await store.close()


def test_between_two_messages_a_check_holds_up_neither_a_writer_nor_a_checkpoint(data: Path, linda: AccountId) -> None:
    other = apsw.Connection(str(file_of(data, linda)))
    other.set_busy_timeout(0)
    done: list[int] = []

    class Writer(Quiet):
        def advance(self, messages: int) -> None:
            other.execute("UPDATE account SET modseq = modseq + 1")
            other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
            done.append(messages)

    (report,) = check_all(data, ("linda",), DEFAULT_LIMITS, Writer())
    other.close()
    assert (report.findings, sum(done)) == ((), 144)
