"""A search in stages: whatever is answered first, the result is that of all answers together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mektup.store.rules.search_bounds import Stages, bounds
from mektup.terms import search as terms
from mektup.terms.numbers import Uid
from mektup.terms.search import SearchKey
from mektup.terms.search_walk import set_algebra, walk
from mektup.terms.sets import NumberSet, Uids

EVERY: Uids = NumberSet.span(1, 12)

leaves = st.sampled_from("abcde").map(terms.InSubject)
programs: st.SearchStrategy[SearchKey] = st.recursive(
    leaves,
    lambda below: st.one_of(
        below.map(terms.Not),
        st.tuples(below, below).map(lambda two: terms.Or(*two)),
        st.lists(below, min_size=1, max_size=3).map(lambda keys: terms.And(tuple(keys))),
    ),
    max_leaves=8,
)
sets = st.frozensets(st.integers(1, 12)).map(lambda uids: NumberSet[Uid].of(map(Uid, uids)))
answers = st.fixed_dictionaries({terms.InSubject(letter): sets for letter in "abcde"})


@given(programs, answers, st.permutations("abcde"))
def test_answers_in_any_order_give_the_result_of_all(
    key: SearchKey, found: dict[SearchKey, Uids], order: list[str]
) -> None:
    expected = walk(key, set_algebra(found.__getitem__, EVERY))
    stages = Stages(key, EVERY)
    for letter in order:
        # a costly key is only asked for the messages that are open
        stages.learn({terms.InSubject(letter): found[terms.InSubject(letter)] & stages.open})
        assert stages.certain & expected == stages.certain
        assert expected - stages.certain == expected & stages.open
    assert stages.certain == expected


def test_what_no_other_key_can_change_is_closed() -> None:
    asked = terms.Or(terms.InSubject("a"), terms.And((terms.InSubject("b"), terms.InSubject("c"))))
    known = {terms.InSubject("a"): NumberSet.of([Uid(1)]), terms.InSubject("b"): NumberSet.of([Uid(1), Uid(2)])}
    found = bounds(asked, NumberSet.span(1, 3), known.get)
    assert list(found.certain) == [1]
    assert list(found.open) == [2]
