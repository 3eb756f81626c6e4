"""SORT and THREAD, from text to requests, and their errors."""

from __future__ import annotations

import pytest

from mektup.terms.errors import Code, Refused
from mektup.terms.search import All, And, HasFlag, InSeqs, InSubject, Not
from mektup.terms.sets import STAR, SavedResult, SequenceSet
from mektup.terms.sorting import SortCriterion, SortKey, ThreadAlgorithm
from mektup.wire.requests import Sort, Thread
from tests.wire.parsing import complaint, parsed

DATE = (SortCriterion(SortKey.DATE),)


def sort(line: str, *literals: bytes) -> Sort:
    request = parsed(line, *literals)
    assert isinstance(request, Sort)
    return request


def test_sort() -> None:
    assert sort("a1 SORT (DATE) UTF-8 ALL") == Sort(b"a1", False, DATE, All(), None, "UTF-8")
    assert sort("a1 uid sort (date) utf-8 all") == Sort(b"a1", True, DATE, All(), None, "UTF-8")


@pytest.mark.parametrize("key", SortKey)
def test_each_key_in_both_directions(key: SortKey) -> None:
    assert sort(f"a1 SORT ({key.value.lower()}) UTF-8 FUZZY ALL").criteria == (SortCriterion(key),)
    assert sort(f"a1 SORT (REVERSE {key.value}) UTF-8 FUZZY ALL").criteria == (SortCriterion(key, reverse=True),)


def test_the_first_of_several_equal_keys_counts() -> None:
    request = sort("a1 SORT (SUBJECT REVERSE DATE FROM REVERSE SUBJECT DATE) UTF-8 ALL")
    assert request.criteria == (
        SortCriterion(SortKey.SUBJECT),
        SortCriterion(SortKey.DATE, reverse=True),
        SortCriterion(SortKey.FROM),
    )


def test_very_many_criteria_are_one_for_each_key() -> None:
    every = " ".join(key.value for key in SortKey)
    request = sort(f"a1 SORT ({every}{' DATE' * 20_000}) UTF-8 FUZZY ALL")
    assert [criterion.key for criterion in request.criteria] == list(SortKey)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", None),
        ("RETURN () ", {"ALL"}),
        ("RETURN (MIN max COUNT) ", {"MIN", "MAX", "COUNT"}),
        ("return (SAVE ALL) ", {"SAVE", "ALL"}),
    ],
)
def test_return(options: str, expected: set[str] | None) -> None:
    assert sort(f"a1 SORT {options}(DATE) UTF-8 ALL").return_options == expected


def test_search_keys_are_those_of_search() -> None:
    assert sort("a1 SORT (DATE) UTF-8 2:* NOT SEEN").key == And(
        (InSeqs(SequenceSet(((2, STAR),))), Not(HasFlag("\\Seen")))
    )
    assert sort("a1 UID SORT (DATE) UTF-8 $").key == InSeqs(SavedResult())
    assert sort("a1 SORT (DATE) {} SUBJECT {}", b"ISO-8859-9", b"\xfe").key == InSubject("ş")


def test_thread() -> None:
    assert parsed("a1 THREAD REFS UTF-8 ALL") == Thread(b"a1", False, ThreadAlgorithm.REFS, All(), "UTF-8")
    assert parsed("a1 THREAD REFERENCES UTF-8 ALL") == Thread(b"a1", False, ThreadAlgorithm.REFERENCES, All(), "UTF-8")
    assert parsed('a1 uid thread orderedsubject "US-ASCII" SUBJECT x') == Thread(
        b"a1", True, ThreadAlgorithm.ORDEREDSUBJECT, InSubject("x"), "US-ASCII"
    )


@pytest.mark.parametrize("command", ["SORT (DATE)", "UID THREAD REFERENCES"])
def test_an_unknown_charset_is_refused(command: str) -> None:
    with pytest.raises(Refused) as refusal:
        parsed(f"a1 {command} X-IMAGINED ALL")
    assert refusal.value.code is Code.BADCHARSET


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a1 SORT", "Expected a space and sort criteria such as (SUBJECT REVERSE DATE) at column 8"),
        ("a1 SORT RETURN (ALL)", "Expected a space and sort criteria such as (SUBJECT REVERSE DATE) at column 21"),
        (
            "a1 SORT RETURN (BEST) (DATE) UTF-8 ALL",
            "Expected MIN, MAX, ALL, COUNT, SAVE, PARTIAL, RELEVANCY, CONTEXT or UPDATE at column 17",
        ),
        ("a1 SORT (DATE REVERSE) UTF-8 ALL", "Expected a space and a sort key at column 22"),
        ("a1 SORT (DATE)", "Expected a space and a charset such as UTF-8, then search keys at column 15"),
        ("a1 SORT (DATE) UTF-8", "Expected a space and search keys such as ALL, after the charset at column 21"),
        ("a1 SORT (DATE) UTF-8 ALL)", "This ) ends no list of search keys at column 25"),
        ("a1 THREAD", "Expected a space and ORDEREDSUBJECT, REFERENCES or REFS at column 10"),
        ("a1 UID THREAD REF UTF-8 ALL", "Expected ORDEREDSUBJECT, REFERENCES or REFS at column 15"),
        ("a1 THREAD REFERENCES", "Expected a space and a charset such as UTF-8, then search keys at column 21"),
    ],
)
def test_errors(line: str, expected: str) -> None:
    assert complaint(line) == expected


@pytest.mark.parametrize("criteria", ["DATE", "()", "(DATES)", "(REVERSE REVERSE DATE)", "(DATE", "(DATE,FROM)"])
def test_invalid_lists_of_criteria(criteria: str) -> None:
    assert complaint(f"a1 SORT {criteria} UTF-8 ALL").startswith("Expected ")
