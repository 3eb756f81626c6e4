"""The table fits a terminal, and the pictures are well-formed."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from bench import plot
from bench.report import Report, as_json, remarks
from bench.rows import ROWS
from bench.scale import GROWING, scale_table
from bench.sets.lines import Line, merged
from bench.table import set_table, table
from bench.turns import Result

NAMES = ["mektup", "Dovecot"]


def report(messages: int) -> Report:
    """Figures for every row: mektup's are half of Dovecot's, and twice the bound."""
    made = Report(messages, NAMES, "heading")
    for row in ROWS:
        figures = {"mektup": [row.asked * 2] * 3, "Dovecot": [1000.0, row.asked * 4, 0.0001]}
        made.results.append(Result(row, figures, {"mektup": [0.1], "Dovecot": [0.2]}))
    return made


def test_there_is_a_row_for_each_key_once() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)
    assert set(GROWING) < {row.key for row in ROWS}


def test_the_table_has_a_line_for_each_row_within_120_columns() -> None:
    lines = table(report(10).results, NAMES).splitlines()
    assert len(lines) == len(ROWS) + 1
    assert max(map(len, lines)) <= 120


def test_missed_bounds_are_marked() -> None:
    result = Result(ROWS[0], {"mektup": [3.0], "Dovecot": [2.0]})
    assert table([result], NAMES).endswith("1.50       1 !")
    result = Result(ROWS[0], {"mektup": [1.0], "Dovecot": [2.0]})
    assert not table([result], NAMES).endswith("!")


def test_the_ratio_is_taken_turn_by_turn() -> None:
    result = Result(ROWS[0], {"mektup": [1.0, 10.0, 1.0], "before": [2.0, 20.0, 1.0]})
    assert result.ratio() == 0.5
    assert Line("a", "s", {"mektup": 1.0, "before": 4.0}).ratio == 0.25


def test_a_row_that_could_not_be_measured_says_why() -> None:
    result = Result(ROWS[0], remarks=["mektup does not announce SORT"])
    assert result.is_above
    assert list(remarks([result])) == [f"{ROWS[0].key}: not measured: mektup does not announce SORT"]


def test_a_table_of_one_server() -> None:
    result = Result(ROWS[0], {"mektup": [1.0]})
    assert "ratio" not in table([result], ["mektup"])


def test_the_lines_of_a_set_are_merged_by_title_with_medians() -> None:
    found = [Line("a", "s", {"mektup": value}, 2.0) for value in (1.0, 5.0, 3.0)] + [Line("a", "s", {"Dovecot": 6.0})]
    (line,) = merged(found)
    assert (line.figures, line.ratio, line.is_above) == ({"mektup": 3.0, "Dovecot": 6.0}, 0.5, True)
    assert max(map(len, set_table("set", [line], NAMES).splitlines())) <= 120


def test_growth_is_told_for_each_row_and_server() -> None:
    lines = scale_table([report(10), report(1000)]).splitlines()
    assert len(lines) == 1 + 2 * len(ROWS)
    assert lines[0].endswith("of x100")
    assert max(map(len, lines)) <= 120


def test_pictures_are_well_formed() -> None:
    one = json.loads(as_json([report(10)]))
    ElementTree.fromstring(plot.bars(one))
    several = json.loads(as_json([report(10), report(1000)]))
    ElementTree.fromstring(plot.charts(several))
