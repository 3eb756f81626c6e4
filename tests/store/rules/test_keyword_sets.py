"""Flag words: equal words mean equal flags, and a number always means the same set."""

from __future__ import annotations

import pytest

from mektup.store.rules.keyword_sets import KEYWORD_SHIFT, MANY_SPELLINGS, MOST_WORDS, Flags
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from tests.store.rules.dictionary import DictionarySets, Rows


def flags(*names: str) -> Flags:
    return Flags.of(names)


def test_equal_flags_are_equal_words_in_any_order_and_spelling() -> None:
    sets, rows = DictionarySets(), Rows()
    word = sets.word(rows, flags("\\Seen", "$A", "b"))
    assert sets.word(rows, flags("B", "\\SEEN", "$a")) == word
    assert sets.flags(word) == ("\\Seen", "$A", "b")
    assert len(rows.sets) == 1
    assert sets.word(rows, flags("\\Seen")) == 1
    assert sets.flags(1) == ("\\Seen",)


def test_recent_is_no_flag_of_a_message() -> None:
    assert flags("\\Recent", "\\recent") == Flags(0, {})


def test_the_first_spelling_counts_in_every_set() -> None:
    sets, rows = DictionarySets(), Rows()
    sets.word(rows, flags("$Label"))
    assert sets.flags(sets.word(rows, flags("$LABEL", "$other"))) == ("$Label", "$other")
    assert sets.spelled(flags("$LABEL").keywords) == ("$Label",)


@pytest.mark.parametrize(
    ("how", "given", "expected"),
    [
        (FlagChange.ADD, ("$B", "\\Seen"), {"\\Flagged", "\\Seen", "$A", "$B"}),
        (FlagChange.REMOVE, ("$a", "\\Flagged", "$none"), set()),
        (FlagChange.REPLACE, ("$B", "\\Seen"), {"\\Seen", "$B"}),
        (FlagChange.ADD, ("$a",), {"\\Flagged", "$A"}),
        (FlagChange.REMOVE, (), {"\\Flagged", "$A"}),
    ],
)
def test_each_change_of_flags(how: FlagChange, given: tuple[str, ...], expected: set[str]) -> None:
    sets, rows = DictionarySets(), Rows()
    word = sets.word(rows, flags("\\Flagged", "$A"))
    changed = sets.changed_word(rows, word, how, flags(*given))
    assert set(sets.flags(changed)) == expected
    assert (changed == word) == (expected == {"\\Flagged", "$A"})


def test_queries_about_words() -> None:
    sets, rows = DictionarySets(), Rows()
    with_a, with_both = sets.word(rows, flags("$A")), sets.word(rows, flags("$A", "$B", "\\Seen"))
    assert sets.has(with_both, "$b")
    assert sets.has(with_both, "\\SEEN")
    assert not sets.has(with_a, "$b")
    assert sets.words_with(("$b", "$a", "\\seen", "$c"), (with_a, with_both)) == {
        "$b": 0b10,
        "$a": 0b11,
        "\\seen": 0b10,
        "$c": 0,
    }
    assert {keyword: sorted(numbers) for keyword, numbers in sets.numbers_with(("$a", "$c")).items()} == {
        "$a": [with_a >> KEYWORD_SHIFT, with_both >> KEYWORD_SHIFT],
        "$c": [],
    }


def test_sets_added_by_another_process_are_loaded() -> None:
    one, other, rows = DictionarySets(), DictionarySets(), Rows()
    word = one.word(rows, flags("$A"))
    assert not other.known(word)
    assert other.word(rows, flags("$a")) == word
    assert other.flags(word) == ("$A",)


def test_a_single_set_can_be_loaded() -> None:
    one, other, rows = DictionarySets(), DictionarySets(), Rows()
    words = [one.word(rows, flags(f"$A{number}")) for number in range(3)]
    other.learn_some([(words[2] >> KEYWORD_SHIFT, "$A2")])
    assert [other.known(word) for word in words] == [False, False, True]
    # earlier sets are still loaded when they are needed
    assert other.word(rows, flags("$a0")) == words[0]
    assert [other.known(word) for word in words] == [True, True, True]


def test_a_set_that_was_not_committed_is_forgotten_with_its_spelling() -> None:
    sets, rows = DictionarySets(), Rows()
    word = sets.word(rows, flags("$LOUD"))
    rows.fail()
    assert not sets.known(word)
    assert sets.flags(sets.word(rows, flags("$loud"))) == ("$loud",)


def test_a_set_that_went_is_made_again_by_another_number() -> None:
    sets, rows = DictionarySets(), Rows()
    first = sets.word(rows, flags("$A"))
    sets.word(rows, flags("$B"))
    del rows.sets[first >> KEYWORD_SHIFT]
    assert sets.word(rows, flags("$A")) > first


def test_a_lost_set_spells_nothing_is_told_and_its_number_is_not_given_again() -> None:
    told: list[bool] = []
    sets, rows = DictionarySets(lambda: told.append(True)), Rows()
    rows.highest_word = 7 << KEYWORD_SHIFT | 1
    assert sets.flags(rows.highest_word) == ("\\Seen",)
    assert told == [True]
    assert sets.word(rows, flags("$A")) >> KEYWORD_SHIFT == 8


def test_the_sets_of_an_account_have_a_bound_and_those_that_went_make_room() -> None:
    sets, rows = DictionarySets(most=250), Rows()
    first = sets.word(rows, flags("$A"))
    sets.word(rows, flags("$B"))
    with pytest.raises(Refused) as caught:
        sets.word(rows, flags("$C"))
    assert caught.value.code is Code.LIMIT
    assert sets.word(rows, flags("$a", "\\Seen")) == first | 1
    del rows.sets[first >> KEYWORD_SHIFT]
    assert sets.flags(sets.word(rows, flags("$C"))) == ("$C",)


def test_keywords_that_no_set_has_are_not_known_for_good() -> None:
    sets, rows = DictionarySets(), Rows()
    kept = sets.word(rows, flags("$Kept"))
    for number in range(3 * MANY_SPELLINGS):
        word = sets.word(rows, flags(f"$K{number}"))
        del rows.sets[word >> KEYWORD_SHIFT]
        sets.forget((word >> KEYWORD_SHIFT,))
    assert len(sets._spelling) <= MANY_SPELLINGS
    assert len(sets._folds) <= 2 * MANY_SPELLINGS
    assert sets.spelled(flags("$KEPT").keywords) == ("$Kept",)
    assert sets.word(rows, flags("$kept", "\\Seen")) == kept | 1


def test_words_with_their_flags_are_remembered_up_to_a_bound() -> None:
    sets, rows = DictionarySets(), Rows()
    base = sets.word(rows, flags("$A"))
    for number in range(MOST_WORDS // 32 + 1):
        word = sets.word(rows, flags(f"$K{number}"))
        for system in range(32):
            assert f"$K{number}" in sets.flags(word | system)
    known = sets.known_words(MOST_WORDS)
    assert known is not None
    assert sets.known_words(len(known) - 1) is None
    assert sets.flags(base) == ("$A",)
