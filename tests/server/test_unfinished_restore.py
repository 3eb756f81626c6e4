"""No server starts with a data directory that a restore has not filled yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mektup import ConfigError, Server
from mektup.backup.unfinished import MARK

LINDA = {"linda": "Pa$$123"}


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    async with Server(data, users=LINDA):
        pass
    (data / MARK).write_text("20261224T183000")
    return data


@pytest.mark.parametrize("workers", [1, 2])
def test_serve_refuses_it_and_says_what_to_do(data: Path, tmp_path: Path, workers: int) -> None:
    config = tmp_path / "mektup.toml"
    config.write_text(f'data = "{data}"\nworkers = {workers}\n[listen]\nimap = ["127.0.0.1:0"]\n')
    words = [sys.executable, "-m", "mektup", "serve", "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert f"{data} has a restore that did not end" in done.stderr
    assert "mektup restore" in done.stderr


async def test_an_embedded_server_refuses_it_until_the_restore_has_ended(data: Path) -> None:
    with pytest.raises(ConfigError, match="has a restore that did not end"):
        async with Server(data):
            pass
    (data / MARK).unlink()
    async with Server(data):
        pass
