"""Each section of an RFC that demands something is named by code, tests or transcripts, or has a reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.rfc_coverage import PAGE, is_covered, like, marks, marks_in, page
from tests.architecture.rfc_texts import TABLE, Rfc, Section, facts, read_table, sections_of, written

RFCS = read_table()
TEXTS = Path(__file__).parents[3] / "shared" / "rfc"
"""The folder of the texts, on a machine that has them."""

each_rfc = pytest.mark.parametrize("rfc", RFCS, ids=lambda rfc: f"RFC {rfc.number}")


@each_rfc
def test_each_section_with_demands_is_named_or_has_a_reason(rfc: Rfc) -> None:
    assert not [
        f"RFC {rfc.number} §{section.number} ({section.title})"
        for section in rfc.sections
        if not is_covered(rfc, section)
    ]


@each_rfc
def test_no_section_is_named_that_does_not_exist(rfc: Rfc) -> None:
    if not rfc.sections:
        pytest.skip("the text of this RFC is not at hand")
    there = {section.number for section in rfc.sections}
    named = {
        f"RFC {number} §{section}: {files}" for (number, section), files in marks().items() if number == rfc.number
    }
    wrong = {each for each in named if each.partition("§")[2].partition(":")[0] not in there}
    assert not wrong


@each_rfc
def test_a_reason_stands_only_where_something_is_demanded(rfc: Rfc) -> None:
    assert not [section.number for section in rfc.sections if section.reason and not section.demands]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == "\n".join(page(RFCS)) + "\n", "run: make rfc-coverage"


def test_the_table_is_written_as_its_program_writes_it() -> None:
    assert TABLE.read_text(encoding="utf-8") == "\n".join(written(RFCS)) + "\n"


@each_rfc
def test_the_table_says_what_the_text_says(rfc: Rfc) -> None:
    found = facts(rfc, TEXTS)
    if found is None:
        pytest.skip("the texts of the RFCs are not part of mektup, and this one is not on this machine")
    assert found == rfc


def test_a_section_that_nothing_names_is_seen() -> None:
    rfc = Rfc(99999, "of no such number", ())
    assert is_covered(rfc, Section("1", "Introduction", demands=0))
    assert not is_covered(rfc, Section("2", "What must be", demands=1))
    assert is_covered(rfc, Section("2", "What must be", demands=1, reason="notation"))


def test_a_reason_that_refers_to_another_section_holds_only_where_that_is_named() -> None:
    rfc = Rfc(99999, "of no such number", ())
    assert is_covered(rfc, Section("2", "LIST", demands=1, reason="as RFC 9051 §6.3.9"))
    assert not is_covered(rfc, Section("2", "LIST", demands=1, reason="as RFC 9051 §99"))
    assert like("as RFC 9051 §9: letters in any case") == (9051, "9")
    assert like("the client's duty") is None


def test_a_mark_may_name_several_sections_and_go_over_lines() -> None:
    text = "# RFC 9051 §6.4.8, §7.5.1 and §A.1 (RFC 3501\n    # §6.3.1; §9). RFC 2033, and §4.2."
    assert list(marks_in(text)) == [(9051, "6.4.8"), (9051, "7.5.1"), (9051, "A.1"), (3501, "6.3.1")]


TEXT = """
   1.  Introduction .................................................. 1
   2.  Rules  2

1.  Introduction

   You MUST read it, and not MUSTER it.

   1.  This is an item of a list.

2.  Rules for a title
    of two lines

   A server MUST NOT, and SHALL
   NOT. It is REQUIRED.

Crispin                     Standards Track                    [Page 1]
\f
RFC 9999                         Example                  November 2026

2.1.  More of RFC 9999

C: a1 NOOP

1.  An item again

Appendix A.  Examples
"""


def test_sections_are_found_between_contents_lists_and_page_breaks() -> None:
    assert list(sections_of(TEXT)) == [
        Section("1", "Introduction", 1),
        Section("2", "Rules for a title of two lines", 3),
        Section("2.1", "More of RFC 9999", 0),
        Section("A", "Examples", 0),
    ]
