"""SCRAM-SHA-256 over IMAP, as in the sample connection of RFC 9051 §8. Its nonces change, so no transcript can show
it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator

import pytest
from scramp import ScramClient

from mektup.imap.session import ImapSession
from tests.support.dialogue import Dialogue
from tests.support.passwords import quick_secrets
from tests.support.services import Given, given_services


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        await services.services.store.directory.set_secrets("linda", quick_secrets("Pa$$123"))
        yield services


@pytest.mark.parametrize("at_once", [True, False], ids=["initial response", "asked for it"])
@pytest.mark.parametrize("password", ["Pa$$123", "wrong"])
async def test_scram(given: Given, password: str, at_once: bool) -> None:
    scram = ScramClient(["SCRAM-SHA-256"], "linda", password)
    client_first = b64encode(scram.get_client_first().encode())
    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        if at_once:
            first = await client.ask(b"A001 AUTHENTICATE SCRAM-SHA-256 " + client_first)
        else:
            assert await client.ask(b"A001 AUTHENTICATE SCRAM-SHA-256") == b"+ "
            first = await client.ask(client_first)
        scram.set_server_first(b64decode(first.removeprefix(b"+ ")).decode())
        final = await client.ask(b64encode(scram.get_client_final().encode()))
        if password == "wrong":
            assert final.startswith(b"A001 NO [AUTHENTICATIONFAILED] ")
            assert (await client.ask(b"A002 SELECT INBOX")).startswith(b"A002 BAD ")
        else:
            scram.set_server_final(b64decode(final.removeprefix(b"+ ")).decode())
            assert (await client.ask(b"")).startswith(b"A001 OK [CAPABILITY ")
            assert (await client.ask(b"A002 NAMESPACE")).startswith(b"* NAMESPACE ")
