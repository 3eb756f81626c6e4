"""The benchmark, on little mail: every row is measured, and both servers give the same answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.dovecot import missing
from bench.rows import ROWS


@pytest.mark.timeout(300)
def test_every_row_is_measured_and_the_answers_agree(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--messages", "320", "--runs", "1", "--json", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=270, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(results.read_text())
    servers = ["mektup"] + ([] if missing() else ["Dovecot"])
    assert found["servers"] == servers
    assert [row["key"] for row in found["rows"]] == [row.key for row in ROWS]
    for row in found["rows"]:
        assert row["title"] in done.stdout
        assert not row["remarks"]
        assert sorted(row["figures"]) == sorted(servers)
        assert all(figure > 0 for runs in row["figures"].values() for figure in runs)
