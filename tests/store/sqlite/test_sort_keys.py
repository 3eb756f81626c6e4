"""What is remembered for SORT and THREAD is bounded and current, and is read only when needed."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from mektup.store.arrival import prepare
from mektup.store.interface import Incoming
from mektup.store.memo import Memory
from mektup.store.sorting.sort_keys import Place, Remembered
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables import sort
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.store.sqlite.tables.sort import Question
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import MailboxId
from mektup.terms.search import All
from mektup.terms.sets import Uids
from mektup.terms.sorting import SortCriterion, SortKey, ThreadAlgorithm
from tests.store.sqlite.conftest import file_of

EVERYTHING: Uids = Uids.span(1, 2**32 - 1)
SUBJECT = (SortCriterion(SortKey.SUBJECT),)


@pytest.fixture
async def account(store: SqliteStore) -> SqliteAccount:
    return await store.account(await store.directory.add("linda", {}))


async def deliver(account: SqliteAccount, *subjects: str) -> MailboxId:
    mailbox = (await account.mailbox("INBOX")).id
    messages = [Incoming(prepare(f"Subject: {subject}\r\n\r\n".encode())) for subject in subjects]
    await account.append(mailbox, messages)
    return mailbox


class Asker:
    """Queries on a separate connection, which counts its statements."""

    def __init__(self, path: Path, place: Place, remembered: Remembered) -> None:
        self.connection = apsw.Connection(str(path))
        self.ran: list[str] = []
        self.connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: self.ran.append(event["sql"]))
        self._question = Question(place, All(), EVERYTHING, SqliteKeywordSets(), remembered)

    def sort(self) -> list[int]:
        return list(sort.sort(self.connection.cursor(), self._question, SUBJECT))

    def thread(self) -> list[int]:
        threads = sort.thread(self.connection.cursor(), self._question, ThreadAlgorithm.REFERENCES)
        return list(threads.uids)

    def read_messages(self) -> int:
        """How often messages were read since the last call."""
        count = sum("FROM messages" in each or "messages AS m" in each for each in self.ran)
        self.ran.clear()
        return count


async def test_messages_are_read_once(account: SqliteAccount, data: Path) -> None:
    mailbox = await deliver(account, "c", "a", "b")
    asker = Asker(file_of(data, account.id), (account.id, mailbox), Remembered(Memory(10**6)))
    assert asker.sort() == [2, 3, 1]
    assert asker.read_messages() > 0
    assert asker.sort() == [2, 3, 1]
    assert asker.read_messages() == 0
    await deliver(account, "aa")
    assert asker.sort() == [2, 4, 3, 1]
    assert asker.read_messages() > 0
    await account.remove(mailbox, Uids.span(3, 3))
    assert asker.sort() == [2, 4, 1]
    assert asker.read_messages() == 0, "what is gone is told by the table of what is gone"
    asker.connection.close()


async def test_a_question_is_answered_of_its_own_moment(account: SqliteAccount, data: Path) -> None:
    mailbox = await deliver(account, "c", "a")
    remembered = Remembered(Memory(10**6))
    early, late = (Asker(file_of(data, account.id), (account.id, mailbox), remembered) for _ in range(2))
    early.connection.execute("BEGIN; SELECT count(*) FROM messages").fetchall()
    await deliver(account, "b")
    await account.remove(mailbox, Uids.span(1, 1))
    assert late.sort() == [2, 3]
    assert late.thread() == [2, 3]
    assert early.sort() == [2, 1]
    assert early.thread() == [1, 2]
    assert late.sort() == [2, 3]
    assert late.thread() == [2, 3]
    early.connection.execute("COMMIT")
    assert early.sort() == [2, 3]
    for asker in (early, late):
        asker.connection.close()


async def test_texts_of_what_is_gone_do_not_pile_up(account: SqliteAccount, data: Path) -> None:
    mailbox = await deliver(account, "kept")
    place = (account.id, mailbox)
    remembered = Remembered(Memory(10**7))
    asker = Asker(file_of(data, account.id), place, remembered)
    sizes = []
    for turn in range(6):
        await deliver(account, *[f"{turn} {number} {'x' * 100}" for number in range(50)])
        assert len(asker.sort()) == 51
        sizes.append(remembered.get(place).octets)
        await account.remove(mailbox, Uids.span(2, 2**32 - 1))
        assert asker.sort() == [1]
    assert max(sizes) < 2 * sizes[0]
    asker.connection.close()


async def test_a_damaged_file_gives_no_wrong_order(account: SqliteAccount, data: Path) -> None:
    mailbox = await deliver(account, "c", "a", "b")
    asker = Asker(file_of(data, account.id), (account.id, mailbox), Remembered(Memory(10**6)))
    asker.connection.execute("DELETE FROM texts WHERE base_subject = 'a'")
    with pytest.raises(Refused) as refusal:
        asker.sort()
    assert refusal.value.code is Code.CORRUPTION
    asker.connection.close()
