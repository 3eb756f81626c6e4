"""The comparators: RFC 5051, RFC 4790 §9.2, and the two of our own."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mektup.message.comparing import COMPARISONS, certain_part
from mektup.message.text import fold, fold_header
from mektup.terms.comparators import DEFAULT, Comparator, matching

ASCII, UNICODE, TURKISH = (COMPARISONS[each] for each in (Comparator.ASCII, Comparator.UNICODE, Comparator.TURKISH))


def ordered(comparator: Comparator, *texts: str) -> list[str]:
    comparison = COMPARISONS[comparator]
    return sorted(texts, key=lambda text: comparison.order(comparison.fold(text)))


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        # RFC 5051 §2: the example
        ("\u01c4", "Dz\u030c"),
        ("hello", "HELLO"),
        ("ü", "U\u0308"),
        ("\u0390", unicodedata.normalize("NFKD", "\u0390")),  # its titlecase has three letters, so it has no property
        ("ß", "ß"),
        ("ﬁ", "fi"),
        ("ı", "I"),
        ("İ", "I\u0307"),
        ("ς", "Σ"),
    ],
)
def test_unicode_casemap_prepares_as_the_rfc_says(text: str, prepared: str) -> None:
    assert UNICODE.fold(text) == prepared
    assert UNICODE.fold("a" * 600 + text) == "A" * 600 + prepared


def test_ascii_casemap_knows_the_case_of_ascii_alone() -> None:
    assert ASCII.fold("abcXYZ[]{}~") == "ABCXYZ[]{}~"
    assert ASCII.fold("äaıİi") == "äAıİI"
    # RFC 4790 §9.2.1: by octets, so capitals come before _
    assert ordered(Comparator.ASCII, "_", "a", "B", "é", "Z") == ["a", "B", "Z", "_", "é"]


def test_turkish_pairs_of_letters() -> None:
    assert TURKISH.fold("I") == TURKISH.fold("ı") != TURKISH.fold("i") == TURKISH.fold("İ") == TURKISH.fold("I\u0307")
    assert TURKISH.fold("DIYARBAKIR") == "dıyarbakır"
    assert TURKISH.fold("ÇĞÖŞÜ") == "çğöşü"
    assert TURKISH.fold("STRASSE") == TURKISH.fold("straße")


def test_the_order_of_the_turkish_alphabet() -> None:
    alphabet = "a b c ç d e f g ğ h ı i j k l m n o ö p r s ş t u ü v y z".split()
    assert ordered(Comparator.TURKISH, *reversed(alphabet)) == alphabet
    words = ["cz", "ça", "hz", "Ia", "ız", "İa", "iz", "oz", "öa", "uz", "üa"]
    assert ordered(Comparator.TURKISH, *reversed(words)) == words


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("default", ["vnd-mektup;casefold"]),
        ("i;ascii-casemap", ["i;ascii-casemap"]),
        ("I;Ascii-Casemap", ["i;ascii-casemap"]),
        ("i;*", ["i;unicode-casemap", "i;ascii-casemap"]),
        ("*casemap", ["i;unicode-casemap", "i;ascii-casemap", "vnd-mektup;turkish-casemap"]),
        ("*;*-*map", ["i;unicode-casemap", "i;ascii-casemap", "vnd-mektup;turkish-casemap"]),
        ("*" * 250 + "x", []),
        ("*i;ascii-casemap*", ["i;ascii-casemap"]),
        ("i;ascii-casemap*i;ascii-casemap", []),
        ("i;octet", []),
        ("-default", []),
    ],
)
def test_patterns(pattern: str, names: list[str]) -> None:
    assert [each.value for each in matching(pattern)] == names


LETTERS = "iıİIuüUÜsßSSaàkK\u0307\u0308\u0301 ﬁǆǄςσΣ\u1100\u1161\u11a8각\t1-"
TEXTS = st.text(st.sampled_from(LETTERS), max_size=12)


@settings(max_examples=500)
@given(TEXTS, TEXTS, TEXTS, st.sampled_from(Comparator))
@example("", "1ı\u03011", "", Comparator.UNICODE)
def test_what_is_certain_is_in_every_text_that_matches(
    before: str, asked: str, after: str, comparator: Comparator
) -> None:
    for text in (before + asked + after, before + asked.upper() + after, before + asked.swapcase() + after):
        if COMPARISONS[comparator].fold(asked) in COMPARISONS[comparator].fold(text):
            assert fold(certain_part(asked)) in fold(text)
            assert fold_header(certain_part(asked)) in fold_header(text)


@given(st.text(max_size=40), st.sampled_from(Comparator))
def test_any_text_is_compared_and_is_in_itself(text: str, comparator: Comparator) -> None:
    comparison = COMPARISONS[comparator]
    assert comparison.fold(text) in comparison.fold(f"a {text} b") or not text.isascii()
    comparison.order(comparison.fold(text)).encode("utf-8", "surrogatepass")


def test_the_default_one_is_how_texts_are_stored() -> None:
    assert COMPARISONS[DEFAULT].fold is fold
