"""The benchmark, on little mail: every row is measured, and both servers give the same answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.dovecot import missing
from bench.rows import ROWS


@pytest.mark.timeout(180)
def test_every_row_is_measured_and_the_answers_agree(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--messages", "320", "--runs", "1", "--json", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(results.read_text())
    assert found["servers"] == ["mektup"] + ([] if missing() else ["Dovecot"])
    assert [row["key"] for row in found["rows"]] == [row.key for row in ROWS]
    for row in found["rows"]:
        assert row["title"] in done.stdout
        assert all(seconds > 0 for runs in row["seconds"].values() for seconds in runs)
