"""The garbage collector examines each object once, and sessions leave no garbage."""

from __future__ import annotations

import asyncio
import gc
import imaplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from mektup import Server
from mektup.server.tuning.garbage import search_each_object_once

LINDA = {"linda": "Pa$$123"}
NOTE = b"Subject: note\r\n\r\nhello\r\n"


@pytest.fixture
def as_it_was() -> Iterator[None]:
    """Restores the settings of the process."""
    thresholds, callbacks = gc.get_threshold(), list(gc.callbacks)
    yield
    gc.set_threshold(*thresholds)
    gc.callbacks[:] = callbacks
    gc.unfreeze()


@pytest.mark.usefixtures("as_it_was")
def test_objects_that_survive_a_full_collection_are_not_examined_again() -> None:
    search_each_object_once()
    search_each_object_once()
    staying: list[object] = [[] for _ in range(1000)]
    assert any(each is staying[0] for each in gc.get_objects())
    gc.collect()
    assert not any(each is staying[0] for each in gc.get_objects())
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert gc.collect() > 0  # new objects are examined


def read_all(server: Server, context: ssl.SSLContext) -> None:
    """A session that uses many commands, and one that breaks off."""
    with imaplib.IMAP4(*server.address("imap")) as client:
        client.starttls(context)
        client.login("linda", "Pa$$123")
        client.select("INBOX")
        client.fetch("1:*", "(FLAGS ENVELOPE BODY[HEADER.FIELDS (SUBJECT)] BODY.PEEK[1])")
        client.uid("STORE", "1", "+FLAGS", "(\\Flagged)")
        client.search(None, "TEXT", "hello")
        assert client.append("Nowhere", "", "", NOTE)[0] == "NO"
        with pytest.raises(imaplib.IMAP4.error):
            client.uid("FETCH", "nonsense")
    broken = imaplib.IMAP4(*server.address("imap"))
    broken.login("linda", "Pa$$123")
    broken.select("INBOX")
    broken.fetch("1:*", "(FLAGS)")
    broken.shutdown()


async def shake_wrong_hands(server: Server) -> None:
    reader, writer = await asyncio.open_connection(*server.address("imaps"))
    writer.write(b"a LOGIN linda secret\r\n")
    await reader.read()
    writer.close()


async def test_sessions_end_without_a_cycle(tmp_path: Path) -> None:
    async with Server(tmp_path / "data", users=LINDA) as server:
        await server.deliver("linda", NOTE)
        await asyncio.to_thread(read_all, server, server.ssl_context())  # the first use makes what is made once
        await shake_wrong_hands(server)
        gc.collect()
        gc.disable()
        try:
            await asyncio.to_thread(read_all, server, server.ssl_context())
            await shake_wrong_hands(server)
            async with asyncio.timeout(20):
                while server._running.node.sessions._tasks or server._running.node.sessions.count:
                    await asyncio.sleep(0)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            assert {
                type(each).__qualname__ for each in gc.garbage if type(each).__module__.startswith("mektup")
            } == set()
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
