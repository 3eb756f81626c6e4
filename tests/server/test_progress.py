"""A client hears that its command goes on (RFC 9585), between whole lines and never after the tagged answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from mektup.server.app import Server
from mektup.terms.limits import Limits
from tests.limits.limited_server import LOGIN, streams, tagged
from tests.store.sqlite.conftest import file_of

MAIL = b"Subject: x\r\n\r\nx\r\n"
PROGRESS = b'* OK [INPROGRESS ("b" NIL NIL)] Still working on it\r\n'
QUIET_SECONDS = 0.2
"""Some intervals of the server below; nothing must come in this time."""


@asynccontextmanager
async def busy_server(data: Path) -> AsyncIterator[tuple[Server, apsw.Connection]]:
    """A server, and a connection to the file of linda's mail by which a test can hold up its writers."""
    chosen = Limits(progress_seconds=0.03)
    async with Server(data, users={"linda": "Pa$$123"}, limits=chosen) as server, asyncio.timeout(20):
        await server.deliver("linda", MAIL)
        entry = await server.store.directory.find("linda")
        assert entry is not None
        other = apsw.Connection(str(file_of(data, entry.id)), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            yield server, other
        finally:
            other.close()


async def logged_in(server: Server, *commands: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await streams(server.address("imap"))
    for command in (LOGIN, b"SELECT INBOX", *commands):
        await tagged(reader, writer, command)
    return reader, writer


async def is_quiet(reader: asyncio.StreamReader) -> bool:
    try:
        await asyncio.wait_for(reader.read(1), QUIET_SECONDS)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize(
    "command",
    [
        "STORE 1 +FLAGS.SILENT (\\Seen)",
        "COPY 1 INBOX",
        "MOVE 1 Archive",
        "EXPUNGE",
        "CREATE Later",
        "APPEND INBOX {3+}\r\nx\r\n",
    ],
)
async def test_a_command_that_waits_for_another_process_is_told_to_go_on(tmp_path: Path, command: str) -> None:
    async with busy_server(tmp_path) as (server, other):
        reader, writer = await logged_in(server, b"CREATE Archive", b"STORE 1 +FLAGS.SILENT (\\Deleted)")
        other.execute("BEGIN IMMEDIATE")
        writer.write(f"b {command}\r\n".encode())
        for _ in range(3):
            assert await reader.readline() == PROGRESS
        other.execute("ROLLBACK")
        lines = [await reader.readline()]
        while not lines[-1].startswith(b"b "):
            lines.append(await reader.readline())
        assert lines[-1].startswith(b"b OK")
        assert await is_quiet(reader)
        writer.close()


async def test_nothing_is_told_before_the_login_or_in_idle(tmp_path: Path) -> None:
    async with busy_server(tmp_path) as (server, _):
        reader, writer = await streams(server.address("imap"))
        await reader.readline()
        assert await is_quiet(reader)
        writer.close()
        reader, writer = await logged_in(server)
        writer.write(b"b IDLE\r\n")
        assert (await reader.readline()).startswith(b"+ ")
        assert await is_quiet(reader)
        writer.write(b"DONE\r\n")
        assert (await reader.readline()).startswith(b"b OK")
        writer.close()


async def test_a_client_from_whom_it_is_hidden_is_told_nothing(tmp_path: Path) -> None:
    async with busy_server(tmp_path) as (server, other):
        await server.store.directory.set_hidden("linda", ["INPROGRESS"])
        reader, writer = await logged_in(server)
        other.execute("BEGIN IMMEDIATE")
        writer.write(b"b COPY 1 INBOX\r\n")
        assert await is_quiet(reader)
        other.execute("ROLLBACK")
        writer.close()


async def test_the_language_of_the_client_is_spoken(tmp_path: Path) -> None:
    async with busy_server(tmp_path) as (server, other):
        reader, writer = await logged_in(server, b"LANGUAGE tr")
        other.execute("BEGIN IMMEDIATE")
        writer.write(b"b COPY 1 INBOX\r\n")
        assert await reader.readline() == '* OK [INPROGRESS ("b" NIL NIL)] İşlem sürüyor\r\n'.encode()
        other.execute("ROLLBACK")
        writer.close()
