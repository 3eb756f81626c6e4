"""SORT and THREAD of a store: the order, the threads, and that an answer is never out of date."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mektup.store.arrival import prepare
from mektup.store.interface import Account, Incoming
from mektup.store.sorting.sort_keys import KEY_LETTERS
from mektup.terms.comparators import Comparator
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId
from mektup.terms.search import All, And, HasFlag, InSubject, InUids, Not, SearchKey
from mektup.terms.sets import Uids
from mektup.terms.sorting import SortCriterion, SortKey, ThreadAlgorithm
from tests.contract.conftest import OpenStore
from tests.contract.mail import EVERYTHING, inbox, uids

REFERENCES, ORDEREDSUBJECT = ThreadAlgorithm.REFERENCES, ThreadAlgorithm.ORDEREDSUBJECT
SUBJECT, DATE = SortCriterion(SortKey.SUBJECT), SortCriterion(SortKey.DATE)


def message(
    subject: str = "dinner", *, sent: int | None = 1, id: str = "", references: str = "", more: str = "", text: str = ""
) -> bytes:
    """A message, sent on the day *sent* of January 2024."""
    lines = [f"Subject: {subject}", *more.split("\n")]
    if sent is not None:
        lines.append(f"Date: {sent} Jan 2024 12:00:00 +0000")
    if id:
        lines.append(f"Message-ID: <{id}@x>")
    if references:
        lines.append("References: " + " ".join(f"<{each}@x>" for each in references.split()))
    return "\r\n".join([*filter(None, lines), "", text, ""]).encode()


async def fill(account: Account, *messages: bytes, arrived: Iterable[int] | None = None) -> MailboxId:
    mailbox = await inbox(account)
    dates = list(arrived) if arrived is not None else [1_700_000_000 + at for at in range(len(messages))]
    await account.append(
        mailbox,
        [Incoming(prepare(raw), frozenset(), date) for raw, date in zip(messages, dates, strict=True)],
    )
    return mailbox


async def ordered(
    account: Account,
    mailbox: MailboxId,
    *criteria: SortCriterion,
    key: SearchKey | None = None,
    within: Uids = EVERYTHING,
) -> list[int]:
    return list((await account.sort(mailbox, key or All(), within, criteria)).uids)


async def threads(
    account: Account,
    mailbox: MailboxId,
    algorithm: ThreadAlgorithm = REFERENCES,
    *,
    key: SearchKey | None = None,
    within: Uids = EVERYTHING,
) -> list[tuple[int, int]]:
    """UID and number of replies, one after the other."""
    found = await account.thread(mailbox, key or All(), within, algorithm)
    return list(zip(found.uids, found.replies, strict=True))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (SortKey.ARRIVAL, [3, 4, 2, 1]),
        (SortKey.DATE, [2, 4, 3, 1]),
        (SortKey.SIZE, [4, 1, 2, 3]),
        (SortKey.SUBJECT, [4, 2, 1, 3]),
        (SortKey.FROM, [4, 3, 1, 2]),
        (SortKey.TO, [2, 4, 1, 3]),
        (SortKey.CC, [1, 2, 4, 3]),
        (SortKey.DISPLAYFROM, [4, 2, 3, 1]),
        (SortKey.DISPLAYTO, [2, 4, 1, 3]),
    ],
)
async def test_each_key(account: Account, key: SortKey, expected: list[int]) -> None:
    mailbox = await fill(
        account,
        message("Re: cherries", sent=5, more="From: Zoe <m@x>\nTo: b@x"),
        message("Apples", sent=2, more="From: Ann <z@x>\nX-Long: " + "x" * 50),
        message("re: damsons", sent=4, more="From: ANTON <b@x>\nTo: c@x\nCc: b@x", text="x" * 200),
        message("", sent=None),
        arrived=[3_000_000_000, 2_000_000_000, 1_000_000_000, 1_704_283_200 - 1],
    )
    assert await ordered(account, mailbox, SortCriterion(key)) == expected
    # in reverse order the last message comes first; messages with equal keys are sorted by subject
    back = await ordered(account, mailbox, SortCriterion(key, reverse=True), SUBJECT)
    assert sorted(back) == [1, 2, 3, 4]
    assert back[0] == expected[-1]


async def test_several_keys_and_ties(account: Account) -> None:
    mailbox = await fill(
        account, message("b", sent=2), message("a", sent=2), message("b", sent=1), message("Re: A", sent=2)
    )
    reverse_date = SortCriterion(SortKey.DATE, reverse=True)
    assert await ordered(account, mailbox, SUBJECT) == [2, 4, 1, 3]
    assert await ordered(account, mailbox, SortCriterion(SortKey.SUBJECT, reverse=True)) == [1, 3, 2, 4]
    assert await ordered(account, mailbox, SUBJECT, DATE) == [2, 4, 3, 1]
    assert await ordered(account, mailbox, reverse_date, SUBJECT) == [2, 4, 1, 3]
    assert await ordered(account, mailbox, SortCriterion(SortKey.SIZE), SUBJECT) == [2, 1, 3, 4]


async def test_only_found_messages_are_sorted(account: Account) -> None:
    mailbox = await fill(account, *[message(f"{9 - number}", id=f"{number}") for number in range(5)])
    await account.store_flags(mailbox, uids(2, 4), FlagChange.ADD, frozenset({"\\Seen"}))
    seen = HasFlag("\\Seen")
    assert await ordered(account, mailbox, SUBJECT) == [5, 4, 3, 2, 1]
    assert await ordered(account, mailbox, SUBJECT, key=seen) == [4, 2]
    assert await ordered(account, mailbox, SUBJECT, key=Not(seen), within=uids(1, 2, 3)) == [3, 1]
    assert await ordered(account, mailbox, SUBJECT, key=InUids(uids(1, 5, 77))) == [5, 1]
    assert await ordered(account, mailbox, SUBJECT, key=And((seen, InSubject("7")))) == []
    assert await ordered(account, mailbox, SUBJECT, within=uids()) == []
    assert await threads(account, mailbox, key=seen) == [(2, 0), (4, 0)]
    assert await threads(account, mailbox, within=uids(5, 6)) == [(5, 0)]


async def test_copies_are_threaded_as_if_each_had_come_alone(account: Account) -> None:
    letters = (
        message("x", id="a", sent=1),
        message("Re: y", id="b", references="gone a", sent=2),
        message("z", references="a b", sent=3),
        message("w", id="c", references="b gone", sent=4),
    )
    mailbox = await fill(account, *letters)
    await account.copy(mailbox, uids(1, 2, 3), "INBOX")
    before = await threads(account, mailbox)
    await account.copy(mailbox, uids(2, 4), "INBOX")
    other = (await account.create("other")).id
    alone = [letters[at] for at in (0, 1, 2, 3, 0, 1, 2, 1, 3)]
    await account.append(other, [Incoming(prepare(raw)) for raw in alone])
    assert sum(uid > 0 for uid, _ in before) == 7
    assert await threads(account, mailbox) == await threads(account, other)


async def test_threads(account: Account) -> None:
    mailbox = await fill(
        account,
        message("x", id="a", sent=1),
        message("Re: x", id="c", references="a b", sent=4),
        message("Re: x", id="b", references="a", sent=3),
        message("y", id="d", references="gone", sent=2),
        message("z", id="e", references="gone", sent=5),
        message("Re: y", sent=6),
    )
    assert await threads(account, mailbox) == [(1, 1), (3, 1), (2, 0), (0, 3), (4, 0), (5, 0), (6, 0)]
    assert await threads(account, mailbox, ORDEREDSUBJECT) == [(1, 2), (3, 0), (2, 0), (4, 1), (6, 0), (5, 0)]
    # messages outside of *within* do not count for the order
    assert await threads(account, mailbox, within=uids(2, 3, 4, 6)) == [(4, 1), (6, 0), (3, 1), (2, 0)]


async def test_only_the_start_of_a_long_subject_is_compared(account: Account) -> None:
    start = "s" * (KEY_LETTERS - 1)
    mailbox = await fill(account, *(message(start + rest) for rest in ("b" * 100_000, "az", "ay", "a" * 200_000)))
    assert await ordered(account, mailbox, SUBJECT) == [2, 3, 4, 1]


async def test_an_empty_mailbox(account: Account) -> None:
    mailbox = await inbox(account)
    assert await ordered(account, mailbox, DATE) == []
    assert await threads(account, mailbox) == []
    await fill(account, message())
    assert await ordered(account, mailbox, DATE) == [1]


async def test_a_mailbox_that_is_gone(account: Account) -> None:
    mailbox = (await account.create("Projects")).id
    assert await ordered(account, mailbox, DATE) == []
    await account.delete("Projects")
    with pytest.raises(Refused) as refusal:
        await ordered(account, mailbox, DATE)
    assert refusal.value.code is Code.NONEXISTENT
    with pytest.raises(Refused):
        await threads(account, mailbox)


async def test_changes_are_seen_at_once(account: Account) -> None:
    mailbox = await fill(account, message("b", id="1"), message("d", id="2"))
    assert await ordered(account, mailbox, SUBJECT) == [1, 2]
    assert await threads(account, mailbox) == [(1, 0), (2, 0)]
    await fill(account, message("c", id="3", references="2"), message("a", id="4"))
    assert await ordered(account, mailbox, SUBJECT) == [4, 1, 3, 2]
    assert await threads(account, mailbox) == [(1, 0), (2, 1), (3, 0), (4, 0)]
    await account.remove(mailbox, uids(2))
    assert await ordered(account, mailbox, SUBJECT) == [4, 1, 3]
    assert await threads(account, mailbox) == [(1, 0), (3, 0), (4, 0)]
    copied = await account.copy(mailbox, uids(1, 4), "INBOX")
    assert list(copied.targets) == [5, 6]
    assert await ordered(account, mailbox, SUBJECT) == [4, 6, 1, 5, 3]
    await account.move(mailbox, EVERYTHING, "Archive")
    assert await ordered(account, mailbox, SUBJECT) == []
    assert await ordered(account, (await account.mailbox("Archive")).id, SUBJECT) == [3, 5, 1, 4, 2]


async def test_flags_do_not_matter(account: Account) -> None:
    mailbox = await fill(account, message("b"), message("a"))
    for flags in (frozenset({"\\Seen"}), frozenset({"\\Deleted"}), frozenset[str]()):
        await account.store_flags(mailbox, EVERYTHING, FlagChange.REPLACE, flags)
        assert await ordered(account, mailbox, SUBJECT) == [2, 1]


async def test_a_few_of_a_large_mailbox_that_nobody_sorted_before(account: Account) -> None:
    mailbox = await fill(account, *[message(f"{99 - number}", id=f"{number}") for number in range(50)])
    assert await ordered(account, mailbox, SUBJECT, within=uids(1, 30, 40, 77)) == [40, 30, 1]
    assert await threads(account, mailbox, within=uids(9)) == [(9, 0)]
    assert (await ordered(account, mailbox, SUBJECT))[:3] == [50, 49, 48]
    assert await ordered(account, mailbox, DATE, within=uids(3, 2)) == [2, 3]


@pytest.mark.parametrize("room", [0, 5000])
async def test_sorting_is_right_with_any_memory_limit(opened: OpenStore, room: int) -> None:
    store = await opened(limits=Limits(remembered_bytes=room))
    account = await store.account(await store.directory.add("ali", {}))
    for name in ("Archive", "Sent", "Trash"):
        messages = [Incoming(prepare(message(f"{name} {number}"))) for number in (3, 1, 2)]
        await account.append((await account.mailbox(name)).id, messages)
    for name in ("Archive", "Sent", "Archive", "Trash"):
        assert await ordered(account, (await account.mailbox(name)).id, SUBJECT) == [2, 3, 1]


async def test_many_ask_at_once_while_messages_come_and_go(account: Account) -> None:
    mailbox = await fill(account, *[message(f"{number:04}", id=f"{number}") for number in range(900)])

    async def ask() -> None:
        for _ in range(5):
            found = await ordered(account, mailbox, SUBJECT)
            assert found == sorted(found)
            gathered = await account.thread(mailbox, All(), EVERYTHING, REFERENCES)
            assert list(gathered.uids) == sorted(gathered.uids)

    async def change() -> None:
        for number in range(5):
            await fill(account, *[message(f"{9000 + 20 * number + more}") for more in range(20)])
            await account.remove(mailbox, Uids.span(1 + 30 * number, 20 + 30 * number))

    await asyncio.gather(ask(), change(), ask(), ask())
    found = await ordered(account, mailbox, SUBJECT)
    assert (len(found), found[0], found[-1]) == (900, 21, 1000)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(0, 30), min_size=1, max_size=4)),
        st.tuples(st.just("remove"), st.sets(st.integers(1, 20), max_size=6).map(sorted)),
        st.tuples(st.just("flag"), st.sets(st.integers(1, 20), max_size=3).map(sorted)),
        st.tuples(st.just("ask"), st.sets(st.integers(1, 25)).map(sorted)),
    ),
    max_size=14,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
async def test_any_history_gives_what_is_there(opened: OpenStore, steps: list[tuple[str, list[int]]]) -> None:
    store = await opened()
    account = await store.account(await store.directory.add("veli", {}))
    mailbox = await inbox(account)
    there: dict[int, int] = {}
    uidnext = 1
    for what, numbers in steps:
        match what:
            case "append":
                await fill(account, *[message(f"{number:02}") for number in numbers])
                there.update(enumerate(numbers, uidnext))
                uidnext += len(numbers)
            case "remove":
                await account.remove(mailbox, uids(*numbers))
                there = {uid: number for uid, number in there.items() if uid not in numbers}
            case "flag":
                await account.store_flags(mailbox, uids(*numbers), FlagChange.ADD, frozenset({"\\Seen"}))
            case _:
                expected = sorted((number, uid) for uid, number in there.items() if uid in numbers)
                found = await ordered(account, mailbox, SUBJECT, within=uids(*numbers))
                assert found == [uid for _, uid in expected]
        everything = sorted((number, uid) for uid, number in there.items())
        assert await ordered(account, mailbox, SUBJECT) == [uid for _, uid in everything]
    await store.close()


async def test_the_order_of_each_comparator(account: Account) -> None:
    subjects = ("ızgara", "Re: IZGARA", "izgara", "İz", "çay", "cz", "_")
    mailbox = await fill(account, *(message(subject, sent=at) for at, subject in enumerate(subjects, 1)))

    def by(comparator: Comparator) -> SortCriterion:
        return SortCriterion(SortKey.SUBJECT, comparator=comparator)

    assert await ordered(account, mailbox, by(Comparator.TURKISH)) == [7, 6, 5, 1, 2, 4, 3]
    assert await ordered(account, mailbox, by(Comparator.ASCII)) == [6, 2, 3, 7, 5, 4, 1]
    assert await ordered(account, mailbox, by(Comparator.UNICODE)) == [6, 5, 1, 2, 3, 4, 7]
    assert await ordered(account, mailbox, SUBJECT) == [6, 5, 4, 1, 2, 3, 7]
    # one answer is not taken for another, and the order follows the mailbox
    await fill(account, message("Izgara", sent=8), arrived=[1_800_000_000])
    assert await ordered(account, mailbox, by(Comparator.TURKISH)) == [7, 6, 5, 1, 2, 8, 4, 3]
    assert await ordered(account, mailbox, by(Comparator.TURKISH), within=uids(3, 8)) == [8, 3]


async def test_the_subjects_that_each_comparator_takes_for_one(account: Account) -> None:
    mailbox = await fill(account, message("ılık"), message("ILIK"), message("ilik"))
    threads = {
        comparator: list((await account.thread(mailbox, All(), EVERYTHING, ORDEREDSUBJECT, comparator)).replies)
        for comparator in Comparator
    }
    assert threads == {
        Comparator.CASEFOLD: [2, 0, 0],
        Comparator.UNICODE: [2, 0, 0],
        Comparator.ASCII: [0, 1, 0],
        Comparator.TURKISH: [1, 0, 0],
    }
    # REFERENCES puts messages with one subject below a dummy
    answer = await account.thread(mailbox, All(), EVERYTHING, REFERENCES, Comparator.TURKISH)
    assert (list(answer.uids), list(answer.replies)) == ([0, 1, 2, 3], [2, 0, 0, 0])
    answer = await account.thread(mailbox, All(), EVERYTHING, REFERENCES, Comparator.ASCII)
    assert (list(answer.uids), list(answer.replies)) == ([1, 0, 2, 3], [0, 2, 0, 0])
