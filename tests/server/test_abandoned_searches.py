"""A search ends when its client has closed the connection."""

from __future__ import annotations

import asyncio
import re
import socket
from itertools import product
from pathlib import Path
from string import ascii_uppercase

import pytest

from mektup.server.app import Server
from mektup.store.sqlite.account import SqliteAccount
from mektup.terms.limits import Limits
from tests.server.test_connection import until

LIMITS = Limits(interest_seconds=0.05, search_seconds=600.0, text_index=False)
MAIL = b"Subject: x\r\n\r\n" + b"0123456789 " * 200_000 + b"\r\n"
KEYS = " ".join(f"OR BODY {one}{other}" for one, other in product(ascii_uppercase[:20], repeat=2))
"""A search for one of the 400 keys takes a millisecond for each message; with 2,000 messages it would take minutes."""


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: str) -> bytes:
    writer.write(f"a {command}\r\n".encode())
    while not re.match(rb"a (OK|NO|BAD)", line := await reader.readline()):
        assert line, "the connection was closed"
    return line


@pytest.mark.parametrize("ending", ["reset", "closed"])
async def test_a_search_ends_with_its_client(tmp_path: Path, ending: str) -> None:
    async with Server(tmp_path, users={"linda": "Pa$$123"}, limits=LIMITS) as server, asyncio.timeout(20):
        await server.deliver("linda", MAIL)
        entry = await server.store.directory.find("linda")
        assert entry is not None
        reader, writer = await asyncio.open_connection(*server.address("imap"))
        await ask(reader, writer, "LOGIN linda Pa$$123")
        await ask(reader, writer, "SELECT INBOX")
        for _ in range(11):
            await ask(reader, writer, "COPY 1:* INBOX")
        writer.write(f"b SEARCH {KEYS} BODY zz\r\n".encode())
        account = await server.store.account(entry)
        assert isinstance(account, SqliteAccount)
        database = account.database
        await until(lambda: bool(database.in_flight), seconds=15)
        if ending == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
        else:
            writer.close()
        await until(lambda: not database.in_flight, seconds=15)
