"""Searches in blocks of state, against a list of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mektup.store.rules.flag_index import TOO_MANY
from mektup.store.rules.keyword_sets import KEYWORD_SHIFT, KeywordSets
from mektup.store.state_blocks import TailRow
from mektup.store.state_search import StateColumns
from mektup.terms import search as terms
from mektup.terms.numbers import ContentId, ModSeq, Uid
from mektup.terms.search import SearchKey, When
from mektup.terms.sets import NumberSet, Uids
from tests.store.test_state_blocks import in_blocks

NOW = 1_000_000
DAY = 86400


class Sets(KeywordSets[None]):
    """Two sets of keywords."""

    def _load(self, change: None) -> None:
        raise NotImplementedError

    def _kept(self, change: None) -> frozenset[int]:
        raise NotImplementedError

    def _highest_word(self, change: None) -> int:
        raise NotImplementedError

    def _keep(self, change: None, number: int, names: str, undo: Callable[[], None]) -> None:
        raise NotImplementedError


def keyword_sets() -> Sets:
    sets = Sets()
    sets.learn([(1, "Red"), (2, "Blue Red")])
    return sets


def flags_of(word: int) -> frozenset[str]:
    keywords = {0: (), 1: ("red",), 2: ("blue", "red")}[word >> KEYWORD_SHIFT]
    return frozenset([*keywords, *(["\\seen"] if word & 1 else []), *(["\\deleted"] if word & 8 else [])])


messages = st.builds(
    TailRow,
    uid=st.just(Uid(0)),
    flags=st.sampled_from([0, 1, 8, 9, 32, 33, 64, 65]),
    modseq=st.integers(1, 9).map(ModSeq),
    content=st.integers(1, 12).map(ContentId),
    size=st.integers(0, 9),
    arrived=st.integers(NOW - 4 * DAY, NOW),
    zone=st.integers(-900, 900),
    saved=st.integers(NOW - 4 * DAY, NOW),
)
mailboxes = st.dictionaries(st.integers(1, 800), messages, max_size=30).map(
    lambda by_uid: [row._replace(uid=Uid(uid)) for uid, row in sorted(by_uid.items())]
)
days = st.integers(NOW - 5 * DAY, NOW).map(lambda seconds: datetime.fromtimestamp(seconds, UTC).date())
keys: st.SearchStrategy[SearchKey] = st.one_of(
    st.just(terms.All()),
    st.sampled_from(["\\Seen", "\\DELETED", "red", "BLUE", "other"]).map(terms.HasFlag),
    st.lists(st.integers(1, 800)).map(lambda uids: terms.InUids(NumberSet.of(map(Uid, uids)))),
    st.builds(terms.Arrived, st.sampled_from(When), days),
    st.builds(terms.Saved, st.sampled_from(When), days),
    st.integers(0, 5 * DAY).map(terms.Older),
    st.integers(0, 5 * DAY).map(terms.Younger),
    st.integers(0, 9).map(terms.Larger),
    st.integers(0, 9).map(terms.Smaller),
    st.integers(1, 10).map(terms.ChangedSince),
)


def compares(when: When, one: date, other: date) -> bool:
    return {When.BEFORE: one < other, When.ON: one == other, When.SINCE: one >= other}[when]


def day_of(seconds: int, zone: int) -> date:
    return (datetime.fromtimestamp(seconds, UTC) + timedelta(minutes=zone)).date()


def matches(row: TailRow, key: SearchKey) -> bool:
    match key:
        case terms.HasFlag(flag):
            return flag.lower() in flags_of(row.flags)
        case terms.InUids(uids):
            return row.uid in uids
        case terms.Arrived(when, day):
            return compares(when, day_of(row.arrived, row.zone), day)
        case terms.Saved(when, day):
            return compares(when, day_of(row.saved, 0), day)
        case terms.Older(seconds):
            return NOW - row.arrived >= seconds
        case terms.Younger(seconds):
            return NOW - row.arrived <= seconds
        case terms.Larger(octets):
            return row.size > octets
        case terms.Smaller(octets):
            return row.size < octets
        case terms.ChangedSince(modseq):
            return row.modseq >= modseq
    return True


def columns(mailbox: Iterable[TailRow], tail: Iterable[int], within: Uids) -> StateColumns:
    rows = [row for row in mailbox if row.uid % 5 in tail]
    return StateColumns.of(within, *in_blocks(row for row in mailbox if row.uid % 5 not in tail), rows)


tails = st.sets(st.integers(0, 4))
spans = st.tuples(st.integers(1, 800), st.integers(1, 800)).map(lambda two: NumberSet[Uid].span(*two))


@given(mailboxes, tails, spans, keys)
def test_a_key_finds_what_a_look_at_each_message_finds(
    mailbox: list[TailRow], tail: set[int], within: Uids, key: SearchKey
) -> None:
    state = columns(mailbox, tail, within)
    found = state.matching(key, keyword_sets(), NOW) & within
    assert list(found) == [row.uid for row in mailbox if row.uid in within and matches(row, key)]


@given(mailboxes, tails, spans, st.sets(st.integers(1, 12)))
def test_messages_are_found_by_contents_and_contents_by_messages(
    mailbox: list[TailRow], tail: set[int], within: Uids, contents: set[int]
) -> None:
    state = columns(mailbox, tail, within)
    there = [row for row in mailbox if row.uid in within]
    assert list(state.with_contents(contents) & within) == [row.uid for row in there if row.content in contents]
    assert list(state.contents_of(state.uids & within)) == [row.content for row in there]
    assert state.highest_modseq(within) == max((row.modseq for row in there), default=0)


@given(mailboxes, tails, st.sampled_from(["\\Seen", "red", "blue"]))
def test_the_index_of_flags_answers_as_the_blocks_do(mailbox: list[TailRow], tail: set[int], flag: str) -> None:
    everything: Uids = NumberSet.span(1, 1000)
    index = columns(mailbox, tail, everything).flag_index(ModSeq(7))
    found, _ = index.search(terms.HasFlag(flag), everything, keyword_sets())
    assert index.modseq == 7
    assert list(found) == [row.uid for row in mailbox if flag.lower() in flags_of(row.flags)]


def test_a_mailbox_of_too_many_flag_words_has_no_index() -> None:
    rows = [TailRow(Uid(at + 1), at << KEYWORD_SHIFT, ModSeq(1), ContentId(1), 0, 0, 0, 0) for at in range(257)]
    assert columns(rows, {1}, NumberSet.span(1, 1000)).flag_index(ModSeq(1)) is TOO_MANY
    assert columns(rows[:256], {1}, NumberSet.span(1, 1000)).flag_index(ModSeq(1)) is not TOO_MANY
