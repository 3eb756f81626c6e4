"""Whoever asks for a search and goes is not searched for any longer."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from mektup.server import connection
from mektup.server.app import Server
from mektup.store.sqlite import search as searching
from mektup.store.sqlite.cursor import Cursor

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.mark.parametrize("ending", ["reset", "closed"])
async def test_a_search_ends_with_its_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setattr(connection, "INTEREST_SECONDS", 0.05)
    begun, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def endless(cursor: Cursor, **_: object) -> None:
        loop.call_soon_threadsafe(begun.set)
        try:
            cursor.execute(ENDLESS).fetchall()
        finally:
            loop.call_soon_threadsafe(ended.set)

    async with Server(tmp_path, users={"linda": "Pa$$123"}) as server, asyncio.timeout(20):
        await server.deliver("linda", b"Subject: x\r\n\r\nx\r\n")
        monkeypatch.setattr(searching, "search", endless)
        _, writer = await asyncio.open_connection(*server.address("imap"))
        writer.write(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\nc SEARCH BODY y\r\n")
        await begun.wait()
        if ending == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
        else:
            writer.close()
        await ended.wait()
