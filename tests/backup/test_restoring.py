"""Restoring into an account that is in use: what is missing is added, flags come back, and nothing is removed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from mektup.backup.restoring import BATCH_MESSAGES, Stopped
from mektup.store.interface import Account, Store
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.quota import Resource
from mektup.terms.rights import RightsChange
from mektup.terms.sets import Uids
from tests.backup.conftest import Backup, linda, state_of
from tests.contract.mail import EVERYTHING, fill, flags_of, inbox, incoming, raw, uids

OpenStore = Callable[[], Awaitable[Store]]
ADD, REPLACE = FlagChange.ADD, FlagChange.REPLACE


@pytest.fixture
async def store(open_any: OpenStore) -> Store:
    return await open_any()


@pytest.fixture
async def account(store: Store) -> Account:
    return await linda(store)


async def subjects(account: Account, name: str = "INBOX") -> list[bytes]:
    there = await state_of(account)
    return [octets.split(b"Subject: ")[1].split(b"\r\n")[0] for *_, octets in there[name]]


async def test_what_was_removed_comes_back_under_new_uids_and_once(
    store: Store, account: Account, backup: Backup
) -> None:
    mailbox = await fill(account, 6, "\\Seen", "$Work")
    await backup.take(store)
    state = await account.mailbox("INBOX")
    await account.remove(mailbox, uids(2, 4))
    await account.append(mailbox, [incoming(octets=raw("since"))])
    watch = await account.modseq(mailbox)
    restored, problems = await backup.restore(store, "linda")
    assert not problems
    assert (restored.added, restored.there, restored.flags, restored.mailboxes) == (2, 4, 0, 0)
    assert await flags_of(account, mailbox) == {
        **{uid: {"\\Seen", "$Work"} for uid in (1, 3, 5, 6, 8, 9)},
        7: set(),
    }
    assert sorted(await subjects(account)) == sorted([b"number %d" % number for number in range(6)] + [b"since"])
    after = await account.mailbox("INBOX")
    assert after.uidvalidity == state.uidvalidity
    assert after.highestmodseq > watch
    restored, _ = await backup.restore(store, "linda")
    assert (restored.added, restored.there, restored.flags, restored.mailboxes) == (0, 6, 0, 0)
    assert await account.mailbox("INBOX") == after


async def test_flags_are_set_back_with_a_new_modseq(store: Store, account: Account, backup: Backup) -> None:
    mailbox = await fill(account, 3, "\\Flagged")
    await backup.take(store)
    await account.store_flags(mailbox, uids(1), REPLACE, frozenset({"\\Seen", "$Other"}))
    await account.store_flags(mailbox, uids(3), ADD, frozenset({"\\Deleted"}))
    before = await account.modseq(mailbox)
    restored, _ = await backup.restore(store, "linda")
    assert (restored.added, restored.flags) == (0, 2)
    assert await flags_of(account, mailbox) == {uid: {"\\Flagged"} for uid in (1, 2, 3)}
    async with account.snapshot() as moment:
        changed, _ = await moment.touched(mailbox, ModSeq(before))
    assert changed == uids(1, 3)


async def test_a_mailbox_that_was_deleted_is_made_anew(store: Store, account: Account, backup: Backup) -> None:
    await account.create("Projects/Old")
    old = await account.mailbox("Projects/Old")
    await account.append(old.id, [incoming(octets=raw("plan"))])
    await account.append(await inbox(account), [incoming()])
    await backup.take(store)
    await account.delete("Projects/Old")
    await account.remove(await inbox(account), EVERYTHING)
    restored, _ = await backup.restore(store, "linda", mailbox="Projects/Old")
    assert (restored.mailboxes, restored.added) == (1, 1)
    made = await account.mailbox("Projects/Old")
    assert made.uidvalidity > old.uidvalidity
    assert await subjects(account, "Projects/Old") == [b"plan"]
    assert await subjects(account) == []


async def test_a_special_use_that_another_mailbox_has_is_left_to_it(
    store: Store, account: Account, backup: Backup
) -> None:
    await account.append((await account.mailbox("Trash")).id, [incoming()])
    await backup.take(store)
    await account.rename("Trash", "Bin")
    restored, problems = await backup.restore(store, "linda")
    assert not problems
    assert (restored.mailboxes, restored.added) == (1, 1)
    assert [(each.name, each.special_use) for each in await account.mailboxes() if each.name in ("Bin", "Trash")] == [
        ("Bin", "\\Trash"),
        ("Trash", None),
    ]


async def test_one_message_by_uid_or_by_message_id(store: Store, account: Account, backup: Backup) -> None:
    mailbox = await inbox(account)
    for number in range(3):
        message = raw(f"number {number}", more=f"Message-ID: <{number}@example.org>\r\n")
        await account.append(mailbox, [incoming(octets=message)])
    await account.copy(mailbox, uids(2), "Archive")
    await backup.take(store)
    await account.remove(mailbox, EVERYTHING)
    await account.remove((await account.mailbox("Archive")).id, EVERYTHING)
    assert (await backup.restore(store, "linda", mailbox="INBOX", uid=1))[0].added == 1
    assert (await backup.restore(store, "linda", message_id="1@example.org"))[0].added == 2
    assert (await backup.restore(store, "linda", message_id="1@example.org"))[0].there == 2
    assert await subjects(account) == [b"number 0", b"number 1"]
    assert await subjects(account, "Archive") == [b"number 1"]
    for wish in ({"mailbox": "INBOX", "uid": 9}, {"message_id": "nobody@example.org"}, {"mailbox": "Nowhere"}):
        with pytest.raises(Refused) as refused:
            await backup.restore(store, "linda", **wish)  # type: ignore[arg-type]
        assert refused.value.code is Code.NONEXISTENT


async def test_an_account_that_was_removed_comes_back_under_its_name_or_another(
    store: Store, account: Account, backup: Backup
) -> None:
    await fill(account, 3)
    state = await state_of(account)
    await backup.take(store)
    await store.directory.remove("linda")
    assert (await backup.restore(store, "linda"))[0].added == 3
    assert (await backup.restore(store, "linda", into="ali"))[0].added == 3
    for name in ("linda", "ali"):
        entry = await store.directory.find(name)
        assert entry is not None
        assert await state_of(await store.account(entry)) == state


async def test_a_dry_run_changes_nothing(store: Store, account: Account, backup: Backup) -> None:
    mailbox = await fill(account, 3)
    await account.create("New")
    await account.copy(mailbox, EVERYTHING, "New")
    await backup.take(store)
    await account.remove(mailbox, uids(1))
    await account.store_flags(mailbox, uids(2), ADD, frozenset({"\\Seen"}))
    await account.delete("New")
    before = await state_of(account), await account.mailboxes()
    restored, _ = await backup.restore(store, "linda", dry=True)
    assert (restored.added, restored.there, restored.flags, restored.mailboxes) == (4, 2, 1, 1)
    restored, _ = await backup.restore(store, "linda", into="nobody", dry=True)
    assert restored.added == 6
    assert (await state_of(account), await account.mailboxes()) == before
    assert await store.directory.find("nobody") is None


async def test_where_there_is_no_room_it_stops_and_the_next_one_goes_on(
    store: Store, account: Account, backup: Backup
) -> None:
    count = 2 * BATCH_MESSAGES + 10
    mailbox = await fill(account, count)
    await backup.take(store)
    await account.remove(mailbox, EVERYTHING)
    await account.quota.set_limits({Resource.MESSAGE: BATCH_MESSAGES + 5})
    with pytest.raises(Stopped) as stopped:
        await backup.restore(store, "linda")
    assert stopped.value.code is Code.OVERQUOTA
    assert f"stopped at UID {BATCH_MESSAGES + 1}" in str(stopped.value)
    assert (await account.mailbox("INBOX")).messages == BATCH_MESSAGES
    await account.quota.set_limits({})
    restored, _ = await backup.restore(store, "linda")
    assert (restored.added, restored.there) == (count - BATCH_MESSAGES, BATCH_MESSAGES)
    assert await subjects(account) == [b"number %d" % number for number in range(count)]


async def test_into_an_account_with_other_uids_messages_are_known_by_their_octets(
    store: Store, account: Account, backup: Backup, open_any: OpenStore
) -> None:
    await fill(account, 5, "\\Seen")
    await backup.take(store)
    there = await open_any()
    other = await linda(there)
    mailbox = await inbox(other)
    await other.append(mailbox, [incoming(octets=raw("own")), incoming(octets=raw("number 3"))])
    restored, _ = await backup.restore(there, "linda")
    assert (restored.added, restored.there, restored.flags) == (4, 1, 1)
    assert await subjects(other) == [b"own", b"number 3", b"number 0", b"number 1", b"number 2", b"number 4"]


async def test_rights_of_an_account_that_is_not_there_are_left_out(
    store: Store, account: Account, backup: Backup, open_any: OpenStore
) -> None:
    barney = (await store.directory.add("barney", {})).id
    await account.access_lists.change("INBOX", barney, RightsChange("", frozenset("lr")))
    await account.metadata.set_entries(await inbox(account), barney, {"/private/comment": b"x"})
    await backup.take(store)
    other = await open_any()
    _, problems = await backup.restore(other, "linda")
    assert "the rights of barney are left out" in str(problems[0])
    assert "the metadata of an account that is not here is left out" in str(problems[1])
    assert await (await linda(other)).access_lists.of("INBOX") == {}


async def test_uids_are_never_given_again(store: Store, account: Account, backup: Backup) -> None:
    mailbox = await fill(account, 3)
    await backup.take(store)
    given: Uids = EVERYTHING & uids(1, 2, 3)
    for _ in range(3):
        await account.remove(mailbox, EVERYTHING)
        await backup.restore(store, "linda")
        now = (await account.select("INBOX", claim_recent=False)).uids
        assert not now & given
        given = given | now
    assert given == Uids.span(Uid(1), Uid(12))


async def test_a_new_account_that_was_not_finished_gets_the_rest_the_next_time(
    store: Store, account: Account, backup: Backup
) -> None:
    await fill(account, BATCH_MESSAGES + 3)
    await account.create("Zoo")
    await account.delete("Archive")
    await account.subscribe("Elsewhere")
    await account.access_lists.change("INBOX", "anyone", RightsChange("", frozenset("lr")))
    await account.quota.set_limits({Resource.MESSAGE: 500})
    state = await state_of(account)
    await backup.take(store)
    store.default_quota.limits = {Resource.MESSAGE: BATCH_MESSAGES}
    with pytest.raises(Stopped):
        await backup.restore(store, "linda", into="ali")
    store.default_quota.limits = {}
    restored, problems = await backup.restore(store, "linda", into="ali")
    assert not problems
    assert (restored.added, restored.there) == (3, BATCH_MESSAGES)
    entry = await store.directory.find("ali")
    assert entry is not None
    ali = await store.account(entry)
    assert await state_of(ali) == state
    assert await ali.subscriptions() == await account.subscriptions()
    assert await ali.access_lists.of("INBOX") == {"anyone": frozenset("lr")}
    async with ali.snapshot() as moment:
        assert moment.state.own_limits == {Resource.MESSAGE: 500}
        assert not moment.state.metadata
