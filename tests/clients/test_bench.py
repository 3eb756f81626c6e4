"""The benchmark, on little mail: rows are measured, and both servers give the same answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.dovecot import missing

CHOSEN = ["flags", "envelope", "body", "append"]
"""Rows that mean something however little mail there is."""


@pytest.mark.timeout(180)
def test_rows_are_measured_and_the_answers_agree(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--messages", "320", "--runs", "1", "--json", str(results), *CHOSEN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, cwd=Path(__file__).parents[2])
    # Status 1 says that the two servers' answers differ.
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DIFFERENT ANSWERS" not in done.stdout
    found = json.loads(results.read_text())
    assert found["servers"] == ["mektup"] + ([] if missing() else ["Dovecot"])
    assert sorted(row["key"] for row in found["rows"]) == sorted(CHOSEN)
    assert all(row["title"] in done.stdout for row in found["rows"])
