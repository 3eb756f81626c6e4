"""The flags of a mailbox in memory: updated with changes, and searched without reading messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.store.interface import Changes
from mektup.store.rules.flag_index import (
    ANSWERS,
    EVERY,
    KINDS,
    NOT_ASKED,
    SMALL,
    TOO_MANY,
    FlagIndex,
    answers,
    followed,
)
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.search import All, And, HasFlag, InSubject, InUids, Not, Or, SearchKey
from mektup.terms.sets import Uids
from tests.store.rules.dictionary import DictionarySets

EVERYTHING: Uids = Uids.span(1, 2**32 - 1)
SEEN, ANSWERED = 1, 2


def uids(*numbers: int) -> Uids:
    return Uids.of(Uid(number) for number in numbers)


def changes(modseq: int, words: dict[int, int], *, gone: tuple[int, ...] = ()) -> Changes:
    flags = [(Uid(uid), word, ModSeq(modseq)) for uid, word in sorted(words.items())]
    return Changes(ModSeq(modseq), EVERY, Uids(), Uids(), Uids.of(row[0] for row in flags), flags, uids(*gone), ())


@given(
    st.dictionaries(st.integers(1, 90), st.sampled_from([0, SEEN, ANSWERED, 3]), min_size=20),
    st.sets(st.integers(1, 99)),
)
def test_a_search_of_few_messages_finds_the_same(words: dict[int, int], few: set[int]) -> None:
    key = Or(HasFlag("\\Seen"), Not(HasFlag("\\Answered")))
    index = followed(NOT_ASKED, changes(1, words))
    everywhere, _ = index.search(key, EVERYTHING, DictionarySets())
    assert index.search(key, uids(*few), DictionarySets())[0] == everywhere & uids(*few)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (HasFlag("\\Seen"), [1, 3]),
        (Not(HasFlag("\\seen")), [2, 4]),
        (And((HasFlag("\\Seen"), HasFlag("\\Answered"))), [3]),
        (Or(HasFlag("\\Seen"), HasFlag("\\Answered")), [1, 2, 3]),
        (All(), [1, 2, 3, 4]),
        (And((InUids(uids(2, 3)), Not(HasFlag("\\Seen")))), [2]),
        (HasFlag("$none"), []),
    ],
)
def test_flags_are_searched(key: SearchKey, expected: list[int]) -> None:
    index = followed(NOT_ASKED, changes(5, {1: SEEN, 2: ANSWERED, 3: SEEN | ANSWERED, 4: 0}))
    assert answers(key)
    for _ in range(2):  # the second answer is a remembered one
        found, index = index.search(key, EVERYTHING, DictionarySets())
        assert list(found) == expected
        found, index = index.search(key, uids(3, 4), DictionarySets())
        assert list(found) == [uid for uid in expected if uid in (3, 4)]
        assert len(index.answered) == 1


def test_only_the_latest_answers_are_remembered() -> None:
    index = followed(NOT_ASKED, changes(5, {1: SEEN, 2: 0}))
    for number in range(2 * ANSWERS):
        _, index = index.search(HasFlag(f"$k{number}"), EVERYTHING, DictionarySets())
    assert list(index.answered) == [And((HasFlag(f"$k{number}"),)) for number in range(ANSWERS, 2 * ANSWERS)]
    deep: SearchKey = HasFlag("\\Seen")
    for _ in range(SMALL):
        deep = Not(deep)
    assert index.search(deep, EVERYTHING, DictionarySets())[1] is index


@pytest.mark.parametrize("key", [InSubject("x"), Not(InSubject("x")), Not(InUids(uids(1))), Or(All(), InSubject("x"))])
def test_other_keys_than_flags_are_not_answered(key: SearchKey) -> None:
    assert not answers(key)


def test_a_mailbox_with_too_many_kinds_of_flags_is_not_remembered() -> None:
    assert followed(NOT_ASKED, changes(5, {uid: uid << 5 for uid in range(1, KINDS + 1)})) is not TOO_MANY
    assert followed(NOT_ASKED, changes(5, {uid: uid << 5 for uid in range(1, KINDS + 2)})) is TOO_MANY


def test_words_that_no_message_has_are_forgotten() -> None:
    index = NOT_ASKED
    for modseq in range(1, 3 * KINDS):
        index = followed(index, changes(modseq, {1: modseq << 5, 2: SEEN}))
        assert words_of(index) == {1: modseq << 5, 2: SEEN}
    assert len(index.words) <= 3


def words_of(index: FlagIndex) -> dict[int, int]:
    return {uid: index.words[kind] for uid, kind in zip(index.uids, index.kinds, strict=True)}


@given(
    st.lists(
        st.tuples(st.dictionaries(st.integers(1, 20), st.integers(0, 7), max_size=6), st.sets(st.integers(1, 20))),
        max_size=6,
    )
)
def test_any_history_leads_to_what_is_there(history: list[tuple[dict[int, int], set[int]]]) -> None:
    index, there, uidnext = NOT_ASKED, dict[int, int](), 1
    for modseq, (changed, gone) in enumerate(history, 1):
        arrived = {uidnext + at: word for at, word in enumerate(changed.values())}
        uidnext += len(arrived)
        flags = {uid: word for uid, word in changed.items() if uid in there} | arrived
        flags = {uid: word for uid, word in flags.items() if uid not in gone}
        index = followed(index, changes(modseq, flags, gone=tuple(gone)))
        there = {uid: word for uid, word in (there | flags).items() if uid not in gone}
        assert words_of(index) == there
