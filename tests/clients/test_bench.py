"""The benchmark with few messages: rows are measured, and both servers give the same answers."""

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


@pytest.mark.timeout(960)
def test_rows_are_measured_and_the_answers_agree(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--messages", "40", "--runs", "1", "--json", str(results), *CHOSEN]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=Path(__file__).parents[2])
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"it was not done after {late.timeout:.0f} seconds: {(late.stderr or b'').decode()}")
    assert results.exists(), done.stdout + done.stderr
    found = json.loads(results.read_text())
    servers = ["mektup"] + ([] if missing() else ["Dovecot"])
    assert found["servers"] == servers
    assert [row["key"] for row in found["rows"]] == CHOSEN
    for row in found["rows"]:
        # A failure of Dovecot is shown in the table, and is no failure of this test.
        failed = {failure.partition(":")[0] for failure in row["failures"]} & {"Dovecot"}
        assert not [failure for failure in row["failures"] if not failure.startswith("Dovecot:")], row["key"]
        assert not row["remarks"], row["key"]
        assert row["title"] in done.stdout
        assert sorted(row["figures"]) == sorted({*servers} - failed), row["key"]
        assert all(figure > 0 for runs in row["figures"].values() for figure in runs), row["key"]
    assert "DIFFERENT ANSWERS" not in done.stdout, done.stdout
    # Status 1 says that answers differ or that a server failed.
    assert done.returncode == any(row["failures"] for row in found["rows"]), done.stdout + done.stderr
