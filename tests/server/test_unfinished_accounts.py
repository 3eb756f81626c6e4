"""At the start a server finishes the work of a killed one in the data directory, and logs unknown files."""

from __future__ import annotations

from pathlib import Path

import pytest

from mektup import Server

LINDA = {"linda": "Pa$$123"}


async def test_unfinished_work_is_finished_and_unknown_files_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    async with Server(data, users=LINDA):
        pass
    (known,) = (data / "accounts").glob("*/*.db")
    stranger = known.with_name(f"{'0' * 32}.db")
    stranger.write_bytes(known.read_bytes())
    caplog.clear()
    async with Server(data):
        assert stranger.exists()
    (told,) = [each.message for each in caplog.records if "account_unknown" in each.message]
    assert str(stranger) in told
