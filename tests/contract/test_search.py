"""SEARCH: each key, and combinations of keys at any depth; answers are always exact and current."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date

import pytest

from mektup.store.interface import Account
from mektup.terms.comparators import Comparator
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.partial_range import PartialRange
from mektup.terms.search import (
    WHOLE,
    AddressField,
    All,
    And,
    Arrived,
    ChangedSince,
    Compared,
    Fuzzy,
    HasFlag,
    InAddress,
    InBody,
    InHeader,
    InSubject,
    InText,
    InUids,
    Larger,
    Not,
    Older,
    Or,
    Part,
    Saved,
    SearchKey,
    Sent,
    Smaller,
    When,
    Younger,
)
from mektup.terms.sets import Uids
from mektup.terms.sorting import SortCriterion, SortKey
from tests.contract.mail import EVERYTHING, fill, inbox, incoming, uids

MESSAGES = (
    "Date: Mon, 7 Feb 2022 21:52:25 -0800\r\nFrom: Linda <linda@example.org>\r\nTo: ali@example.org\r\n"
    "Subject: Dinner on Friday\r\nMessage-ID: <one@example.org>\r\n\r\nAt eight, in the Garden.\r\n",
    "Date: Tue, 8 Feb 2022 01:00:00 +0300\r\nFrom: =?utf-8?q?G=C3=BCl?= <gul@example.org>\r\n"
    "Cc: Bob <bob@example.com>\r\n"
    "Subject: =?utf-8?b?xLBzdGFuYnVs?=\r\nX-Empty:\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\nStra=C3=9Fe und gar=\r\nden\r\n",
    "From: nobody\r\nBcc: hidden@example.net\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "VGhlIGdhcmRlbiBpcyBncmVlbg==\r\n",
    "\r\njust text without any header, 100% of it, with_a \\ and a ' quote\r\n",
)
DAY = 86400


@pytest.fixture
async def mailbox(account: Account) -> MailboxId:
    """Four messages. The second has \\Seen and $Work, and its internal date is 23:30 in its own zone."""
    box = await inbox(account)
    now = int(time.time())
    await account.append(
        box,
        [
            incoming(octets=MESSAGES[0].encode(), internaldate=now - 3600),
            incoming("\\Seen", "$Work", octets=MESSAGES[1].encode(), internaldate=1644269400, zone=-480),
            incoming("\\Deleted", octets=MESSAGES[2].encode(), internaldate=1644269400, zone=180),
            incoming("\\Seen", octets=MESSAGES[3].encode(), internaldate=now - 10 * DAY),
        ],
    )
    return box


FEB_7, FEB_8 = date(2022, 2, 7), date(2022, 2, 8)

CASES: list[tuple[SearchKey, list[int]]] = [
    (All(), [1, 2, 3, 4]),
    (HasFlag("\\seen"), [2, 4]),
    (HasFlag("\\Deleted"), [3]),
    (HasFlag("$WORK"), [2]),
    (HasFlag("$None"), []),
    (Not(HasFlag("$None")), [1, 2, 3, 4]),
    (InUids(uids(1, 4, 9)), [1, 4]),
    (Not(InUids(uids(1, 4, 9))), [2, 3]),
    (InUids(Uids()), []),
    (Not(InUids(Uids())), [1, 2, 3, 4]),
    # 1644269400 is 21:30 UTC on the 7th: 13:30 on the 7th at -0800, 00:30 on the 8th at +0300
    (Arrived(When.ON, FEB_7), [2]),
    (Arrived(When.ON, FEB_8), [3]),
    (Arrived(When.BEFORE, FEB_8), [2]),
    (Arrived(When.SINCE, FEB_8), [1, 3, 4]),
    # 21:52 on the 7th at -0800, and 01:00 on the 8th at +0300, each in its own zone
    (Sent(When.ON, FEB_7), [1]),
    (Sent(When.ON, FEB_8), [2]),
    (Sent(When.BEFORE, FEB_8), [1]),
    (Sent(When.SINCE, FEB_7), [1, 2]),
    (Not(Sent(When.SINCE, FEB_7)), [3, 4]),
    (Older(7200), [2, 3, 4]),
    (Younger(7200), [1]),
    (Larger(len(MESSAGES[0]) - 1), [1, 2]),
    (Smaller(len(MESSAGES[3]) + 1), [4]),
    (InSubject("dinner ON"), [1]),
    (InSubject("İSTANBUL"), [2]),
    (InSubject("istanbul"), [2]),
    (InAddress(AddressField.FROM, "LINDA"), [1]),
    (InAddress(AddressField.FROM, "gül"), [2]),
    (InAddress(AddressField.TO, "ali@"), [1]),
    (InAddress(AddressField.CC, "example.com"), [2]),
    (InAddress(AddressField.BCC, "hidden"), [3]),
    (InHeader("message-id", "<one@example.org>"), [1]),
    (InHeader("message-id", "ONE@"), [1]),
    (InHeader("x-empty", ""), [2]),
    (InHeader("subject", ""), [1, 2]),
    (InHeader("x-none", ""), []),
    (Not(InHeader("x-none", "")), [1, 2, 3, 4]),
    (InBody("garden"), [1, 2, 3]),
    (InBody("STRASSE"), [2]),
    (InBody("dinner"), []),
    (InText("dinner"), [1]),
    (InText("garden"), [1, 2, 3]),
    (InText("100% of"), [4]),
    (InBody("with_a \\ and a ' quote"), [4]),
    (InBody("withXa"), []),
    (Compared(InSubject("istanbul"), Comparator.CASEFOLD), [2]),
    (Compared(InSubject("istanbul"), Comparator.TURKISH), [2]),
    (Compared(InSubject("ISTANBUL"), Comparator.TURKISH), []),
    (Compared(InSubject("ISTANBUL"), Comparator.UNICODE), []),
    (Compared(InSubject("İSTANBUL"), Comparator.UNICODE), [2]),
    (Compared(InSubject("ISTANBUL"), Comparator.ASCII), []),
    (Compared(InSubject(""), Comparator.ASCII), [1, 2, 3, 4]),
    (Compared(InAddress(AddressField.FROM, "gu"), Comparator.UNICODE), [2]),
    (Compared(InAddress(AddressField.FROM, "GÜL"), Comparator.TURKISH), [2]),
    (Compared(InAddress(AddressField.TO, "ALI@"), Comparator.ASCII), [1]),
    (Compared(InHeader("x-empty", ""), Comparator.ASCII), [2]),
    (Compared(InHeader("message-id", "ONE@"), Comparator.UNICODE), [1]),
    (Compared(InBody("STRASSE"), Comparator.TURKISH), [2]),
    (Compared(InBody("STRASSE"), Comparator.UNICODE), []),
    (Compared(InBody("Straße und"), Comparator.UNICODE), [2]),
    (Compared(InText("GARDEN"), Comparator.ASCII), [1, 2, 3]),
    (Compared(InText("dinner ON"), Comparator.TURKISH), [1]),
    (Not(Compared(InText("garden"), Comparator.UNICODE)), [4]),
    (Fuzzy(InSubject("firday diner")), [1]),
    (Fuzzy(InSubject("ISTANBUL")), [2]),
    (Fuzzy(InSubject("stanbul")), [2]),
    (Fuzzy(InAddress(AddressField.FROM, "linad")), [1]),
    (Fuzzy(InAddress(AddressField.FROM, "gul")), [2]),
    (Fuzzy(InAddress(AddressField.TO, "org example ali")), [1]),
    (Fuzzy(InHeader("message-id", "example one")), [1]),
    (Fuzzy(InHeader("x-empty", "")), [2]),
    (Fuzzy(InHeader("x-none", "")), []),
    (Fuzzy(InBody("gareden")), [1, 2, 3]),
    (Fuzzy(InBody("strase")), [2]),
    (Fuzzy(InBody("dinner")), []),
    (Fuzzy(InText("garden dinner")), [1]),
    (Fuzzy(InText("header without 100")), [4]),
    (Fuzzy(InText("%")), [4]),
    (And((Fuzzy(InText("graden")), Not(Fuzzy(InText("friday"))))), [2, 3]),
    (Or(HasFlag("\\Seen"), InSubject("dinner")), [1, 2, 4]),
    (And((HasFlag("\\Seen"), InBody("garden"))), [2]),
    (And((InUids(uids(1, 2)), InUids(uids(2, 3)))), [2]),
    (And((InBody("garden"), Not(Or(HasFlag("\\Seen"), HasFlag("\\Deleted"))))), [1]),
    (Or(And((InUids(uids(3)), All())), Not(Or(Not(HasFlag("\\Seen")), InBody("garden")))), [3, 4]),
]


async def test_each_key_and_its_negation(account: Account, mailbox: MailboxId) -> None:
    for key, expected in CASES:
        others = [uid for uid in (1, 2, 3, 4) if uid not in expected]
        assert (key, list((await account.search(mailbox, key, EVERYTHING)).uids)) == (key, expected)
        assert (key, list((await account.search(mailbox, Not(key), EVERYTHING)).uids)) == (key, others)
        some = [uid for uid in expected if uid in (2, 4)]
        assert (key, list((await account.search(mailbox, key, uids(2, 4))).uids)) == (key, some)


async def test_a_search_among_messages_far_apart_finds_only_these(account: Account) -> None:
    box = await fill(account, 90)
    for within in (
        uids(1, 90),
        Uids.of(map(Uid, range(1, 91, 2))),
        Uids.of(Uid(number) for number in range(1, 91) if number % 5),
    ):
        found = await account.search(box, InSubject("number 1"), within)
        assert list(found.uids) == [uid for uid in within if str(uid - 1).startswith("1")]


async def test_within_nothing_is_nothing(account: Account, mailbox: MailboxId) -> None:
    assert not (await account.search(mailbox, All(), Uids())).uids


async def test_search_for_save_dates(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = await inbox(account)
    # the 27th and 28th December 2014: the day is the day in UTC, whatever the internal date is
    for moment in (1_419_724_799, 1_419_724_800, 1_419_811_199, 1_419_811_200):
        monkeypatch.setattr(time, "time", lambda moment=moment: float(moment))
        await account.append(mailbox, [incoming(internaldate=1644269400, zone=180)])
    day = date(2014, 12, 28)
    cases = {When.BEFORE: [1], When.ON: [2, 3], When.SINCE: [2, 3, 4]}
    for when, expected in cases.items():
        assert list((await account.search(mailbox, Saved(when, day), EVERYTHING)).uids) == expected
        others = [uid for uid in (1, 2, 3, 4) if uid not in expected]
        assert list((await account.search(mailbox, Not(Saved(when, day)), EVERYTHING)).uids) == others


async def test_search_for_modseqs(account: Account, mailbox: MailboxId) -> None:
    stored = await account.store_flags(mailbox, uids(2, 3), FlagChange.ADD, frozenset({"$New"}))
    assert (await account.search(mailbox, ChangedSince(stored.modseq), EVERYTHING)).uids == uids(2, 3)
    assert not (await account.search(mailbox, ChangedSince(stored.modseq + 1), EVERYTHING)).uids
    assert len((await account.search(mailbox, ChangedSince(0), EVERYTHING)).uids) == 4
    assert not (await account.search(mailbox, ChangedSince(2**64 - 1), EVERYTHING)).uids


@pytest.mark.parametrize(
    ("part", "highest"),
    [
        (WHOLE, "third"),
        (Part(first=True), "first"),
        (Part(last=True), "second"),
        (Part(first=True, last=True), "second"),
        (Part(page=PartialRange(-1, -2)), "third"),
        (Part(page=PartialRange(5, 1)), "third"),
        (Part(first=True, page=PartialRange(2, 2)), "third"),
    ],
)
async def test_the_highest_modseq_of_a_part_comes_with_the_uids(
    account: Account, mailbox: MailboxId, part: Part, highest: str
) -> None:
    modseqs = {
        name: (await account.store_flags(mailbox, uids(uid), FlagChange.ADD, frozenset({"$New"}))).modseq
        for name, uid in (("first", 1), ("second", 4), ("third", 2))
    }
    found = await account.search(mailbox, HasFlag("$New"), EVERYTHING, modseq_of=part)
    assert found == (uids(1, 2, 4), modseqs[highest])
    # the first and the last message in the order of the answer
    by_subject = [SortCriterion(SortKey.SUBJECT)]
    ends = await account.sort(mailbox, HasFlag("$New"), uids(1, 4), by_subject, modseq_of=part)
    assert (list(ends.uids), ends.modseq) == ([4, 1], modseqs["first" if part == Part(last=True) else "second"])


async def test_the_modseq_is_of_messages_that_were_found(account: Account, mailbox: MailboxId) -> None:
    kept = await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"$New"}))
    await account.store_flags(mailbox, uids(2), FlagChange.ADD, frozenset({"$New"}))
    await account.store_flags(mailbox, uids(3), FlagChange.ADD, frozenset({"$Other"}))
    await account.remove(mailbox, uids(2))
    found = await account.search(mailbox, HasFlag("$New"), EVERYTHING, modseq_of=WHOLE)
    assert found == (uids(1), kept.modseq)


async def test_no_modseq_where_none_is_asked_for_or_nothing_is_found(account: Account, mailbox: MailboxId) -> None:
    nothing = HasFlag("$None")
    assert await account.search(mailbox, All(), uids(1)) == (uids(1), None)
    assert await account.search(mailbox, nothing, EVERYTHING, modseq_of=WHOLE) == (Uids(), None)
    criteria = [SortCriterion(SortKey.ARRIVAL)]
    assert (await account.sort(mailbox, All(), EVERYTHING, criteria)).modseq is None
    assert (await account.sort(mailbox, nothing, EVERYTHING, criteria, modseq_of=WHOLE)).modseq is None


async def test_the_answer_is_current(account: Account, mailbox: MailboxId) -> None:
    assert not (await account.search(mailbox, InBody("needle"), EVERYTHING)).uids
    await account.append(mailbox, [incoming(octets=b"Subject: x\r\n\r\na needle\r\n")])
    assert (await account.search(mailbox, InBody("needle"), EVERYTHING)).uids == uids(5)
    await account.remove(mailbox, uids(5))
    assert not (await account.search(mailbox, InBody("needle"), EVERYTHING)).uids


RELEVANCY = SortCriterion(SortKey.RELEVANCY)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (Fuzzy(InSubject("dinner on friday")), {1: 100}),
        (Fuzzy(InSubject("friday dinner")), {1: 90}),
        (Fuzzy(InBody("garden")), {1: 100, 2: 100, 3: 100}),
        (Fuzzy(InBody("gardn green")), {3: 72}),
        (Or(Fuzzy(InText("gardn")), Fuzzy(InText("friday"))), {1: 100, 2: 48, 3: 48}),
        (And((Fuzzy(InText("garden")), Fuzzy(InSubject("istanbl")))), {2: 70}),
        (HasFlag("\\Seen"), {2: 100, 4: 100}),
    ],
    ids=str,
)
async def test_the_relevancy(account: Account, mailbox: MailboxId, key: SearchKey, expected: dict[int, int]) -> None:
    found = (await account.search(mailbox, key, EVERYTHING)).uids
    assert dict(zip(found, await account.relevancy(mailbox, key, found), strict=True)) == expected
    best_first = sorted(expected, key=lambda uid: -expected[uid])
    assert list((await account.sort(mailbox, key, EVERYTHING, [RELEVANCY])).uids) == best_first
    last_first = sorted(expected, key=expected.__getitem__)
    assert list((await account.sort(mailbox, key, EVERYTHING, [replace(RELEVANCY, reverse=True)])).uids) == last_first


async def test_relevancy_among_other_criteria(account: Account, mailbox: MailboxId) -> None:
    key = Fuzzy(InText("gardn"))
    by_size = [RELEVANCY, SortCriterion(SortKey.SIZE, reverse=True)]
    sizes = {uid: len(MESSAGES[uid - 1]) for uid in (1, 2, 3)}
    assert list((await account.sort(mailbox, key, EVERYTHING, by_size)).uids) == sorted(sizes, key=lambda u: -sizes[u])
    # an answer of one search is not that of another
    other = Or(key, Fuzzy(InSubject("istanbul")))
    assert next(iter((await account.sort(mailbox, other, EVERYTHING, by_size)).uids)) == 2
    assert list((await account.sort(mailbox, key, uids(3), by_size)).uids) == [3]


async def test_a_message_that_is_gone_has_the_lowest_relevancy(account: Account, mailbox: MailboxId) -> None:
    key = Fuzzy(InText("garden"))
    await account.remove(mailbox, uids(2))
    assert await account.relevancy(mailbox, key, uids(1, 2, 3)) == [80, 1, 80]
    assert await account.relevancy(mailbox, key, Uids()) == []


@pytest.mark.parametrize("depth", [3, 600, 5000])
async def test_programs_of_any_depth(account: Account, mailbox: MailboxId, depth: int) -> None:
    negations: SearchKey = HasFlag("\\Seen")
    alternating: SearchKey = HasFlag("\\Seen")
    for level in range(depth):
        negations = Not(negations)
        leaf = InUids(uids(1)) if level % 2 else All()
        alternating = Or(InUids(Uids()), alternating) if level % 2 else Not(Not(And((leaf, alternating))))
    expected = uids(2, 4) if depth % 2 == 0 else uids(1, 3)
    assert (await account.search(mailbox, negations, EVERYTHING)).uids == expected
    assert (await account.search(mailbox, alternating, EVERYTHING)).uids == uids(2, 4)


async def test_programs_of_any_width(account: Account, mailbox: MailboxId) -> None:
    wide: SearchKey = InSubject("dinner")
    for number in range(3000):
        wide = Or(InSubject(f"no such {number}"), wide)
    assert (await account.search(mailbox, wide, EVERYTHING)).uids == uids(1)
    assert (await account.search(mailbox, And((HasFlag("\\Seen"),) * 3000), EVERYTHING)).uids == uids(2, 4)


async def test_scattered_uids_inside_an_or(account: Account) -> None:
    mailbox = await fill(account, 200)
    scattered = Uids.of_sorted(range(1, 200, 3))
    key = Or(InUids(scattered), InUids(uids(2)))
    assert (await account.search(mailbox, key, EVERYTHING)).uids == scattered | uids(2)
    assert (await account.search(mailbox, Not(key), EVERYTHING)).uids == Uids.span(1, 200) - scattered - uids(2)


async def test_a_header_that_is_larger_than_a_chunk_is_searched_to_its_end(account: Account) -> None:
    mailbox = await inbox(account)
    long = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 900) for number in range(400))
    await account.append(mailbox, [incoming(octets=long + b"X-Last: the end\r\n\r\nbody\r\n")])
    assert (await account.search(mailbox, InHeader("x-last", "THE END"), EVERYTHING)).uids == uids(1)


async def test_the_status_counts_every_message_once(account: Account, mailbox: MailboxId) -> None:
    await account.copy(mailbox, uids(1, 2), "Archive")
    status = await account.search_status()
    assert status.messages == 4
    assert 0 <= status.indexed <= 4
    await account.remove(mailbox, uids(3))
    assert (await account.search_status()).messages == 4
    await account.retention.forget(EVERYTHING)
    assert (await account.search_status()).messages == 3


async def test_a_mailbox_that_is_gone_is_not_searched(account: Account) -> None:
    made = await account.create("work")
    await account.delete("work")
    with pytest.raises(Refused) as caught:
        await account.search(made.id, All(), EVERYTHING)
    assert caught.value.code is Code.NONEXISTENT
