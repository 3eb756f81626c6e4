"""The benchmark, on little mail: rows are measured, and both servers give the same answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.dovecot import missing
from bench.rows import ROWS

CHOSEN = [row.key for row in ROWS if not row.key.startswith("memory")]
"""All but those that open many hundreds of connections."""


@pytest.mark.timeout(240)
def test_rows_are_measured_and_the_answers_agree(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--messages", "320", "--runs", "1", "--json", str(results), *CHOSEN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=220, cwd=Path(__file__).parents[2])
    # Status 1 says that the two servers' answers differ.
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DIFFERENT ANSWERS" not in done.stdout
    found = json.loads(results.read_text())
    servers = ["mektup"] + ([] if missing() else ["Dovecot"])
    assert found["servers"] == servers
    assert [row["key"] for row in found["rows"]] == CHOSEN
    for row in found["rows"]:
        assert row["title"] in done.stdout
        assert not row["remarks"]
        assert sorted(row["figures"]) == sorted(servers)
        assert all(figure > 0 for runs in row["figures"].values() for figure in runs)
