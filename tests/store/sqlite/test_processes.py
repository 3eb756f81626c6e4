"""Several processes use the file of one account; some are killed."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import apsw
import pytest

from mektup.store.columns import Column
from mektup.store.interface import Account
from mektup.store.sqlite import open_store
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import Uid
from mektup.terms.sets import Uids
from tests.contract.mail import EVERYTHING, fetched, fill, flags_of, inbox, incoming, uids
from tests.store.sqlite.conftest import file_of


async def writer(data: Path, count: int) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.sqlite.writing_process", str(data), "linda", str(count), stdout=PIPE
    )


async def acknowledged(process: Process, most: int | None = None) -> list[tuple[str, int]]:
    """The changes that the process printed, until it ends or has printed *most* lines."""
    assert process.stdout is not None
    said: list[tuple[str, int]] = []
    while most is None or len(said) < most:
        line = await process.stdout.readline()
        if not line.endswith(b"\n"):
            break
        what, uid = line.decode().split()
        said.append((what, int(uid)))
    return said


async def check(account: Account) -> None:
    """Checks that counters, UIDs and octets agree."""
    selection = await account.select("INBOX", claim_recent=False)
    box = selection.mailbox
    rows = await fetched(account, box.id, EVERYTHING, Column.SIZE, Column.CONTENT)
    assert [row[0] for row in rows] == list(selection.uids)
    assert (box.messages, box.size) == (len(rows), sum(row[1] for row in rows))
    seen = [uid for uid, flags in (await flags_of(account, box.id)).items() if "\\Seen" in flags]
    assert box.unseen == len(rows) - len(seen)
    for _, size, content in rows:
        assert size == sum([len(piece) async for piece in account.content(content, 0, 2**40)])


def check_file(path: Path) -> None:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    assert connection.pragma("integrity_check") == "ok"
    held = "SELECT content FROM messages UNION ALL SELECT content FROM retained"
    orphans = f"SELECT count(*) FROM contents WHERE id NOT IN ({held})"
    assert connection.execute(orphans).get == 0
    assert connection.execute("SELECT count(*) FROM chunks WHERE id >> 12 NOT IN (SELECT id FROM contents)").get == 0
    connection.close()


@pytest.mark.parametrize("lines", [1, 7, 30, 61])
async def test_what_was_acknowledged_survives_a_kill(data: Path, lines: int) -> None:
    store = await open_store(data)
    entry = await store.directory.add("linda", {})
    await store.close()
    process = await writer(data, 10_000)
    said = await acknowledged(process, lines)
    process.kill()
    said += await acknowledged(process)
    await process.wait()
    assert len(said) >= lines

    store = await open_store(data)
    account = await store.account(entry)
    there = await flags_of(account, await inbox(account))
    for number, (what, uid) in enumerate(said):
        # The last change may have been made but not printed.
        is_last = number == len(said) - 1
        expunged = ("expunge", uid) in said
        if what == "append":
            assert (uid in there) != expunged or is_last
        elif what == "flag" and not expunged and (uid in there or not is_last):
            assert "\\Seen" in there[uid]
        elif what == "expunge":
            assert uid not in there
    assert set(there) <= {uid for _, uid in said} | {max(uid for _, uid in said) + 1}
    await check(account)
    await fill(account, 1)
    await check(account)
    await store.close()
    check_file(file_of(data, entry.id))


async def test_processes_that_write_the_same_mailbox(data: Path, store: SqliteStore) -> None:
    entry = await store.directory.add("linda", {})
    account = await store.account(entry)
    mailbox = await inbox(account)
    processes = [await writer(data, 40) for _ in range(2)]
    listening = [asyncio.create_task(acknowledged(process)) for process in processes]
    own: list[int] = []
    while not all(task.done() for task in listening):
        own += (await account.append(mailbox, [incoming()])).uids
        await account.store_flags(mailbox, uids(own[-1]), FlagChange.ADD, frozenset({"\\Flagged"}))
        await asyncio.sleep(0)
    said = [await task for task in listening]
    for process in processes:
        assert await process.wait() == 0
    appended = [uid for lines in said for what, uid in lines if what == "append"]
    assert len(appended) == 80
    assert len(set(appended) | set(own)) == len(appended) + len(own)
    expunged = {uid for lines in said for what, uid in lines if what == "expunge"}
    there = await flags_of(account, mailbox)
    assert set(there) == (set(appended) | set(own)) - expunged
    assert all("\\Flagged" in there[uid] for uid in own)
    await check(account)


async def test_one_process_sees_what_another_did_at_once(data: Path, store: SqliteStore) -> None:
    entry = await store.directory.add("linda", {})
    here = await store.account(entry)
    elsewhere_store = await open_store(data)  # another store shares only the files with the first
    there = await elsewhere_store.account(entry)
    mailbox = await fill(here, 3)
    known = await there.select("INBOX", claim_recent=False)
    assert known.uids == uids(1, 2, 3)
    for round in range(3):
        stored = await here.store_flags(mailbox, uids(2), FlagChange.REPLACE, frozenset({f"$Round{round}"}))
        await here.append(mailbox, [incoming()])
        assert await there.modseq(mailbox) == stored.modseq + 1
        changes = await there.changes(
            mailbox,
            since=known.mailbox.highestmodseq,
            expunged_since=known.mailbox.highestmodseq,
            uidnext=known.mailbox.uidnext,
            claim_recent=True,
        )
        assert [there.flag_names(word) for _, word, _ in changes.flags or ()] == [(f"$Round{round}",)]
        assert changes.arrived == changes.recent == Uids.span(4 + round, 4 + round)
        known = await there.select("INBOX", claim_recent=False)
        assert known.uids == Uids.span(1, 4 + round)
    await here.remove(mailbox, uids(1))
    assert Uid(1) not in (await there.select("INBOX", claim_recent=False)).uids
    # Both make sets of keywords, and neither mistakes a set of the other for its own.
    await here.store_flags(mailbox, uids(3), FlagChange.ADD, frozenset({"$Here"}))
    await there.store_flags(mailbox, uids(4), FlagChange.ADD, frozenset({"$There"}))
    await here.store_flags(mailbox, uids(5), FlagChange.ADD, frozenset({"$There", "$Here"}))
    expected = {2: {"$Round2"}, 3: {"$Here"}, 4: {"$There"}, 5: {"$There", "$Here"}, 6: set()}
    assert await flags_of(here, mailbox) == await flags_of(there, mailbox) == expected
    await elsewhere_store.close()


async def test_an_account_removed_elsewhere_ends_here(data: Path, store: SqliteStore) -> None:
    entry = await store.directory.add("linda", {})
    here = await store.account(entry)
    mailbox = await fill(here, 1)
    elsewhere_store = await open_store(data)
    await elsewhere_store.directory.remove("linda")
    await elsewhere_store.close()
    assert await store.directory.find("linda") is None
    for asking in (here.modseq(mailbox), here.append(mailbox, [incoming()]), here.create("new")):
        with pytest.raises(Refused):
            await asking
