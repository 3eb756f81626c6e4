"""SCRAM that is bound to the TLS connection, with the client of another library, and with somebody in between."""

from __future__ import annotations

import base64

import pytest
from scramp import ScramClient

from mektup.auth.authenticator import Authenticator, Challenge, Exchange
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError, Code, Refused
from tests.auth.conftest import PASSWORD
from tests.auth.test_scram import Client
from tests.support.memory import MemoryPeer, MemoryTls

HASH = MemoryTls().certificate_hash
TYPE = "tls-server-end-point"


@pytest.fixture
def exchange(authenticator: Authenticator, far_bound: MemoryPeer) -> Exchange:
    return authenticator.exchange("SCRAM-SHA-256-PLUS", far_bound)


@pytest.fixture
def far_bound(far_secure: MemoryPeer) -> MemoryPeer:
    far_secure.tls = MemoryTls()
    return far_secure


async def _challenge(exchange: Exchange, response: str) -> str:
    challenge = await exchange.step(response.encode())
    assert isinstance(challenge, Challenge)
    return challenge.octets.decode()


async def _proved(
    exchange: Exchange, *, name: str = "linda", password: str = PASSWORD, seen: bytes | None = HASH
) -> str:
    client = ScramClient(["SCRAM-SHA-256-PLUS"], name, password, channel_binding=(TYPE, seen))
    client.set_server_first(await _challenge(exchange, client.get_client_first()))
    return await _challenge(exchange, client.get_client_final())


async def test_a_client_that_saw_our_certificate(exchange: Exchange) -> None:
    client = ScramClient(["SCRAM-SHA-256-PLUS"], "linda", PASSWORD, channel_binding=(TYPE, HASH))
    client.set_server_first(await _challenge(exchange, client.get_client_first()))
    client.set_server_final(await _challenge(exchange, client.get_client_final()))
    entry = await exchange.step(b"")
    assert isinstance(entry, AccountEntry)
    assert entry.name == "linda"


@pytest.mark.parametrize(("name", "password"), [("linda", PASSWORD), ("linda", "wrong"), ("nobody", PASSWORD)])
async def test_a_client_that_saw_another_certificate(exchange: Exchange, name: str, password: str) -> None:
    with pytest.raises(Refused) as refused:
        await _proved(exchange, name=name, password=password, seen=b"x" * 32)
    assert refused.value.code is Code.AUTHENTICATIONFAILED
    assert "another certificate" in str(refused.value)


async def test_another_certificate_is_counted_as_a_failure(authenticator: Authenticator, far_bound: MemoryPeer) -> None:
    throttle = authenticator._gate.throttle
    with pytest.raises(Refused):
        await _proved(authenticator.exchange("SCRAM-SHA-256-PLUS", far_bound), seen=b"x" * 32)
    assert throttle.wait(far_bound.address, "linda") > 0


async def test_a_wrong_password_and_an_unknown_name_have_the_same_answer(
    authenticator: Authenticator, far_bound: MemoryPeer
) -> None:
    said = set()
    for name in ("linda", "nobody"):
        with pytest.raises(Refused) as refused:
            await _proved(authenticator.exchange("SCRAM-SHA-256-PLUS", far_bound), name=name, password="wrong")
        said.add(str(refused.value))
    assert said == {"Wrong name or password"}


@pytest.mark.parametrize("wish", ["n", "y", "p=tls-unique", "p=tls-exporter", "p=TLS-SERVER-END-POINT"])
async def test_other_bindings_are_refused(exchange: Exchange, wish: str) -> None:
    with pytest.raises(Refused) as refused:
        await exchange.step(f"{wish},,n=linda,r=abc".encode())
    assert refused.value.code is Code.AUTHENTICATIONFAILED
    assert TYPE in str(refused.value)


@pytest.mark.parametrize("said", ["", "p=tls-server-end-point,,", "n,,"])
async def test_a_proof_that_leaves_out_the_certificate(exchange: Exchange, said: str) -> None:
    client = Client("p=tls-server-end-point,,")
    server_first = await _challenge(exchange, client.first)
    with pytest.raises((Refused, ClientError)):
        await exchange.step(client.final(server_first, header=said, password=PASSWORD).encode())


async def test_a_client_that_did_not_see_the_offer_is_refused(
    authenticator: Authenticator, far_bound: MemoryPeer
) -> None:
    with pytest.raises(Refused) as refused:
        await authenticator.exchange("SCRAM-SHA-256", far_bound).step(b"y,,n=linda,r=abc")
    assert refused.value.code is Code.AUTHENTICATIONFAILED
    assert "hid" in str(refused.value)


async def test_a_client_that_cannot_bind_need_not(authenticator: Authenticator, far_bound: MemoryPeer) -> None:
    client, exchange = Client("n,,"), authenticator.exchange("SCRAM-SHA-256", far_bound)
    signature = await _challenge(exchange, client.final(await _challenge(exchange, client.first), password=PASSWORD))
    assert base64.b64decode(signature.removeprefix("v="))


@pytest.mark.parametrize("tls", [None, MemoryTls(certificate_hash=None)])
async def test_without_a_certificate_that_can_be_hashed_nothing_is_bound(
    authenticator: Authenticator, far_secure: MemoryPeer, tls: MemoryTls | None
) -> None:
    far_secure.tls = tls
    assert authenticator.mechanisms(far_secure) == ("SCRAM-SHA-256", "PLAIN", "LOGIN")
    with pytest.raises(Refused) as refused:
        authenticator.exchange("SCRAM-SHA-256-PLUS", far_secure)
    assert refused.value.code is Code.CANNOT
    # whoever can bind, but was not offered to, is right
    await _challenge(authenticator.exchange("SCRAM-SHA-256", far_secure), "y,,n=linda,r=abc")


async def test_where_it_is_offered(authenticator: Authenticator, far_bound: MemoryPeer, far: MemoryPeer) -> None:
    assert authenticator.mechanisms(far_bound)[0] == "SCRAM-SHA-256-PLUS"
    far.secure, far.tls = False, None
    assert "SCRAM-SHA-256-PLUS" not in authenticator.mechanisms(far)
