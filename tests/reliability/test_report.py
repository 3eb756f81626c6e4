"""The tables in docs/reliability.md are what the programs printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.report import PAGE, write

TEXT = "before\n\n<!-- crash -->\n```\nold\n```\n<!-- end of crash -->\n\nafter\n"


def test_the_table_of_one_program_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(TEXT)
    write("crash", r"kills \1 10" + "\n", page)
    assert page.read_text() == TEXT.replace("old", r"kills \1 10")


def test_a_program_without_a_place_is_named(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(TEXT)
    with pytest.raises(LookupError, match="power"):
        write("power", "", page)
    assert page.read_text() == TEXT


@pytest.mark.parametrize("program", ["crash", "power", "faults", "fuzz", "floods", "soak"])
def test_each_program_has_its_place(program: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(f"<!-- {program} -->\n") == text.count(f"<!-- end of {program} -->") == 1
