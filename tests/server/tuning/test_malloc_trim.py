"""Freed memory between objects that stay is given back to the system."""

from __future__ import annotations

import asyncio
import os
import platform
from pathlib import Path

import pytest

from mektup.server.tuning import malloc_trim
from mektup.store import open_files
from mektup.store.sqlite.store import open_store

PIECES = 16_384
PIECE_BYTES = 4096


def resident() -> int:
    """The resident memory of this process, in octets."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that keeps it")
def test_freed_memory_between_used_memory_is_given_back() -> None:
    pieces = [bytes([number % 255 + 1]) * PIECE_BYTES for number in range(PIECES)]
    full = resident()
    kept = pieces[::100]
    del pieces
    malloc_trim.trim_memory()
    assert resident() < full - PIECES * PIECE_BYTES * 3 // 4
    assert [piece[0] for piece in kept] == [number % 255 + 1 for number in range(0, PIECES, 100)]


async def test_a_store_gives_it_back_when_files_were_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[bool] = []
    monkeypatch.setattr(open_files, "REST_SECONDS", 0.0)
    monkeypatch.setattr(open_files, "FEW_AT_REST", 1)
    monkeypatch.setattr(open_files, "SYNCED_REST_SECONDS", 0.0)
    store = await open_store(tmp_path, trim_memory=lambda: given_back.append(True))
    accounts = [await store.account(await store.directory.add(name, {})) for name in ("linda", "deniz")]
    for account in accounts:
        await account.mailbox("INBOX")
    async with asyncio.timeout(20):
        while len(store._open_files) > 1:
            await asyncio.sleep(0)
    await store.close()
    assert given_back
