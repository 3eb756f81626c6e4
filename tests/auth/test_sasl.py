"""PLAIN and LOGIN, step by step."""

import pytest

from mektup.auth.authenticator import Authenticator, Challenge
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError, Code, Refused
from tests.support.memory import MemoryPeer


@pytest.mark.parametrize("identity", [b"", b"linda", b"LINDA"])
async def test_plain(authenticator: Authenticator, peer: MemoryPeer, identity: bytes) -> None:
    exchange = authenticator.exchange("PLAIN", peer)
    assert exchange.wants_initial
    entry = await exchange.step(identity + b"\0linda\0Pa$$123")
    assert isinstance(entry, AccountEntry)
    assert entry.name == "linda"
    assert exchange.name == b"linda"


@pytest.mark.parametrize("identity", ["Hélène@example.org", "nobody"])
async def test_plain_with_another_identity(authenticator: Authenticator, peer: MemoryPeer, identity: str) -> None:
    with pytest.raises(Refused) as refused:
        await authenticator.exchange("PLAIN", peer).step(identity.encode() + b"\0linda\0Pa$$123")
    assert refused.value.code is Code.AUTHORIZATIONFAILED


async def test_plain_checks_the_password_before_the_identity(authenticator: Authenticator, peer: MemoryPeer) -> None:
    with pytest.raises(Refused) as refused:
        await authenticator.exchange("PLAIN", peer).step(b"nobody\0linda\0wrong")
    assert refused.value.code is Code.AUTHENTICATIONFAILED


@pytest.mark.parametrize("response", [b"", b"linda", b"linda\0Pa$$123", b"\0linda\0Pa$$\x00123", b"\0\0\0"])
async def test_plain_malformed(authenticator: Authenticator, peer: MemoryPeer, response: bytes) -> None:
    with pytest.raises(ClientError):
        await authenticator.exchange("PLAIN", peer).step(response)


async def test_plain_wrong(authenticator: Authenticator, peer: MemoryPeer) -> None:
    exchange = authenticator.exchange("PLAIN", peer)
    with pytest.raises(Refused) as refused:
        await exchange.step(b"\0linda\0wrong")
    assert refused.value.code is Code.AUTHENTICATIONFAILED
    assert exchange.name == b"linda"


async def test_login(authenticator: Authenticator, peer: MemoryPeer) -> None:
    exchange = authenticator.exchange("LOGIN", peer)
    assert not exchange.wants_initial
    assert await exchange.step(b"") == Challenge(b"Username:")
    assert await exchange.step(b"linda") == Challenge(b"Password:")
    entry = await exchange.step(b"Pa$$123")
    assert isinstance(entry, AccountEntry)


async def test_login_with_the_name_as_initial_response(authenticator: Authenticator, peer: MemoryPeer) -> None:
    exchange = authenticator.exchange("LOGIN", peer)
    assert await exchange.step(b"linda") == Challenge(b"Password:")
    assert isinstance(await exchange.step(b"Pa$$123"), AccountEntry)


async def test_login_without_a_name(authenticator: Authenticator, peer: MemoryPeer) -> None:
    exchange = authenticator.exchange("LOGIN", peer)
    await exchange.step(b"")
    with pytest.raises(ClientError):
        await exchange.step(b"")


async def test_login_wrong(authenticator: Authenticator, peer: MemoryPeer) -> None:
    exchange = authenticator.exchange("LOGIN", peer)
    await exchange.step(b"linda")
    with pytest.raises(Refused):
        await exchange.step(b"")
