"""What an account shares: access control lists, and who hears of them."""

from __future__ import annotations

import pytest

from mektup.store.access_lists import ANYONE
from mektup.store.interface import Account, Store
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId, ModSeq
from mektup.terms.rights import Rights, RightsChange
from tests.contract.conftest import OpenStore


def rights(letters: str) -> Rights:
    return frozenset(letters)


def give(letters: str) -> RightsChange:
    return RightsChange("", rights(letters))


async def fred_and_barney(store: Store) -> tuple[Account, AccountId]:
    fred = await store.account(await store.directory.add("fred", {}))
    await fred.create("Projects")
    return fred, (await store.directory.add("barney", {})).id


async def test_a_new_account_shares_nothing(store: Store) -> None:
    fred, barney = await fred_and_barney(store)
    assert await fred.access_lists.of("INBOX") == {}
    assert not (await fred.access_lists.shared_with(barney)).by_name
    assert await store.directory.sharing_with(barney) == {}


async def test_rights_are_given_added_to_and_taken_away(store: Store) -> None:
    fred, barney = await fred_and_barney(store)
    lists = fred.access_lists
    await lists.change("Projects", barney, give("lr"))
    await lists.change("Projects", barney, RightsChange("+", rights("sw")))
    await lists.change("Projects", barney, RightsChange("-", rights("w")))
    assert await lists.of("Projects") == {barney: rights("lrs")}
    shared = await lists.shared_with(barney)
    assert shared.by_name == {"Projects": rights("lrs")}
    assert shared.by_id == {(await fred.mailbox("Projects")).id: rights("lrs")}
    await lists.change("Projects", barney, RightsChange("-", rights("lrs")))
    assert await lists.of("Projects") == {}
    assert not (await lists.shared_with(barney)).by_name


async def test_negative_rights_are_taken_from_the_sum(store: Store) -> None:
    fred, barney = await fred_and_barney(store)
    lists = fred.access_lists
    await lists.change("Projects", ANYONE, give("lrw"))
    await lists.change("Projects", barney, give("rt"))
    await lists.change("Projects", f"-{barney}", give("w"))
    await lists.change("INBOX", f"-{barney}", give("lr"))
    assert (await lists.shared_with(barney)).by_name == {"Projects": rights("lrt")}
    other = await store.directory.add("wilma", {})
    assert (await lists.shared_with(other.id)).by_name == {"Projects": rights("lrw")}
    await lists.change("Projects", f"-{ANYONE}", give("lrwt"))
    assert (await lists.shared_with(barney)).by_name == {}


async def test_the_directory_tells_who_shares(store: Store) -> None:
    fred, barney = await fred_and_barney(store)
    lists, sharing_with = fred.access_lists, store.directory.sharing_with
    await lists.change("Projects", f"-{barney}", give("w"))
    assert await sharing_with(barney) == {}
    await lists.change("Projects", barney, give("l"))
    await lists.change("INBOX", barney, give("l"))
    found = await sharing_with(barney)
    assert [(name, entry.id, dict(entry.secrets)) for name, entry in found.items()] == [("fred", fred.id, {})]
    assert await store.account(found["fred"]) is fred
    assert await sharing_with(fred.id) == {}
    await lists.change("INBOX", barney, give(""))
    assert list(await sharing_with(barney)) == ["fred"]
    await lists.change("Projects", barney, give(""))
    assert await sharing_with(barney) == {}


async def test_everybody_hears_of_what_is_shared_with_anyone_but_the_owner(store: Store) -> None:
    fred, barney = await fred_and_barney(store)
    await fred.access_lists.change("Projects", ANYONE, give("lr"))
    assert list(await store.directory.sharing_with(barney)) == ["fred"]
    assert await store.directory.sharing_with(fred.id) == {}
    await fred.access_lists.change("Projects", ANYONE, give(""))
    assert await store.directory.sharing_with(barney) == {}


async def test_a_list_stays_with_its_mailbox(store: Store) -> None:
    fred, barney = await fred_and_barney(store)
    await fred.create("Projects/2026")
    await fred.access_lists.change("Projects", barney, give("lr"))
    await fred.rename("Projects", "Work/Plans")
    assert (await fred.access_lists.shared_with(barney)).by_name == {"Work/Plans": rights("lr")}
    await fred.renew()
    assert (await fred.access_lists.shared_with(barney)).by_name == {"Work/Plans": rights("lr")}
    assert set((await fred.access_lists.shared_with(barney)).by_id) == {(await fred.mailbox("Work/Plans")).id}
    await fred.delete("Work/Plans")
    assert (await fred.access_lists.shared_with(barney)).by_name == {}
    assert not (await fred.mailbox("Work/Plans")).selectable
    await fred.create("Work/Plans")
    assert await fred.access_lists.of("Work/Plans") == {}


async def test_a_new_mailbox_gets_the_list_of_the_one_above(store: Store) -> None:
    fred, barney = await fred_and_barney(store)
    lists = fred.access_lists
    await lists.change("Projects", barney, give("lrk"))
    await lists.change("Projects", f"-{ANYONE}", give("w"))
    await lists.change("INBOX", barney, give("l"))
    await fred.create("Projects/a/b")
    for name in ("Projects/a", "Projects/a/b"):
        assert await lists.of(name) == await lists.of("Projects")
    await fred.rename("INBOX", "Projects/old")
    assert await lists.of("Projects/old") == await lists.of("Projects")
    assert await lists.of("INBOX") == {barney: rights("l")}
    await fred.create("Alone/c")
    assert await lists.of("Alone/c") == {}
    await fred.rename("Alone/c", "Projects/x/c")
    assert await lists.of("Projects/x") == await lists.of("Projects")
    assert await lists.of("Projects/x/c") == {}


async def test_a_change_of_rights_is_in_the_log_and_fires_the_watches(store: Store) -> None:
    fred, barney = await fred_and_barney(store)
    before = await fred.mailbox_changes(ModSeq(0))
    projects = await fred.mailbox("Projects")
    watch = fred.watch(projects.id)
    watch.knows(before.modseq)
    await fred.access_lists.change("Projects", barney, give("lr"))
    assert watch.fired
    changed = await fred.mailbox_changes(before.modseq)
    assert [each.name for each in changed.mailboxes] == ["Projects"]
    assert (await fred.mailbox("Projects")).highestmodseq == projects.highestmodseq
    await fred.access_lists.change("Projects", barney, give("lr"))
    assert (await fred.mailbox_changes(changed.modseq)).modseq == changed.modseq
    watch.close()


async def test_a_removed_account_leaves_nothing_to_a_new_one_of_its_name(store: Store) -> None:
    fred, barney = await fred_and_barney(store)
    await fred.access_lists.change("Projects", barney, give("lr"))
    await store.directory.remove("barney")
    again = (await store.directory.add("barney", {})).id
    assert await store.directory.sharing_with(again) == {}
    assert (await fred.access_lists.shared_with(again)).by_name == {}
    assert await store.directory.names_of([barney, again, fred.id]) == {again: "barney", fred.id: "fred"}


async def test_a_removed_account_shares_nothing(store: Store) -> None:
    fred, barney = await fred_and_barney(store)
    await fred.access_lists.change("Projects", barney, give("lr"))
    await store.directory.remove("fred")
    assert await store.directory.sharing_with(barney) == {}


async def test_a_list_has_a_limit(opened: OpenStore) -> None:
    store = await opened(limits=Limits(acl_identifiers=2))
    fred, barney = await fred_and_barney(store)
    lists = fred.access_lists
    await lists.change("Projects", barney, give("l"))
    await lists.change("Projects", ANYONE, give("l"))
    with pytest.raises(Refused) as refused:
        await lists.change("Projects", f"-{ANYONE}", give("l"))
    assert refused.value.code is Code.LIMIT
    await lists.change("Projects", ANYONE, give("lr"))
    await lists.change("Projects", f"-{ANYONE}", give(""))
    assert len(await lists.of("Projects")) == 2


async def test_a_missing_mailbox(store: Store) -> None:
    fred, barney = await fred_and_barney(store)
    with pytest.raises(Refused) as refused:
        await fred.access_lists.of("Nowhere")
    assert refused.value.code is Code.NONEXISTENT
    with pytest.raises(Refused) as refused:
        await fred.access_lists.change("Nowhere", barney, give("l"))
    assert refused.value.code is Code.NONEXISTENT


@pytest.mark.parametrize("name", ["Other Users", "Other Users/fred", "Other Users/fred/Projects"])
async def test_names_of_the_namespace_of_others_are_no_own_mailboxes(account: Account, name: str) -> None:
    for refused in (account.create(name), account.rename("Drafts", name), account.rename("INBOX", name)):
        with pytest.raises(Refused) as caught:
            await refused
        assert caught.value.code is Code.CANNOT
    await account.create("Other Users of this")
    await account.subscribe(name)
    assert name in await account.subscriptions()
