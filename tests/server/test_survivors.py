"""A server is killed while clients of all protocols change mail: a short form of ``survivors``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.survivors import survive


@pytest.mark.parametrize(("workers", "kills"), [(1, 1), (2, 2)])
def test_acknowledged_changes_survive_kills_and_no_change_is_half_done(
    tmp_path: Path, workers: int, kills: int
) -> None:
    survive(tmp_path, seed=7, kills=kills, workers=workers)
