"""aioimaplib, from PyPI: a program in IDLE is told of new mail and of changes."""

from __future__ import annotations

import asyncio

import pytest

from .mail import ENCODED, PLAIN, append, deliver, logged_in
from .served import HOST, Account

aioimaplib = pytest.importorskip("aioimaplib", reason="aioimaplib is not installed (PyPI: aioimaplib)")


async def test_idle_is_pushed(account: Account) -> None:
    append(account, "INBOX", [PLAIN])
    client = aioimaplib.IMAP4(host=HOST, port=account.port("imap"), timeout=30)
    await client.wait_hello_from_server()
    assert (await client.login(account.name, account.password)).result == "OK"
    assert (await client.select("INBOX")).result == "OK"

    idle = await client.idle_start(timeout=60)
    await asyncio.to_thread(deliver, account, ENCODED)
    assert b"2 EXISTS" in await until(client, b"EXISTS")
    await asyncio.to_thread(flag_first, account)
    assert any(b"1 FETCH" in line and b"\\Flagged" in line for line in await until(client, b"FETCH"))
    client.idle_done()
    assert (await asyncio.wait_for(idle, 20)).result == "OK"

    fetched = await client.uid("fetch", "2", "(BODY.PEEK[])")
    assert fetched.result == "OK"
    assert any(bytes(line).endswith(ENCODED) for line in fetched.lines)
    assert (await client.logout()).result == "OK"


async def until(client: aioimaplib.IMAP4, word: bytes) -> list[bytes]:
    """The lines that IDLE has received, up to the push that has *word*."""
    told: list[bytes] = []
    while not any(word in line for line in told):
        told += await asyncio.wait_for(client.wait_server_push(), 20)
    return told


def flag_first(account: Account) -> None:
    """Another device flags the first message."""
    with logged_in(account) as imap:
        imap.select()
        imap.store("1", "+FLAGS", r"(\Flagged)")
