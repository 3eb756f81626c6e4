"""Two nodes with one directory: each sees at once what the other one changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mektup.store.interface import Store
from mektup.store.metadata import Wanted
from mektup.store.postgres import directory, open_store
from mektup.terms.errors import Code, Refused
from mektup.terms.rights import RightsChange
from tests.support.postgres import NewDatabase


@pytest.fixture
async def nodes(new_database: NewDatabase) -> AsyncIterator[tuple[Store, Store]]:
    database = new_database()
    stores = [await open_store(database, {"a": database}) for _ in range(2)]
    yield stores[0], stores[1]
    for store in stores:
        await store.close()


async def test_accounts_and_their_secrets(nodes: tuple[Store, Store]) -> None:
    one, two = nodes
    added = await one.directory.add("linda", {"password": "old"})
    assert await two.directory.find("linda") == added
    await two.directory.set_secrets("linda", {"password": "new"})
    assert await one.directory.secrets_of([added.id]) == {added.id: {"password": "new"}}
    assert not await one.directory.renew_secrets(added.id, {"password": "old"}, {"password": "older"})
    await two.directory.set_hidden("linda", ["IDLE"])
    found = await one.directory.find("linda")
    assert found is not None
    assert found.hidden == {"IDLE"}


async def test_a_name_is_given_once_though_both_add_it(nodes: tuple[Store, Store]) -> None:
    adding = [store.directory.add("linda", {}) for store in nodes for _ in range(4)]
    outcomes = await asyncio.gather(*adding, return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, Refused)]
    assert [each.code for each in refused] == [Code.ALREADYEXISTS] * 7
    assert len(await nodes[0].directory.entries("", 10)) == 1


async def test_a_name_goes_to_an_account_or_to_an_alias(nodes: tuple[Store, Store]) -> None:
    one, two = nodes
    await one.directory.add("linda", {})
    for number in range(5):
        name = f"info{number}@example.org"
        outcomes = await asyncio.gather(
            one.directory.add(name, {}), two.addresses.add_alias(name, ["linda"]), return_exceptions=True
        )
        assert len([each for each in outcomes if isinstance(each, Refused)]) == 1, name
        assert (await two.directory.find(name) is None) != (await one.addresses.accounts_of(name) == ())


async def test_a_removed_account_has_ended_on_all_nodes(nodes: tuple[Store, Store]) -> None:
    one, two = nodes
    added = await one.directory.add("linda", {})
    account = await two.account(added)
    assert len(await account.mailboxes()) == 6
    await one.directory.remove("linda")
    assert await two.directory.find("linda") is None
    for asking in (account.mailboxes(), account.subscriptions(), account.create("a"), account.quota.state()):
        with pytest.raises(Refused) as caught:
            await asking
        assert caught.value.code is Code.UNAVAILABLE


async def test_domains_and_aliases(nodes: tuple[Store, Store]) -> None:
    one, two = nodes
    assert await two.addresses.domains() == frozenset()
    await one.addresses.add_domain("example.org")
    assert await two.addresses.domains() == {"example.org"}
    await one.directory.add("linda", {})
    await two.addresses.add_alias("info@example.org", ["linda"])
    assert await one.addresses.accounts_of("info@example.org") == ("linda",)
    with pytest.raises(Refused):
        await one.addresses.remove_domain("example.org")
    await one.addresses.remove_alias("info@example.org")
    await two.addresses.remove_domain("example.org")
    assert await one.addresses.domains() == frozenset()


async def test_the_state_follows_the_other_node(nodes: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = nodes
    await one.directory.add("linda", {})
    await two.directory.find("linda")
    before = two.directory.state()
    assert before == one.directory.state()
    await one.directory.set_secrets("linda", {"password": "x"})
    monkeypatch.setattr(directory, "LOOK_SECONDS", 0.0)
    async with asyncio.timeout(20):
        while two.directory.state() == before:
            await asyncio.sleep(0)
    assert two.directory.state() == one.directory.state()


async def test_mailboxes_access_lists_and_metadata(nodes: tuple[Store, Store]) -> None:
    one, two = nodes
    fred, barney = await one.directory.add("fred", {}), await one.directory.add("barney", {})
    here, there = await one.account(fred), await two.account(fred)
    made = await here.create("Projects")
    assert await there.mailbox("Projects") == made
    await there.rename("Projects", "Plans")
    assert await here.target("Plans") == made.id
    await here.access_lists.change("Plans", barney.id, RightsChange("", frozenset("lr")))
    assert list(await two.directory.sharing_with(barney.id)) == ["fred"]
    assert (await there.access_lists.shared_with(barney.id)).by_name == {"Plans": frozenset("lr")}
    await there.metadata.set_entries(made.id, fred.id, {"/private/comment": b"mine"})
    wanted = Wanted(("/private/comment",))
    assert await here.metadata.entries([made.id], fred.id, wanted) == {made.id: {"/private/comment": b"mine"}}
    await two.server_metadata.set_entries({"/shared/comment": b"ours"})
    assert await one.server_metadata.entries(Wanted(("/shared/comment",))) == {"/shared/comment": b"ours"}
