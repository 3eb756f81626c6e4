"""The relevancy of messages from that of the fuzzy keys."""

from __future__ import annotations

from mektup.store.rules.relevancy import relevancies
from mektup.terms.numbers import Uid
from mektup.terms.search import All, And, Fuzzy, InSubject, Not, Or, SearchKey
from mektup.terms.sets import Uids

ONE, OTHER = Fuzzy(InSubject("one")), Fuzzy(InSubject("other"))
OF_KEY = {ONE: {Uid(1): 80, Uid(2): 40}, OTHER: {Uid(1): 20, Uid(3): 60}}


def of(key: SearchKey) -> list[int]:
    return relevancies(key, Uids.span(1, 4), OF_KEY.__getitem__)


def test_of_one_key() -> None:
    assert of(ONE) == [80, 40, 1, 1]


def test_all_keys_count_for_and_the_best_for_or() -> None:
    assert of(And((ONE, OTHER))) == [50, 20, 30, 1]
    assert of(Or(ONE, OTHER)) == [80, 40, 60, 1]


def test_exact_keys_and_what_must_not_match_do_not_count() -> None:
    assert of(And((ONE, All(), Not(OTHER)))) == of(ONE)
    assert of(Or(All(), ONE)) == of(ONE)
    assert of(Not(ONE)) == of(All()) == [100] * 4


def test_any_depth() -> None:
    key: SearchKey = ONE
    for _ in range(5000):
        key = Or(And((All(), key)), ONE)
    assert of(key) == of(ONE)
