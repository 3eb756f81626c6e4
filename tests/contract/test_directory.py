"""Accounts are added, found by any spelling of the name, and removed with their mail."""

from __future__ import annotations

import asyncio

import pytest

from mektup.store.directory_pages import all_entries
from mektup.store.interface import Store
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import AccountId
from tests.contract.mail import entry_of, fill, inbox, incoming


async def test_an_account_is_found_by_any_spelling(store: Store) -> None:
    added = await store.directory.add("Linda@Example.org", {"password": "{PLAIN}x"})
    for name in ("linda@example.org", "LINDA@EXAMPLE.ORG"):
        assert await store.directory.find(name) == added
    assert added.name == "Linda@Example.org"
    assert dict(added.secrets) == {"password": "{PLAIN}x"}
    assert await store.directory.find("lind") is None
    composed = await store.directory.add("ze\N{COMBINING DIAERESIS}", {})
    assert composed.name == "zë"
    assert await store.directory.find("ZË") == composed


async def test_the_account_knows_its_name(store: Store) -> None:
    added = await store.directory.add("Linda", {})
    account = await store.account(added)
    assert (account.id, account.name) == (added.id, "Linda")
    assert await store.account(added) is account


async def test_names_are_had_once(store: Store) -> None:
    await store.directory.add("linda", {})
    with pytest.raises(Refused) as caught:
        await store.directory.add("LINDA", {})
    assert caught.value.code is Code.ALREADYEXISTS
    assert len(await store.directory.entries("", 100)) == 1


async def test_only_one_of_many_concurrent_additions_of_a_name_succeeds(store: Store) -> None:
    outcomes = await asyncio.gather(*(store.directory.add("linda", {}) for _ in range(5)), return_exceptions=True)
    assert [isinstance(outcome, Refused) for outcome in outcomes].count(False) == 1
    (entry,) = await store.directory.entries("", 100)
    assert len(await (await store.account(entry)).mailboxes()) == 6


@pytest.mark.parametrize("name", ["", "a/b", "a\x00", "a\nb", "../x", "a\udc80", "Anyone"])
async def test_names_that_cannot_be(store: Store, name: str) -> None:
    with pytest.raises(Refused) as caught:
        await store.directory.add(name, {})
    assert caught.value.code is Code.CANNOT


@pytest.mark.parametrize("name", ["..", ".", "linda@example.org", "İstanbul", "a b", "'; DROP TABLE accounts"])
async def test_names_that_can(store: Store, name: str) -> None:
    added = await store.directory.add(name, {})
    assert await store.directory.find(name) == added


async def test_secrets_are_replaced_whole(store: Store) -> None:
    added = await store.directory.add("linda", {"password": "old", "SCRAM-SHA-256": "keys"})
    changed = await store.directory.set_secrets("LINDA", {"password": "new"})
    assert (changed.id, dict(changed.secrets)) == (added.id, {"password": "new"})
    assert await store.directory.find("linda") == changed
    with pytest.raises(Refused) as caught:
        await store.directory.set_secrets("nobody", {})
    assert caught.value.code is Code.NONEXISTENT


async def test_entries_come_by_name(store: Store) -> None:
    for name in ("zoe", "Ali", "linda"):
        await store.directory.add(name, {})
    assert [entry.name for entry in await store.directory.entries("", 100)] == ["Ali", "linda", "zoe"]


async def test_entries_come_in_pages(store: Store) -> None:
    names = [f"user{number:02}" for number in range(25)]
    for name in reversed(names):
        await store.directory.add(name.upper() if name.endswith("3") else name, {})
    for most in (1, 7, 24, 25, 100):
        pages = [await store.directory.entries("", most)]
        while pages[-1]:
            pages.append(await store.directory.entries(pages[-1][-1].name, most))
        assert [len(page) for page in pages[:-2]] == [most] * (len(pages) - 2)
        assert [entry.name.lower() for page in pages for entry in page] == names
    assert [entry.name async for entry in all_entries(store.directory)] == [
        entry.name for entry in await store.directory.entries("", 100)
    ]


async def test_a_page_begins_after_any_name(store: Store) -> None:
    for name in ("Ali", "linda", "zoe"):
        await store.directory.add(name, {})
    for after, expected in (("LINDA", ["zoe"]), ("linda@", ["zoe"]), ("lind", ["linda"]), ("zoe", []), ("zz", [])):
        assert [entry.name for entry in await store.directory.entries(after, 1)] == expected


async def test_an_account_names_the_part_of_the_store_that_has_it(store: Store, part: str) -> None:
    added = await store.directory.add("linda", {})
    assert added.shard == part
    assert [entry.shard for entry in await store.directory.entries("", 1)] == [part]
    found = await store.directory.find("linda")
    assert found is not None
    assert found.shard == part


async def test_a_removed_account_is_gone_for_its_sessions_too(store: Store) -> None:
    added = await store.directory.add("linda", {})
    account = await store.account(added)
    mailbox = await fill(account, 2)
    watch = account.watch(mailbox)
    await store.directory.remove("Linda")
    assert watch.fired
    assert await store.directory.find("linda") is None
    for asking in (
        account.mailboxes(),
        account.modseq(mailbox),
        account.append(mailbox, [incoming()]),
        store.account(added),
    ):
        with pytest.raises(Refused) as caught:
            await asking
        assert caught.value.code is Code.UNAVAILABLE
    with pytest.raises(Refused) as caught:
        await store.directory.remove("linda")
    assert caught.value.code is Code.NONEXISTENT
    again = await store.directory.add("linda", {})
    assert again.id != added.id
    assert (await (await store.account(again)).mailbox("INBOX")).messages == 0


async def test_accounts_are_apart(store: Store) -> None:
    linda = await store.account(await store.directory.add("linda", {}))
    ali = await store.account(await store.directory.add("ali", {}))
    await fill(linda, 2)
    assert (await ali.mailbox("INBOX")).messages == 0
    watch = ali.watch(await inbox(ali))
    await fill(linda, 1)
    assert not watch.fired


@pytest.mark.parametrize("account", ["0" * 32, "../../etc", ""])
async def test_an_account_that_is_not_there(store: Store, account: str) -> None:
    with pytest.raises(Refused) as caught:
        await store.account(entry_of(AccountId(account)))
    assert caught.value.code is Code.UNAVAILABLE


async def test_secrets_are_renewed_only_where_they_are_what_was_checked(store: Store) -> None:
    directory = store.directory
    linda = await directory.add("linda", {"password": "old"})
    assert await directory.renew_secrets(linda.id, {"password": "old"}, {"password": "new", "more": "keys"})
    assert not await directory.renew_secrets(linda.id, {"password": "old"}, {"password": "newer"})
    assert await directory.secrets_of([linda.id]) == {linda.id: {"password": "new", "more": "keys"}}
    await directory.remove("linda")
    assert not await directory.renew_secrets(linda.id, {"password": "new", "more": "keys"}, {})
    assert await directory.secrets_of([linda.id]) == {}


async def test_the_secrets_of_many_accounts(store: Store) -> None:
    added = [await store.directory.add(f"user{number}", {"password": str(number)}) for number in range(30)]
    found = await store.directory.secrets_of([entry.id for entry in added] + [AccountId("nobody")])
    assert found == {entry.id: entry.secrets for entry in added}
    assert store.directory.state() is not None


async def test_the_state_of_the_directory_is_another_after_each_change(store: Store) -> None:
    directory = store.directory
    linda = await directory.add("linda", {})
    states = [directory.state()]
    await directory.set_secrets("linda", {"password": "x"})
    states.append(directory.state())
    await directory.renew_secrets(linda.id, {"password": "x"}, {"password": "y"})
    states.append(directory.state())
    assert await directory.find("linda") is not None
    assert directory.state() == states[-1]
    await directory.remove("linda")
    states.append(directory.state())
    assert None not in states
    assert len(set(states)) == 4


async def test_what_is_hidden_from_an_account(store: Store) -> None:
    added = await store.directory.add("linda", {"password": "{PLAIN}x"})
    assert added.hidden == frozenset()
    changed = await store.directory.set_hidden("LINDA", ["IDLE", "COMPRESS=DEFLATE"])
    assert changed.hidden == {"IDLE", "COMPRESS=DEFLATE"}
    assert await store.directory.find("linda") == changed
    # a new password changes nothing in it
    assert (await store.directory.set_secrets("linda", {})).hidden == changed.hidden
    assert [entry.hidden for entry in await store.directory.entries("", 10)] == [changed.hidden]
    assert (await store.directory.set_hidden("linda", ())).hidden == frozenset()
    with pytest.raises(Refused) as caught:
        await store.directory.set_hidden("nobody", ["IDLE"])
    assert caught.value.code is Code.NONEXISTENT
