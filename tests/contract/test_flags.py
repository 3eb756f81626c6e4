"""STORE, keywords, UNCHANGEDSINCE."""

from __future__ import annotations

import pytest

from mektup.store.columns import Column
from mektup.store.interface import Account, FlagOrder
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import ModSeq
from mektup.terms.sets import Uids
from tests.contract.conftest import OpenStore
from tests.contract.mail import EVERYTHING, fetched, fill, flags_of, inbox, incoming, uids

ADD, REMOVE, REPLACE = FlagChange.ADD, FlagChange.REMOVE, FlagChange.REPLACE


async def test_add_remove_replace(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(), incoming("\\Seen", "$A"), incoming("\\Deleted", "$B")])
    await account.store_flags(mailbox, EVERYTHING, ADD, frozenset({"\\Seen", "$A"}))
    assert await flags_of(account, mailbox) == {
        1: {"\\Seen", "$A"},
        2: {"\\Seen", "$A"},
        3: {"\\Seen", "$A", "\\Deleted", "$B"},
    }
    await account.store_flags(mailbox, uids(1, 3), REMOVE, frozenset({"$A", "\\Deleted", "$None"}))
    assert await flags_of(account, mailbox) == {1: {"\\Seen"}, 2: {"\\Seen", "$A"}, 3: {"\\Seen", "$B"}}
    await account.store_flags(mailbox, uids(2, 3), REPLACE, frozenset({"\\Draft"}))
    assert await flags_of(account, mailbox) == {1: {"\\Seen"}, 2: {"\\Draft"}, 3: {"\\Draft"}}
    await account.store_flags(mailbox, uids(2), REPLACE, frozenset())
    assert await flags_of(account, mailbox, uids(2)) == {2: set()}


async def test_only_what_differs_is_changed(account: Account) -> None:
    mailbox = await inbox(account)
    appended = await account.append(mailbox, [incoming("\\Seen"), incoming(), incoming("\\Seen")])
    stored = await account.store_flags(mailbox, EVERYTHING, ADD, frozenset({"\\Seen"}))
    assert (stored.changed, stored.failed, stored.previous) == (uids(2), Uids(), appended.modseq)
    assert await fetched(account, mailbox, EVERYTHING, Column.MODSEQ) == [
        (1, appended.modseq),
        (2, stored.modseq),
        (3, appended.modseq),
    ]
    again = await account.store_flags(mailbox, EVERYTHING, ADD, frozenset({"\\Seen"}))
    assert (again.changed, again.modseq, again.previous) == (Uids(), stored.modseq, stored.modseq)
    assert await account.modseq(mailbox) == stored.modseq


async def test_counters_follow(account: Account) -> None:
    mailbox = await fill(account, 10)
    await account.store_flags(mailbox, uids(1, 2, 3, 5, 8), ADD, frozenset({"\\Seen", "\\Deleted"}))
    now = await account.mailbox("INBOX")
    assert (now.messages, now.unseen, now.deleted) == (10, 5, 5)
    await account.store_flags(mailbox, uids(3, 4, 5), REPLACE, frozenset({"\\Deleted"}))
    now = await account.mailbox("INBOX")
    assert (now.messages, now.unseen, now.deleted) == (10, 7, 6)


async def test_scattered_messages_with_many_kinds_of_flags(account: Account) -> None:
    mailbox = await inbox(account)
    kinds = [frozenset({f"$K{number % 7}", "\\Seen"}) if number % 3 else frozenset() for number in range(1500)]
    message = incoming()
    await account.append(mailbox, [incoming(*kind, octets=bytes(message.arrival.raw)) for kind in kinds])
    wanted = Uids.of_sorted(range(2, 1500, 5))
    stored = await account.store_flags(mailbox, wanted, ADD, frozenset({"\\Flagged", "$K1"}))
    assert stored.changed == wanted
    expected = {
        number: set(kind) | ({"\\Flagged", "$K1"} if number in wanted else set())
        for number, kind in enumerate(kinds, 1)
    }
    assert await flags_of(account, mailbox) == expected


async def test_keywords_compare_without_case_and_keep_their_first_spelling(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming("$MDNSent"), incoming("$mdnsent", "\\SEEN")])
    assert await flags_of(account, mailbox) == {1: {"$MDNSent"}, 2: {"$MDNSent", "\\Seen"}}
    await account.store_flags(mailbox, uids(1), REMOVE, frozenset({"$MDNSENT"}))
    assert await flags_of(account, mailbox, uids(1)) == {1: set()}
    words = await fetched(account, mailbox, uids(2), Column.FLAGS)
    await account.store_flags(mailbox, uids(1), REPLACE, frozenset({"\\Seen", "$mDNSent"}))
    assert [row[1] for row in await fetched(account, mailbox, uids(1), Column.FLAGS)] == [words[0][1]]


async def test_a_mailbox_remembers_its_keywords_by_first_use(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming("$B")])
    await account.store_flags(mailbox, uids(1), REPLACE, frozenset({"$C"}))
    await account.store_flags(mailbox, uids(1), REPLACE, frozenset({"$A"}))
    await account.store_flags(mailbox, uids(1), REPLACE, frozenset())
    assert (await account.select("INBOX", claim_recent=False)).keywords == ("$B", "$C", "$A")
    assert (await account.select("Trash", claim_recent=False)).keywords == ()


async def test_system_flags_are_spelled_in_their_usual_order(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming("$z", "\\Draft", "\\Seen", "\\Deleted", "\\Flagged", "\\Answered", "$a")])
    ((_, word),) = await fetched(account, mailbox, EVERYTHING, Column.FLAGS)
    assert account.flag_names(word) == ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft", "$a", "$z")


async def test_words_that_were_looked_up_are_known_to_the_next_session(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming("$a"), incoming("\\Seen")])
    assert account.known_words(64) == ()
    words = [word for _, word in await fetched(account, mailbox, EVERYTHING, Column.FLAGS)]
    names = [account.flag_names(word) for word in words]
    assert account.known_words(64) == tuple(zip(words, names, strict=True))
    assert account.known_words(1) is None


async def test_recent_is_not_stored(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming("\\Recent")])
    assert await flags_of(account, mailbox) == {1: set()}


async def test_too_many_keywords_are_refused(opened: OpenStore) -> None:
    store = await opened(limits=Limits(keywords_per_mailbox=3, keyword_bytes=10))
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 2)
    await account.store_flags(mailbox, uids(1), ADD, frozenset({"a", "b", "c"}))
    for flags in ({"d"}, {"x" * 11}):
        for asking in (
            account.store_flags(mailbox, uids(1, 2), ADD, frozenset(flags)),
            account.append(mailbox, [incoming(*flags)]),
        ):
            with pytest.raises(Refused) as caught:
                await asking
            assert caught.value.code is Code.LIMIT
    await account.store_flags(mailbox, uids(2), ADD, frozenset({"A", "C"}))
    assert await flags_of(account, mailbox) == {1: {"a", "b", "c"}, 2: {"a", "c"}}


async def test_unchanged_since_leaves_alone_what_changed(account: Account) -> None:
    mailbox = await fill(account, 6)
    known = await account.modseq(mailbox)
    other = await account.store_flags(mailbox, uids(2, 5), ADD, frozenset({"\\Answered"}))
    stored = await account.store_flags(mailbox, uids(1, 2, 3, 5), ADD, frozenset({"\\Seen"}), unchanged_since=known)
    assert (stored.changed, stored.failed, stored.previous) == (uids(1, 3), uids(2, 5), other.modseq)
    assert await flags_of(account, mailbox, uids(1, 2, 3)) == {1: {"\\Seen"}, 2: {"\\Answered"}, 3: {"\\Seen"}}
    # RFC 7162 §3.1.3: with 0 every message has changed since
    nothing = await account.store_flags(mailbox, EVERYTHING, ADD, frozenset({"\\Draft"}), unchanged_since=ModSeq(0))
    assert (nothing.changed, nothing.failed, nothing.modseq) == (Uids(), Uids.span(1, 6), stored.modseq)


async def test_orders_in_turn_see_each_other_and_have_modseqs_of_their_own(account: Account) -> None:
    mailbox = await fill(account, 2)
    first, second, third = await account.store_flags_in_turn(
        mailbox,
        [
            FlagOrder(uids(1), FlagChange.ADD, frozenset({"\\Flagged"})),
            FlagOrder(uids(1), FlagChange.REPLACE, frozenset({"$new"})),
            FlagOrder(uids(2, 9), FlagChange.REMOVE, frozenset({"\\Seen"})),
        ],
    )
    assert first.previous < first.modseq == second.previous < second.modseq == third.previous == third.modseq
    assert await fetched(account, mailbox, uids(1), Column.MODSEQ) == [(1, second.modseq)]
    assert (first.changed, second.changed, third.changed) == (uids(1), uids(1), uids())
    told = [
        (uid, account.flag_names(word), modseq) for each in (first, second) for uid, word, modseq in each.flags or ()
    ]
    assert told == [(1, ("\\Flagged",), first.modseq), (1, ("$new",), second.modseq)]
    assert await flags_of(account, mailbox) == {1: {"$new"}, 2: set()}


async def test_orders_in_turn_are_all_or_none(opened: OpenStore) -> None:
    store = await opened(limits=Limits(keywords_per_mailbox=1))
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 1)
    with pytest.raises(Refused):
        await account.store_flags_in_turn(
            mailbox,
            [
                FlagOrder(uids(1), FlagChange.ADD, frozenset({"\\Flagged"})),
                FlagOrder(uids(1), FlagChange.ADD, frozenset({"one", "two"})),
            ],
        )
    assert await flags_of(account, mailbox) == {1: set()}


async def test_a_store_tells_the_keywords_it_gave_as_they_are_spelled(account: Account) -> None:
    mailbox, trash = await inbox(account), (await account.mailbox("Trash")).id
    await account.append(mailbox, [incoming()] * 100)
    await account.append(trash, [incoming()])
    assert (await account.store_flags(mailbox, uids(1), ADD, frozenset({"$Work", "\\Seen"}))).keywords == ("$Work",)
    assert (await account.store_flags(mailbox, uids(1), ADD, frozenset({"$work"}))).keywords == ()
    many = await account.store_flags(mailbox, EVERYTHING, ADD, frozenset({"$WORK", "New"}))
    assert many.keywords == ("$Work", "New")
    assert (await account.store_flags(trash, uids(1), REPLACE, frozenset({"NEW"}))).keywords == ("New",)
    assert (await account.store_flags(mailbox, uids(1), REMOVE, frozenset({"$work"}))).keywords == ()


async def test_the_sets_of_keywords_of_an_account_are_bounded(opened: OpenStore) -> None:
    store = await opened(limits=Limits(keyword_sets_bytes=350))
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 3)
    for uid, keyword in ((1, "a"), (2, "b"), (3, "c")):
        await account.store_flags(mailbox, uids(uid), ADD, frozenset({keyword}))
    for asking in (
        account.store_flags(mailbox, uids(1), ADD, frozenset({"d"})),
        account.append(mailbox, [incoming("d")]),
    ):
        with pytest.raises(Refused) as caught:
            await asking
        assert caught.value.code is Code.LIMIT
    # existing keywords can be set on other messages
    await account.store_flags(mailbox, uids(1), FlagChange.REPLACE, frozenset({"B", "\\Seen"}))
    assert await flags_of(account, mailbox) == {1: {"b", "\\Seen"}, 2: {"b"}, 3: {"c"}}
