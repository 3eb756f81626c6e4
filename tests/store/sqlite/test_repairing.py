"""A repair mends what a check finds, removes no mail, and a second check is clean."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from mektup.store.columns import Column
from mektup.store.interface import Account
from mektup.store.rules.consistency import RECOVERED, Kind, Mend
from mektup.store.sqlite import Report, check_all, open_store, repair
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.flags import FlagChange
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import AccountId
from mektup.terms.search import InText
from tests.contract.mail import EVERYTHING, fetched, flags_of, uids
from tests.store.sqlite.conftest import file_of
from tests.store.sqlite.test_checking import DAMAGES, Quiet, change, found, made

MENDED = [(kind, sql) for kind, sql in DAMAGES if kind.mend is Mend.REPAIR]

LOSES = ("chunks", "digest = x''", "FROM account")
"""Parts of statements after which mail is lost, or the octets are not those of the digest: only a backup helps."""


@dataclass(frozen=True)
class Original:
    """An account that tests copy, because making it takes long."""

    data: Path
    account: AccountId
    mail: set[bytes]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    data = tmp_path_factory.mktemp("original") / "data"
    return Original(data, asyncio.run(made(data)), asyncio.run(mail(data)))


@pytest.fixture
def path(data: Path, original: Original) -> Path:
    """The file of a copy of the account."""
    shutil.copytree(original.data, data)
    return file_of(data, original.account)


async def repaired(data: Path) -> list[Report]:
    reports = list(check_all(data, (), DEFAULT_LIMITS, Quiet()))
    return [await repair(data, report, DEFAULT_LIMITS, Quiet(), None) for report in reports]


async def opened(store: SqliteStore) -> Account:
    entry = await store.directory.find("linda")
    assert entry is not None
    return await store.account(entry)


async def mail(data: Path) -> set[bytes]:
    """The octets of all messages in all mailboxes, as a client fetches them."""
    store = await open_store(data)
    account = await opened(store)
    octets: set[bytes] = set()
    for mailbox in await account.mailboxes():
        selection = await account.select(mailbox.name, claim_recent=False)
        rows = await fetched(account, mailbox.id, selection.uids, Column.RAW, Column.FLAGS)
        assert len(rows) == selection.mailbox.messages
        assert sum("\\Seen" not in account.flag_names(word) for _, _, word in rows) == selection.mailbox.unseen
        octets |= {row[1] for row in rows}
    await store.close()
    return octets


@pytest.mark.parametrize(("kind", "sql"), [each for each in MENDED if not any(word in each[1] for word in LOSES)])
async def test_what_can_be_computed_again_is_mended_without_losing_mail(
    data: Path, path: Path, original: Original, kind: Kind, sql: str
) -> None:
    change(path, sql)
    _, report = await repaired(data)
    assert (report.problem, report.findings) == ("", ())
    assert kind in report.repaired
    assert report.copy is not None
    assert found(data) == []
    assert await mail(data) == original.mail


@pytest.mark.parametrize(("kind", "sql"), [each for each in MENDED if any(word in each[1] for word in LOSES)])
async def test_what_cannot_be_mended_stays_and_nothing_else_is_removed(
    data: Path, path: Path, kind: Kind, sql: str
) -> None:
    change(path, sql)
    before = stored(path)
    await repaired(data)
    assert before <= stored(path)


async def test_messages_of_no_mailbox_are_in_recovered(data: Path, path: Path, original: Original) -> None:
    change(path, "DELETE FROM mailboxes WHERE name = 'Archive'; DELETE FROM messages WHERE content = 8")
    _, report = await repaired(data)
    assert (report.recovered, report.findings) == (3, ())
    store = await open_store(data)
    account = await opened(store)
    assert (await account.mailbox(RECOVERED)).messages == 3
    await store.close()
    assert await mail(data) == original.mail


async def test_a_mailbox_with_messages_can_be_selected_again(data: Path, path: Path, original: Original) -> None:
    change(path, "UPDATE mailboxes SET selectable = 0 WHERE name = 'Work/Letters'")
    _, report = await repaired(data)
    assert report.recovered == 0
    store = await open_store(data)
    assert (await (await opened(store)).select("Work/Letters", claim_recent=False)).mailbox.messages == 4
    await store.close()


async def test_a_running_server_sees_what_a_repair_has_changed(data: Path) -> None:
    identity = await made(data)
    store = await open_store(data)
    account = await opened(store)
    before = await account.select("INBOX", claim_recent=False)
    inbox = before.mailbox.id
    change(
        file_of(data, identity),
        f"UPDATE mailboxes SET messages = 5, unseen = 5, uidnext = 3 WHERE id = {inbox}; "
        f"DELETE FROM messages WHERE mailbox = {inbox} AND uid = 7; "
        f"UPDATE texts SET subject = 'zzz' WHERE content = 8; DELETE FROM touched; DELETE FROM keyword_sets",
    )
    (report,) = [report for report in await repaired(data) if report.name]
    assert (report.problem, report.findings) == ("", ())
    after = await account.select("INBOX", claim_recent=False)
    assert after.uids == before.uids - uids(7)
    assert after.mailbox.uidvalidity == before.mailbox.uidvalidity
    assert after.mailbox.uidnext > before.mailbox.uidnext
    assert (after.mailbox.messages, after.mailbox.unseen) == (len(after.uids), 1)
    changes = await account.changes(
        inbox,
        since=before.mailbox.highestmodseq,
        expunged_since=before.mailbox.highestmodseq,
        uidnext=before.mailbox.uidnext,
        claim_recent=False,
    )
    assert uids(7) == changes.expunged & before.uids
    assert changes.flags is not None
    assert len(changes.flags) == len(after.uids)
    found_now = await account.search(inbox, InText("number 8"), EVERYTHING)
    assert 8 in found_now.uids
    stored_flags = await account.store_flags(inbox, uids(8), FlagChange.ADD, frozenset({"$New"}))
    assert stored_flags.modseq > after.mailbox.highestmodseq
    assert (await flags_of(account, inbox, uids(8)))[8] == {"\\Seen", "$New"}
    await store.close()
    assert found(data) == []


def stored(path: Path) -> set[bytes]:
    connection = apsw.Connection(str(path))
    try:
        return {octets for (octets,) in connection.execute("SELECT octets FROM chunks")}
    finally:
        connection.close()
