"""The past of an account is read as its present: what was deleted, and what there was at a moment."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mektup.store.columns import Column
from mektup.store.interface import Account, Store
from mektup.store.retention import DELETED_MAIL
from mektup.store.sqlite import open_store
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.search import All, HasFlag, InSubject
from mektup.terms.sets import Uids
from mektup.terms.sorting import SortCriterion, SortKey
from tests.contract.conftest import OpenStore
from tests.contract.mail import EVERYTHING, fetched, fill, flags_of, inbox, incoming, raw, uids
from tests.contract.test_retention import Clock
from tests.support import naive

NAMES = ("INBOX", "Archive", "Work", "Work/Letters")
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "$A", "$B")

Observed = dict[str, Any]


async def observed(account: Account) -> Observed:
    """All that a client can read of an account."""
    seen: Observed = {}
    for mailbox in await account.mailboxes():
        rows = []
        if mailbox.selectable:
            selection = await account.select(mailbox.name, claim_recent=False)
            assert len(selection.uids) == selection.mailbox.messages == mailbox.messages
            found = await fetched(account, mailbox.id, selection.uids, Column.FLAGS, Column.INTERNALDATE, Column.RAW)
            assert [row[0] for row in found] == list(selection.uids)
            rows = [(uid, frozenset(account.flag_names(word)), *more) for uid, word, *more in found]
            assert mailbox.unseen == sum("\\Seen" not in flags for _, flags, *_ in rows)
        seen[mailbox.name] = (mailbox.uidvalidity, mailbox.special_use, mailbox.selectable, rows)
    return seen


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(opened: OpenStore, clock: Clock) -> Store:
    return await opened(clock=clock)


async def test_flags_are_those_of_the_moment(account: Account, clock: Clock) -> None:
    mailbox = await fill(account, 3, "$New")
    begun = clock.now
    clock.now += 10
    await account.store_flags(mailbox, uids(1, 2), FlagChange.ADD, frozenset({"\\Seen"}))
    clock.now += 10
    await account.store_flags(mailbox, EVERYTHING, FlagChange.REPLACE, frozenset({"$Done", "\\Flagged"}))
    clock.now += 10
    first, second, third = [await account.at(begun + seconds) for seconds in (9, 10, 20)]
    assert await inbox_flags(first) == {uid: {"$New"} for uid in (1, 2, 3)}
    assert await inbox_flags(second) == {
        1: {"$New", "\\Seen"},
        2: {"$New", "\\Seen"},
        3: {"$New"},
    }
    assert await inbox_flags(third) == {uid: {"$Done", "\\Flagged"} for uid in (1, 2, 3)}


async def inbox_flags(account: Account) -> dict[int, set[str]]:
    return await flags_of(account, (await account.mailbox("INBOX")).id)


async def test_many_messages_change_flags(account: Account, clock: Clock) -> None:
    mailbox = await inbox(account)
    kinds = [("\\Seen",), (), ("\\Seen", "$A"), ("$B",)]
    await account.append(mailbox, [incoming(*kinds[number % 4]) for number in range(300)])
    states = [(clock.now, await observed(account))]
    for change, flags in (
        (FlagChange.ADD, {"\\Seen"}),
        (FlagChange.REMOVE, {"\\Seen", "$A"}),
        (FlagChange.ADD, {"$C", "\\Flagged"}),
        (FlagChange.REPLACE, {"$A"}),
        (FlagChange.REPLACE, set()),
    ):
        clock.now += 1
        await account.store_flags(mailbox, EVERYTHING, change, frozenset(flags))
        states.append((clock.now, await observed(account)))
    clock.now += 1
    for moment, state in states:
        assert await observed(await account.at(moment)) == state


async def test_moved_and_renamed_and_deleted_mailboxes(account: Account, clock: Clock) -> None:
    states = []

    async def step() -> None:
        states.append((clock.now, await observed(account)))
        clock.now += 1

    mailbox = await fill(account, 3, "\\Seen")
    await step()
    await account.create("Work/Letters")
    await account.move(mailbox, uids(1, 2), "Work/Letters")
    await step()
    await account.rename("Work", "Old")
    await step()
    await account.delete("Old/Letters")
    await step()
    await account.rename("INBOX", "Kept")
    await step()
    await account.create("Old/Letters")
    await step()
    for moment, state in states:
        assert await observed(await account.at(moment)) == state


async def test_what_came_back_was_not_there_meanwhile(account: Account, clock: Clock) -> None:
    states = []

    async def step() -> None:
        states.append((clock.now, await observed(account)))
        clock.now += 1

    mailbox = await fill(account, 3, "\\Seen")
    await step()
    await account.remove(mailbox, uids(2))
    await step()
    await account.retention.restore(EVERYTHING)
    await step()
    for moment, state in states:
        assert await observed(await account.at(moment)) == state


async def test_moments_that_cannot_be_read_are_refused(opened: OpenStore, clock: Clock) -> None:
    store = await opened(clock=clock, limits=Limits(expunged_seconds=100))
    account = await store.account(await store.directory.add("linda", {}))
    await account.at(clock.now - 100)
    for moment in (clock.now, clock.now + 5, clock.now - 101):
        with pytest.raises(Refused) as refused:
            await account.at(moment)
        assert refused.value.code is Code.CANNOT


async def test_before_the_account_there_was_nothing(account: Account, clock: Clock) -> None:
    clock.now += 1
    assert await (await account.at(clock.now - 2)).mailboxes() == []


async def test_the_past_is_searched_and_sorted_and_read(account: Account, clock: Clock) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(octets=raw(subject, "x" * 300_000)) for subject in ("pears", "apples")])
    clock.now += 1
    await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"\\Seen"}))
    await account.remove(mailbox, uids(2))
    clock.now += 1
    past = await account.at(clock.now - 2)
    then = (await past.mailbox("INBOX")).id
    assert (await past.search(then, InSubject("APPLE"), EVERYTHING)).uids == uids(2)
    assert not (await past.search(then, HasFlag("\\Seen"), EVERYTHING)).uids
    ordered = await past.sort(then, All(), EVERYTHING, [SortCriterion(SortKey.SUBJECT)])
    assert list(ordered.uids) == [2, 1]
    ((_, number),) = await fetched(past, then, uids(2), Column.CONTENT)
    assert b"".join([piece async for piece in past.content(number, 0, 2**40)]) == raw("apples", "x" * 300_000)


@pytest.mark.parametrize("past", ["deleted", "at"])
async def test_the_past_is_not_changed(account: Account, clock: Clock, past: str) -> None:
    mailbox = await fill(account, 2)
    clock.now += 1
    await account.remove(mailbox, uids(1))
    clock.now += 1
    found = await (account.deleted_mail() if past == "deleted" else account.at(clock.now - 1))
    name = DELETED_MAIL if past == "deleted" else "INBOX"
    then = (await found.mailbox(name)).id
    for change in (
        lambda: found.append(then, [incoming()]),
        lambda: found.store_flags(then, EVERYTHING, FlagChange.ADD, frozenset({"\\Seen"})),
        lambda: found.remove(then, EVERYTHING),
        lambda: found.copy(then, EVERYTHING, "INBOX"),
        lambda: found.move(then, EVERYTHING, "INBOX"),
        lambda: found.create("Work"),
        lambda: found.delete("Archive"),
        lambda: found.rename("Archive", "Work"),
    ):
        with pytest.raises(Refused) as refused:
            await change()
        assert refused.value.code is Code.NOPERM


async def test_the_deleted_messages_are_mailboxes(account: Account, clock: Clock) -> None:
    mailbox = await fill(account, 3, "\\Deleted", "\\Seen", "$Work")
    await account.create("Work")
    await account.copy(mailbox, uids(3), "Work")
    await account.expunge(mailbox, uids(2))
    clock.now += 60
    await account.delete("Work")
    deleted = await account.deleted_mail()
    assert {each.name: each.messages for each in await deleted.mailboxes()} == {DELETED_MAIL: 2, "INBOX": 1, "Work": 1}
    every = await deleted.select(DELETED_MAIL, claim_recent=False)
    numbers = list(every.uids)
    assert await flags_of(deleted, every.mailbox.id) == {uid: {"\\Seen", "$Work"} for uid in numbers}
    dates = await fetched(deleted, every.mailbox.id, every.uids, Column.SAVEDATE, Column.RAW)
    assert dates[0][1] != dates[1][1]
    assert [row[2] for row in dates] == [raw("number 1"), raw("number 2")]
    work = await deleted.select("Work", claim_recent=False)
    assert list(work.uids) == numbers[1:]
    assert work.mailbox.uidvalidity == every.mailbox.uidvalidity


async def test_an_open_mailbox_of_deleted_messages_follows(account: Account) -> None:
    mailbox = await fill(account, 4)
    await account.remove(mailbox, uids(1, 2))
    deleted = await account.deleted_mail()
    before = await deleted.select(DELETED_MAIL, claim_recent=False)
    await account.retention.restore(Uids.of([before.uids.first]))
    await account.remove(mailbox, uids(3))
    state = before.mailbox
    told = await deleted.changes(
        state.id,
        since=state.highestmodseq,
        expunged_since=state.highestmodseq,
        uidnext=state.uidnext,
        claim_recent=False,
    )
    assert list(told.expunged) == [before.uids.first]
    after = await deleted.select(DELETED_MAIL, claim_recent=False)
    assert list(told.arrived) == [after.uids.last]
    assert after.mailbox.uidvalidity == state.uidvalidity


# Any changes at any moments

moments = st.integers(0, 2)
names = st.sampled_from(NAMES)
sets = st.tuples(st.integers(1, 12), st.integers(0, 6)).map(lambda run: Uids.span(run[0], run[0] + run[1]))
flags = st.frozensets(st.sampled_from(FLAGS), max_size=3)
operations = st.one_of(
    st.tuples(st.just("append"), names, st.lists(flags, min_size=1, max_size=4)),
    st.tuples(st.just("store"), names, sets, st.sampled_from(FlagChange), flags),
    st.tuples(st.just("copy"), names, sets, names),
    st.tuples(st.just("move"), names, sets, names),
    st.tuples(st.just("expunge"), names),
    st.tuples(st.just("remove"), names, sets),
    st.tuples(st.just("create"), names),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("restore"), sets),
)


async def carry_out(account: Account, operation: Any) -> None:
    match operation:
        case ("append", name, flag_sets):
            mailbox = await account.mailbox(name)
            await account.append(mailbox.id, [incoming(*each) for each in flag_sets])
        case ("store", name, some, change, words):
            await account.store_flags((await account.mailbox(name)).id, some, change, words)
        case ("copy" | "move" as what, name, some, target):
            await getattr(account, what)((await account.mailbox(name)).id, some, target)
        case ("expunge", name):
            await account.expunge((await account.mailbox(name)).id, None)
        case ("remove", name, some):
            await account.remove((await account.mailbox(name)).id, some)
        case ("create" | "delete" as what, name):
            await getattr(account, what)(name)
        case ("rename", old, new):
            await account.rename(old, new)
        case ("restore", some):
            await account.retention.restore(some)


async def travelled(make: Callable[[Clock], Any], steps: list[tuple[int, Any]]) -> None:
    clock = Clock()
    store = await make(clock)
    account = await store.account(await store.directory.add("linda", {}))
    states: dict[int, Observed] = {clock.now: await observed(account)}
    for seconds, operation in steps:
        clock.now += seconds
        try:
            await carry_out(account, operation)
        except Refused:
            pass
        states[clock.now] = await observed(account)
    clock.now += 1
    for moment, state in states.items():
        assert await observed(await account.at(moment)) == state, moment - 1_800_000_000
    await store.close()


@pytest.mark.parametrize("engine", ["sqlite on disk", "sqlite in memory", "naive"])
@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(moments, operations), max_size=25))
def test_the_state_at_any_moment_is_what_was_seen_then(engine: str, steps: list[tuple[int, Any]]) -> None:
    with tempfile.TemporaryDirectory() as directory:

        async def make(clock: Clock) -> Any:
            if engine == "naive":
                return await naive.open_store(clock=clock)
            return await open_store(Path(directory) / "data" if engine == "sqlite on disk" else None, clock=clock)

        asyncio.run(travelled(make, steps))
