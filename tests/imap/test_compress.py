"""COMPRESS: what a transcript cannot show, because it depends on what comes in the same segment."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mektup.imap.session import ImapSession
from tests.support.dialogue import Dialogue
from tests.support.services import Given, given_services


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as given:
        yield given


async def test_a_client_that_does_not_wait_for_the_answer_is_refused(given: Given) -> None:
    async with Dialogue(ImapSession, given.services, secure=True) as client:
        await client.line()
        assert (await client.ask(b"a LOGIN linda Pa$$123")).startswith(b"a OK")
        client.send(b"b COMPRESS DEFLATE\r\nc NOOP\r\n")
        assert await client.line() == b"b BAD Nothing may follow COMPRESS before its answer"
        assert await client.line() == b"c OK NOOP completed"
        assert not client.peer.compressed
        assert (await client.ask(b"d COMPRESS DEFLATE")).startswith(b"d OK")
        assert client.peer.compressed
