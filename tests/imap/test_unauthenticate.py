"""What UNAUTHENTICATE gives back, and what it does not forget."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mektup.imap.session import ImapSession
from tests.support.dialogue import Dialogue
from tests.support.services import Given, given_services


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        await services.add("fred")
        yield services


async def test_the_place_in_the_account_is_given_back(given: Given) -> None:
    connections = given.services.authenticator.connections
    linda, fred = [await given.account(name) for name in ("linda", "fred")]
    left: list[object] = []
    connections.left = left.append
    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        await client.ask(b"a LOGIN linda Pa$$123")
        assert connections.count(linda.id) == 1
        assert await client.ask(b"b UNAUTHENTICATE") == b"b OK UNAUTHENTICATE completed"
        assert connections.count(linda.id) == 0
        assert left == [client.peer]
        await client.ask(b"c LOGIN fred Pa$$123")
        assert (connections.count(linda.id), connections.count(fred.id)) == (0, 1)
        # a changed password of linda is none of its business
        await given.services.store.directory.set_secrets("linda", {"password": "{PLAIN}another"})
        await given.services.authenticator.review()
        assert client.peer.dismissal is None
    assert connections.count(fred.id) == 0


async def test_failures_before_count_on(given: Given) -> None:
    """Otherwise somebody with an account could guess the passwords of others for ever."""
    async with Dialogue(ImapSession, given.limited(login_failures=2)) as client:
        await client.line()
        await client.ask(b"a LOGIN fred wrong")
        await client.ask(b"b LOGIN linda Pa$$123")
        await client.ask(b"c UNAUTHENTICATE")
        client.send(b"d LOGIN fred wrong\r\n")
        assert b"* BYE " in await client.rest()


async def test_the_limits_of_strangers_hold_again(given: Given) -> None:
    async with Dialogue(ImapSession, given.limited(login_line_bytes=100, login_seconds=30.0)) as client:
        await client.line()
        await client.ask(b"a LOGIN linda Pa$$123")
        assert (await client.ask(b"b SEARCH " + b"x" * 200)).startswith(b"b BAD ")
        await client.ask(b"c UNAUTHENTICATE")
        assert (await client.ask(b"d LOGIN linda " + b"x" * 200)).startswith(b"d BAD A line may have 100 octets")


async def test_the_log_says_who_left(given: Given) -> None:
    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        await client.ask(b"a LOGIN linda Pa$$123")
        await client.ask(b"b UNAUTHENTICATE")
    assert {"event": "logout", "user": "linda", "log_level": "info"} in given.capture.entries
