"""A server is killed while clients of all protocols change mail: a short form of ``make crash``."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.crash.run import Run


@pytest.mark.parametrize(("layouts", "kills"), [("pair", 8), ("workers", 4)])
def test_acknowledged_changes_survive_kills_and_no_change_is_half_done(
    tmp_path: Path, layouts: str, kills: int
) -> None:
    run = Run(tmp_path, seed=7, layouts=(layouts,))
    run.kill_so_often(kills, deadline=float("inf"))
    assert run.figures.kills.total() == kills
    assert run.look.messages
