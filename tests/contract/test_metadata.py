"""Metadata (RFC 5464): whose an entry is, what a reader gets, where entries go with their mailbox, and their limits."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mektup.store.interface import Account, Store
from mektup.store.metadata import ChangedEntry, Wanted
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import ACCOUNT_ITSELF, AccountId, MailboxId
from tests.contract.conftest import OpenStore, RecordingBus
from tests.contract.mail import START, fill, inbox

EVERYTHING = Wanted(("/private", "/shared"), None)
COMMENT, PRIVATE = "/shared/comment", "/private/comment"
FRED = AccountId("f" * 32)


async def entries(
    account: Account, mailbox: MailboxId, wanted: Wanted = EVERYTHING, user: AccountId | None = None
) -> Mapping[str, bytes]:
    return (await account.metadata.entries([mailbox], user or account.id, wanted))[mailbox]


async def refusal(change: Awaitable[object]) -> Code | None:
    with pytest.raises(Refused) as caught:
        await change
    return caught.value.code


async def test_values_are_octets_set_replaced_and_removed(account: Account) -> None:
    mailbox = await inbox(account)
    await account.metadata.set_entries(mailbox, account.id, {COMMENT: b"\0\xff\r\n", PRIVATE: b""})
    assert await entries(account, mailbox) == {PRIVATE: b"", COMMENT: b"\0\xff\r\n"}
    await account.metadata.set_entries(mailbox, account.id, {COMMENT: b"new", PRIVATE: None, "/shared/gone": None})
    assert await entries(account, mailbox) == {COMMENT: b"new"}
    assert await entries(account, MailboxId(99)) == {}


async def test_a_private_entry_belongs_to_one_user_and_a_shared_one_to_all(account: Account) -> None:
    mailbox = await inbox(account)
    await account.metadata.set_entries(mailbox, account.id, {COMMENT: b"ours", PRIVATE: b"mine"})
    assert await entries(account, mailbox, user=FRED) == {COMMENT: b"ours"}
    await account.metadata.set_entries(mailbox, FRED, {COMMENT: b"fred's", PRIVATE: b"his"})
    assert await entries(account, mailbox) == {COMMENT: b"fred's", PRIVATE: b"mine"}
    assert await entries(account, mailbox, user=FRED) == {COMMENT: b"fred's", PRIVATE: b"his"}


async def test_depth_is_counted_in_levels_below_each_name(account: Account) -> None:
    names = ("/shared/a", "/shared/a/b", "/shared/a/b/c", "/shared/ab", "/shared/b")
    await account.metadata.set_entries(ACCOUNT_ITSELF, account.id, dict.fromkeys(names, b"x"))
    for wanted, found in (
        (Wanted(("/shared/a",)), names[:1]),
        (Wanted(("/shared/a", "/shared/b")), (names[0], names[4])),
        (Wanted(("/shared/a",), 1), names[:2]),
        (Wanted(("/shared/a",), None), names[:3]),
        (Wanted(("/shared",), 1), (names[0], names[3], names[4])),
        (Wanted(("/private",), None), ()),
        (Wanted(()), ()),
    ):
        assert tuple(await entries(account, ACCOUNT_ITSELF, wanted)) == found


async def test_many_mailboxes_are_read_at_once(account: Account) -> None:
    ids = [each.id for each in await account.mailboxes()]
    for number in ids[:3]:
        await account.metadata.set_entries(number, account.id, {COMMENT: b"%d" % number})
    found = await account.metadata.entries(ids, account.id, Wanted((COMMENT,)))
    assert found == {number: {COMMENT: b"%d" % number} if number in ids[:3] else {} for number in ids}


async def test_entries_move_with_their_mailbox_and_go_with_it(account: Account) -> None:
    made = await account.create("work/old")
    await account.metadata.set_entries(made.id, account.id, {COMMENT: b"x"})
    await account.rename("work", "play")
    renamed = await account.mailbox("play/old")
    assert await entries(account, renamed.id) == {COMMENT: b"x"}
    await account.delete("play/old")
    assert await entries(account, renamed.id) == {}
    again = await account.create("play/old")
    assert await entries(account, again.id) == {}
    assert await refusal(account.metadata.set_entries(renamed.id, account.id, {COMMENT: b"x"})) is Code.NONEXISTENT


async def test_rename_of_inbox_copies_its_entries(account: Account) -> None:
    mailbox = await fill(account, 1)
    await account.metadata.set_entries(mailbox, account.id, {COMMENT: b"x", PRIVATE: b"y"})
    await account.metadata.set_entries(mailbox, account.id, {PRIVATE: None})
    await account.rename("INBOX", "old")
    assert await entries(account, mailbox) == {COMMENT: b"x"}
    assert await entries(account, (await account.mailbox("old")).id) == {COMMENT: b"x"}


async def test_entries_survive_a_renewal(account: Account) -> None:
    await account.metadata.set_entries(await inbox(account), account.id, {COMMENT: b"x"})
    await account.metadata.set_entries(ACCOUNT_ITSELF, account.id, {PRIVATE: b"y"})
    await account.renew()
    assert await entries(account, await inbox(account)) == {COMMENT: b"x"}
    assert await entries(account, ACCOUNT_ITSELF) == {PRIVATE: b"y"}


async def test_too_large_and_too_many(opened: OpenStore) -> None:
    limits = Limits(metadata_value_bytes=10, metadata_entries=2, metadata_bytes=35)
    store = await opened(limits=limits)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await inbox(account)

    def put(user: AccountId = account.id, **values: bytes | None) -> Awaitable[None]:
        named = {f"/{name.replace('_', '/')}": value for name, value in values.items()}
        return account.metadata.set_entries(mailbox, user, named)

    with pytest.raises(Refused) as caught:
        await put(shared_a=b"x" * 11, private_a=b"")
    assert (caught.value.code, caught.value.argument) == (Code.METADATA_MAXSIZE, "10")
    assert await entries(account, mailbox) == {}
    await put(shared_a=b"x" * 10, shared_b=b"x" * 10)
    assert await refusal(put(shared_c=b"")) is Code.METADATA_TOOMANY
    await put(private_a=b"x" * 10, private_b=b"")
    assert await refusal(put(private_c=b"")) is Code.METADATA_TOOMANY
    await put(FRED, private_a=b"x" * 5)
    assert await refusal(put(FRED, private_b=b"x")) is Code.METADATA_TOOMANY
    await put(shared_a=b"y" * 10)
    await put(shared_a=None, shared_c=b"z" * 10)
    assert set(await entries(account, mailbox)) == {"/shared/b", "/shared/c", "/private/a", "/private/b"}
    server = store.server_metadata
    await server.set_entries({COMMENT: b"x" * 10, "/shared/admin": b""})
    assert await refusal(server.set_entries({"/shared/more": b""})) is Code.METADATA_TOOMANY


async def test_changes_name_what_was_set_and_removed_since(account: Account, bus: RecordingBus) -> None:
    mailbox = await inbox(account)
    assert (await account.metadata.changes(START, account.id)).entries == []
    await account.metadata.set_entries(mailbox, account.id, {COMMENT: b"x", PRIVATE: b"y"})
    since = (await account.metadata.changes(START, account.id)).modseq
    assert (await account.metadata.changes(since, account.id)).entries == []
    bus.told.clear()
    await account.metadata.set_entries(mailbox, FRED, {PRIVATE: b"z"})
    assert bus.told == [(account.id, ACCOUNT_ITSELF)]
    await account.metadata.set_entries(mailbox, account.id, {COMMENT: None, "/shared/never": None})
    await account.metadata.set_entries(ACCOUNT_ITSELF, account.id, {PRIVATE: b"p"})
    changes = await account.metadata.changes(since, account.id)
    assert changes.entries == [ChangedEntry(ACCOUNT_ITSELF, PRIVATE), ChangedEntry(mailbox, COMMENT)]
    assert changes.modseq > since
    assert ChangedEntry(mailbox, PRIVATE) in (await account.metadata.changes(since, FRED)).entries


async def test_a_change_wakes_who_watches_the_account(account: Account) -> None:
    whole, one = account.watch(None), account.watch(await inbox(account))
    await account.metadata.set_entries(await inbox(account), account.id, {COMMENT: b"x"})
    assert whole.fired
    assert not one.fired


async def test_the_metadata_of_the_server_is_the_same_for_all(store: Store) -> None:
    server = store.server_metadata
    assert await server.entries(EVERYTHING) == {}
    await server.set_entries({COMMENT: b"welcome", "/shared/vendor/a/b": b"1"})
    since = (await server.changes(START)).modseq
    await server.set_entries({"/shared/vendor/a/b": None})
    assert await server.entries(EVERYTHING) == {COMMENT: b"welcome"}
    assert (await server.changes(since)).entries == [ChangedEntry(ACCOUNT_ITSELF, "/shared/vendor/a/b")]


NAMES = st.sampled_from(["/shared/a", "/shared/a/b", "/private/a", "/private/a/b/c"])
CHANGES = st.dictionaries(NAMES, st.none() | st.binary(max_size=5), min_size=1)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CHANGES, max_size=8))
async def test_a_reader_that_reads_what_changed_has_everything(
    opened: OpenStore, steps: list[dict[str, bytes | None]]
) -> None:
    store = await opened()
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await inbox(account)
    known: dict[str, bytes] = {}
    since = START
    for values in steps:
        await account.metadata.set_entries(mailbox, account.id, values)
        changes = await account.metadata.changes(since, account.id)
        since = changes.modseq
        names = tuple(each.entry for each in changes.entries)
        now = await entries(account, mailbox, Wanted(names))
        known = {name: value for name, value in known.items() if name not in names} | now
        assert known == await entries(account, mailbox)
