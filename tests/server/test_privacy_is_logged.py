"""A login that is refused because the connection is not encrypted is logged, without the password."""

from __future__ import annotations

import asyncio
import logging

import pytest

from mektup import Server

ASKED = [
    ("imap", b"a LOGIN linda geheim\r\n"),
    ("imap", b"a AUTHENTICATE PLAIN\r\n"),
    ("pop3", b"USER linda\r\n"),
    ("pop3", b"AUTH PLAIN\r\n"),
]


@pytest.mark.parametrize(("service", "asked"), ASKED)
async def test_the_refused_login_is_logged(service: str, asked: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mektup")
    async with Server(users={"linda": "geheim"}, plaintext="never") as server:
        reader, writer = await asyncio.open_connection(*server.address(service))
        await reader.readline()
        writer.write(asked)
        assert b"encrypt" in (await reader.readline()).lower()
        writer.close()
    assert "event='login_refused'" in caplog.text
    assert "the connection is not encrypted" in caplog.text
    assert "geheim" not in caplog.text
