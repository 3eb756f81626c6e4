"""The quota of an account (RFC 9208): what is counted, what is refused, and what is never refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mektup.store.columns import Column
from mektup.store.interface import Account, Store
from mektup.store.quota import QuotaState
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.quota import OwnLimits, Resource
from tests.contract.conftest import OpenStore
from tests.contract.mail import EVERYTHING, fetched, fill, inbox, incoming, raw, uids

STORAGE, MESSAGE, MAILBOX = Resource.STORAGE, Resource.MESSAGE, Resource.MAILBOX
SIZE = len(raw("number 0"))


async def used(account: Account, resource: Resource) -> int:
    return (await account.quota.state()).usage[resource]


async def recounted(account: Account) -> dict[Resource, int]:
    """The usage, counted by what a client could see."""
    mailboxes = [each for each in await account.mailboxes() if each.selectable]
    sizes = [row[1] for each in mailboxes for row in await fetched(account, each.id, EVERYTHING, Column.SIZE)]
    return {STORAGE: sum(sizes), MESSAGE: len(sizes), MAILBOX: len(mailboxes)}


async def refusal(change: Awaitable[object]) -> Code | None:
    with pytest.raises(Refused) as caught:
        await change
    return caught.value.code


async def test_without_limits_there_are_only_figures(account: Account) -> None:
    await fill(account, 3)
    assert await account.quota.state() == QuotaState(await recounted(account), {}, {})


async def test_the_default_counts_for_each_resource_without_an_own_limit(opened: OpenStore) -> None:
    store = await opened(quota={STORAGE: 10_000, MESSAGE: 5})
    account = await store.account(await store.directory.add("linda", {}))
    own: OwnLimits = {STORAGE: None, MAILBOX: 30}
    state = await account.quota.set_limits(own)
    assert state.limits == {MESSAGE: 5, MAILBOX: 30}
    assert state.own == own
    store.default_quota.limits = {MESSAGE: 6}
    assert (await account.quota.state()).limits == {MESSAGE: 6, MAILBOX: 30}
    assert (await account.quota.set_limits({})).limits == {MESSAGE: 6}


async def test_a_limit_is_for_one_account(store: Store, account: Account) -> None:
    other = await store.account(await store.directory.add("fred", {}))
    await account.quota.set_limits({MESSAGE: 0})
    await fill(other, 1)
    assert (await other.quota.state()).own == {}


async def test_a_limit_beyond_64_bits_is_the_highest(account: Account) -> None:
    assert (await account.quota.set_limits({STORAGE: 2**70})).limits == {STORAGE: 2**63 - 1}


async def test_the_last_message_that_fits_is_taken_and_the_next_one_refused(account: Account) -> None:
    for limit in ({MESSAGE: 2}, {STORAGE: 2 * SIZE}):
        await account.quota.set_limits({})
        mailbox = await inbox(account)
        await account.remove(mailbox, EVERYTHING)
        await account.quota.set_limits(limit)
        await fill(account, 2)
        assert await refusal(fill(account, 1)) is Code.OVERQUOTA
        assert (await account.mailbox("INBOX")).messages == 2


async def test_all_messages_of_an_append_or_none(account: Account) -> None:
    await account.quota.set_limits({MESSAGE: 3})
    assert await refusal(fill(account, 4, "new")) is Code.OVERQUOTA
    selection = await account.select("INBOX", claim_recent=False)
    assert not selection.uids
    assert not selection.keywords
    assert selection.mailbox.uidnext == 1
    await fill(account, 3, "new")


async def test_a_copy_counts_as_a_message_with_its_octets(account: Account) -> None:
    mailbox = await fill(account, 2)
    await account.copy(mailbox, uids(1), "Archive")
    assert await used(account, STORAGE) == 3 * SIZE
    await account.quota.set_limits({STORAGE: 3 * SIZE})
    assert await refusal(account.copy(mailbox, uids(1), "Archive")) is Code.OVERQUOTA
    await account.quota.set_limits({MESSAGE: 3})
    assert await refusal(account.copy(mailbox, uids(1), "INBOX")) is Code.OVERQUOTA
    assert (await account.mailbox("Archive")).messages == 1


async def test_a_copy_of_nothing_is_done_over_quota(account: Account) -> None:
    mailbox = await fill(account, 1)
    await account.quota.set_limits({STORAGE: 0, MESSAGE: 0})
    assert not (await account.copy(mailbox, uids(9), "Archive")).sources
    assert not (await account.append(mailbox, [])).uids


async def test_over_quota_everything_works_that_adds_nothing(account: Account) -> None:
    mailbox = await fill(account, 4)
    await account.create("work/old")
    await account.quota.set_limits({STORAGE: 0, MESSAGE: 0, MAILBOX: 0})
    await account.move(mailbox, uids(1), "Trash")
    await account.store_flags(mailbox, uids(2), FlagChange.ADD, frozenset({"\\Deleted", "keyword"}))
    await account.expunge(mailbox, None)
    await account.remove(mailbox, uids(3))
    await account.rename("work/old", "work/new")
    await account.delete("work/new")
    await account.delete("work")
    await account.subscribe("anything")
    assert await account.quota.state() == QuotaState(
        await recounted(account), {STORAGE: 0, MESSAGE: 0, MAILBOX: 0}, {STORAGE: 0, MESSAGE: 0, MAILBOX: 0}
    )
    assert await used(account, MESSAGE) == 2
    assert await refusal(fill(account, 1)) is Code.OVERQUOTA
    assert await refusal(account.create("more")) is Code.OVERQUOTA


async def test_every_level_that_is_made_counts_as_a_mailbox(account: Account) -> None:
    there = await used(account, MAILBOX)
    await account.quota.set_limits({MAILBOX: there + 2})
    assert await refusal(account.create("a/b/c")) is Code.OVERQUOTA
    await account.create("a/b")
    assert await refusal(account.rename("a/b", "x/y/z")) is Code.OVERQUOTA
    assert await refusal(account.rename("INBOX", "old")) is Code.OVERQUOTA
    await account.rename("a/b", "a/c")
    assert {each.name for each in await account.mailboxes()} >= {"a", "a/c"}


async def test_a_name_that_is_no_mailbox_does_not_count(account: Account) -> None:
    await account.create("a/b")
    before = await used(account, MAILBOX)
    await account.delete("a")
    assert await used(account, MAILBOX) == before - 1
    await account.quota.set_limits({MAILBOX: before - 1})
    assert await refusal(account.create("a")) is Code.OVERQUOTA
    await account.quota.set_limits({MAILBOX: before})
    await account.create("a")


async def test_rename_of_inbox_adds_a_mailbox_and_no_messages(account: Account) -> None:
    await fill(account, 2)
    await account.quota.set_limits({MESSAGE: 2, STORAGE: 2 * SIZE})
    await account.rename("INBOX", "old")
    assert await account.quota.state() == QuotaState(
        await recounted(account), {MESSAGE: 2, STORAGE: 2 * SIZE}, {MESSAGE: 2, STORAGE: 2 * SIZE}
    )


async def test_only_the_growth_of_a_replace_counts(account: Account) -> None:
    mailbox, trash = await fill(account, 1), await account.target("Trash")
    await account.quota.set_limits({STORAGE: SIZE, MESSAGE: 1})
    same = await account.replace(mailbox, Uid(1), mailbox, incoming(octets=raw("number 1")))
    assert same.uids == uids(2)
    larger = account.replace(mailbox, Uid(2), trash, incoming(octets=raw("number 10")))
    assert await refusal(larger) is Code.OVERQUOTA
    assert await used(account, MESSAGE) == 1
    await account.replace(mailbox, Uid(2), trash, incoming(octets=raw("number")))
    assert {STORAGE: await used(account, STORAGE), MESSAGE: 1}.items() <= (await recounted(account)).items()


async def test_room_is_asked_before_a_message_is_sent(account: Account) -> None:
    await account.quota.set_limits({STORAGE: 100})
    await account.quota.require_room(100)
    assert await refusal(account.quota.require_room(101)) is Code.OVERQUOTA
    await account.quota.set_limits({MESSAGE: 0})
    assert await refusal(account.quota.require_room(1)) is Code.OVERQUOTA
    await account.quota.set_limits({MAILBOX: 0})
    await account.quota.require_room(1)


async def test_octets_of_deleted_messages(account: Account) -> None:
    mailbox = await fill(account, 3)
    await account.store_flags(mailbox, uids(1, 3), FlagChange.ADD, frozenset({"\\Deleted"}))
    mailboxes = await account.mailboxes()
    octets = await account.quota.deleted_octets([MailboxId(99), *(each.id for each in mailboxes)])
    assert octets == {each.id: 2 * SIZE if each.name == "INBOX" else 0 for each in mailboxes}


Step = Callable[[Account], Awaitable[object]]

NAMES = st.sampled_from(("INBOX", "Archive", "a", "a/b", "c"))
EXPECTED = (
    Code.OVERQUOTA,
    Code.NONEXISTENT,
    Code.TRYCREATE,
    Code.ALREADYEXISTS,
    Code.CANNOT,
    Code.HASCHILDREN,
)
"""What refuses a step of the test below; a refusal of another kind fails it."""


def _mail(verb: str) -> st.SearchStrategy[Step]:
    async def step(account: Account, name: str, target: str, some: set[int]) -> None:
        mailbox = await account.target(name)
        match verb:
            case "append":
                await account.append(mailbox, [incoming(octets=raw("x" * uid)) for uid in some])
            case "copy":
                await account.copy(mailbox, uids(*some), target)
            case "move":
                await account.move(mailbox, uids(*some), target)
            case "expunge":
                await account.store_flags(mailbox, uids(*some), FlagChange.ADD, frozenset({"\\Deleted"}))
                await account.expunge(mailbox, None)
            case _:
                await account.remove(mailbox, uids(*some))

    def bound(name: str, target: str, some: set[int]) -> Step:
        return lambda account: step(account, name, target, {int(each) for each in some})

    return st.builds(bound, NAMES, NAMES, st.sets(st.integers(1, 6), min_size=1).map(sorted))


STEPS = st.one_of(
    *map(_mail, ("append", "append", "copy", "move", "expunge", "remove")),
    NAMES.map(lambda name: lambda account: account.create(name)),
    NAMES.map(lambda name: lambda account: account.delete(name)),
    st.tuples(NAMES, NAMES).map(lambda names: lambda account: account.rename(*names)),
)
LIMITS = st.dictionaries(st.sampled_from(Resource), st.integers(0, 12))


async def _unless_refused(change: Awaitable[object]) -> None:
    try:
        await change
    except Refused as refused:
        if refused.code not in EXPECTED:
            raise


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, max_size=15), LIMITS)
async def test_the_usage_is_that_of_a_recount_and_grows_beyond_no_limit(
    opened: OpenStore, steps: list[Step], limits: dict[Resource, int]
) -> None:
    store = await opened()
    account = await store.account(await store.directory.add("linda", {}))
    await account.quota.set_limits(limits)
    for step in steps:
        before = (await account.quota.state()).usage
        await _unless_refused(step(account))
        usage = (await account.quota.state()).usage
        assert usage == await recounted(account)
        for resource, most in limits.items():
            assert usage[resource] <= max(most, before[resource])
