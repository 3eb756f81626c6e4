"""Watched searches: edits that a client can follow, places of new messages, ages, and searches that fail."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mektup.imap import texts
from mektup.imap.session import ImapSession
from mektup.imap.sync import context_results, contexts, sort_places
from mektup.imap.sync.context_results import Edit, FoundResults, SortedResults
from mektup.imap.sync.sort_places import places
from mektup.store.interface import Account, Incoming, Sorted
from mektup.store.prepare import prepare_in_turn
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.sets import NumberSet, Uids
from tests.support.dialogue import Dialogue
from tests.support.services import Given, append, given_services

orders = st.lists(st.integers(1, 40), unique=True, max_size=30)


@pytest.fixture
async def given_mail() -> AsyncIterator[Given]:
    async with given_services() as services:
        yield services


def followed(results: Sequence[int], edits: Sequence[Edit], *, adds: bool) -> list[int]:
    """What a client makes of *edits* (RFC 5267 §4.3.3, §4.3.4)."""
    listed = list(results)
    for position, uids in edits:
        assert len(uids) <= context_results.EDIT_NUMBERS
        if adds:
            listed[position - 1 : position - 1] = uids
        else:
            assert listed[position - 1 : position - 1 + len(uids)] == list(uids)
            del listed[position - 1 : position - 1 + len(uids)]
    return listed


@given(orders, st.sets(st.integers(1, 40)), st.integers(1, 4))
def test_edits_remove_from_sorted_results(order: list[int], gone: set[int], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context_results, "EDIT_NUMBERS", most)
        results = SortedResults([Uid(each) for each in order])
        wanted = results.known(NumberSet.of(map(Uid, gone)))
        assert set(wanted) == gone & set(order)
        edits = results.remove(wanted)
        assert followed(order, edits, adds=False) == list(results.order) == [each for each in order if each not in gone]


@given(orders, st.integers(0, 30), st.integers(1, 4))
def test_edits_add_to_sorted_results(order: list[int], new: int, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context_results, "EDIT_NUMBERS", most)
        old = [Uid(each) for each in order[new:]]
        results = SortedResults(old)
        wanted = sorted((len(old) * each // 41, Uid(each)) for each in order[:new])
        edits = results.add(wanted)
        assert followed(old, edits, adds=True) == list(results.order)
        assert sorted(results.order) == sorted(order)
        assert [uid for uid in results.order if uid in old] == old


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.integers(1, 4))
def test_edits_of_found_results(before: set[int], after: set[int], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context_results, "EDIT_NUMBERS", most)
        results = FoundResults(NumberSet.of(map(Uid, before)))
        gone, new = NumberSet.of(map(Uid, before - after)), NumberSet.of(map(Uid, after - before))
        edits = [*results.remove(gone), *results.add(new)]
        assert {position for position, _ in edits} <= {0}
        assert {uid for _, uids in edits for uid in uids} == before ^ after
        assert set(results.known(NumberSet.span(1, 60))) == after


class SortingAccount:
    """The one verb of an account that ``places`` uses: sorts existing messages by a rank, then by UID."""

    def __init__(self, ranks: dict[int, int]) -> None:
        self.ranks = ranks
        self.sorted: list[int] = []

    async def sort(self, mailbox: MailboxId, key: object, within: Uids, criteria: object) -> Sorted:
        self.sorted.append(len(within))
        there = [uid for uid in within if uid in self.ranks]
        return Sorted(sorted(there, key=lambda uid: (self.ranks[uid], uid)), None)


ranks = st.dictionaries(st.integers(1, 200), st.integers(0, 5), max_size=60)


@settings(max_examples=200)
@given(
    ranks, st.sets(st.integers(1, 200)), st.sets(st.integers(1, 200), max_size=10), st.integers(1, 5), st.integers(0, 8)
)
async def test_new_messages_get_their_places(
    ranks: dict[int, int], new: set[int], gone: set[int], probes: int, few: int
) -> None:
    def key(uid: int) -> tuple[int, int]:
        return ranks[uid], uid

    order = sorted((uid for uid in ranks if uid not in new), key=key)
    account: Any = SortingAccount({uid: rank for uid, rank in ranks.items() if uid not in gone})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sort_places, "PROBES", probes)
        patch.setattr(sort_places, "FEW_NEW", few)
        found = await places(account, MailboxId(1), (), [Uid(uid) for uid in order], NumberSet.of(map(Uid, new)))
    results = SortedResults([Uid(uid) for uid in order])
    results.add(found)
    # expunged messages leave the list soon; the order of the others is right already
    left = [uid for uid in results.order if uid not in gone]
    assert left == sorted((uid for uid in ranks if uid not in gone), key=key)


async def test_a_place_among_many_is_found_by_comparing_few() -> None:
    account: Any = SortingAccount({uid: -uid for uid in range(1, 100_002)})
    order = [Uid(uid) for uid in range(100_001, 0, -1) if uid != 5000]
    found = await places(account, MailboxId(1), (), order, NumberSet.of([Uid(5000)]))
    assert found == [(95_001, 5000)]
    assert len(account.sorted) <= 3
    assert max(account.sorted) <= sort_places.PROBES + 1


@asynccontextmanager
async def selected(given: Given, **limits: Any) -> AsyncIterator[Dialogue]:
    async with Dialogue(ImapSession, given.limited(**limits)) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
        await dialogue.until(b"b OK ")
        await dialogue.line()
        yield dialogue


async def answer(dialogue: Dialogue, command: bytes, tag: bytes = b"d") -> list[bytes]:
    """The untagged lines of the answer to *command*, which must be OK."""
    dialogue.send(tag + b" " + command + b"\r\n")
    lines: list[bytes] = []
    while not (line := await dialogue.line()).startswith(tag + b" "):
        lines.append(line)
    assert line.startswith(tag + b" OK"), line
    return lines


async def test_ages_are_looked_at_once_a_minute(given_mail: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    await append(await given_mail.account(), b"Subject: x\r\n\r\nx\r\n")
    now, ticks = time.time(), time.monotonic()
    async with selected(given_mail) as client:
        assert (await answer(client, b"UID SEARCH RETURN (UPDATE ALL) YOUNGER 100", b"w1"))[-1].endswith(b"ALL 1")
        assert (await answer(client, b"SEARCH RETURN (UPDATE ALL) OLDER 100", b"w2"))[-1].endswith(b'"w2")')
        monkeypatch.setattr(time, "time", lambda: now + 200)
        assert await answer(client, b"NOOP") == []
        monkeypatch.setattr(time, "monotonic", lambda: ticks + 2 * contexts.AGES_SECONDS)
        told = [b'* ESEARCH (TAG "w1") UID REMOVEFROM (0 1)', b'* ESEARCH (TAG "w2") ADDTO (0 1)']
        assert await answer(client, b"NOOP") == told
        assert await answer(client, b"NOOP") == []


class Refusing:
    """Stands before an account's search: refuses as often as it is told to."""

    def __init__(self, account: Account) -> None:
        self._search = account.search
        self.refusals: list[Refused] = []

    async def search(self, *args: Any, **kwargs: Any) -> Any:
        if self.refusals:
            raise self.refusals.pop()
        return await self._search(*args, **kwargs)


async def test_what_could_not_be_searched_is_told_later(given_mail: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await given_mail.account()
    refusing = Refusing(account)
    monkeypatch.setattr(account, "search", refusing.search)
    async with selected(given_mail) as client:
        await answer(client, b"UID SEARCH RETURN (UPDATE) ALL", b"w1")
        await answer(client, b"UID SORT RETURN (UPDATE) (SUBJECT) UTF-8 ALL", b"w2")
        await append(account, b"Subject: x\r\n\r\nx\r\n")
        refusing.refusals = [Refused(Code.UNAVAILABLE, texts.CLOSED)]
        assert await answer(client, b"NOOP") == [b"* 1 EXISTS", b"* 1 RECENT"]
        told = [b'* ESEARCH (TAG "w1") UID ADDTO (0 1)', b'* ESEARCH (TAG "w2") UID ADDTO (1 1)']
        assert await answer(client, b"NOOP") == told


async def test_a_search_that_takes_too_long_is_watched_no_longer(
    given_mail: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await given_mail.account()
    refusing = Refusing(account)
    monkeypatch.setattr(account, "search", refusing.search)
    async with selected(given_mail) as client:
        await answer(client, b"UID SEARCH RETURN (UPDATE) ALL", b"w1")
        await answer(client, b"UID SEARCH RETURN (UPDATE) UNSEEN", b"w2")
        await append(account, b"Subject: x\r\n\r\nx\r\n")
        refusing.refusals = [Refused(Code.LIMIT, texts.CLOSED)]
        _, _, ended, told = await answer(client, b"NOOP")
        assert ended.startswith(b'* NO [NOUPDATE "w1"] ')
        assert told == b'* ESEARCH (TAG "w2") UID ADDTO (0 1)'
        await answer(client, b"UID SEARCH RETURN (UPDATE) ALL", b"w1")


async def test_many_edits_are_told_in_lines_of_a_bounded_length(given_mail: Given) -> None:
    account = await given_mail.account()
    box = (await account.mailbox("INBOX")).id
    prepared = [await prepare_in_turn(b"Subject: %d\r\n\r\nx\r\n" % (each % 2)) for each in range(2)]
    await account.append(box, [Incoming(prepared[each % 2]) for each in range(6000)])
    async with selected(given_mail) as client:
        await answer(client, b"UID SEARCH RETURN (UPDATE) SUBJECT 1 UNSEEN", b"w1")
        await answer(client, b"UID SORT RETURN (UPDATE) (REVERSE SUBJECT) UTF-8 FLAGGED", b"w2")
        await account.store_flags(box, Uids.span(1, 6000), FlagChange.ADD, frozenset({"\\Seen", "\\Flagged"}))
        lines = [line for line in await answer(client, b"NOOP") if line.startswith(b"* ESEARCH")]
        assert max(map(len, lines)) < 16_000
        assert len(lines) < 20
