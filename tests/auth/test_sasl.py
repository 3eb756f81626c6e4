"""PLAIN and LOGIN, step by step; and the exchange as lines of any protocol."""

import pytest

from mektup.auth.authenticator import Authenticator, Challenge
from mektup.auth.sasl import Complaints, converse, initial_response
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


COMPLAINTS = Complaints(cancelled="cancelled", not_base64="no base64")


class Client:
    """Answers each challenge with its next line."""

    def __init__(self, *lines: bytes) -> None:
        self.challenges: list[bytes] = []
        self._lines = list(lines)

    async def ask(self, challenge: bytes) -> bytes:
        self.challenges.append(challenge)
        return self._lines.pop(0)


async def test_an_initial_response_saves_the_first_challenge(authenticator: Authenticator, peer: MemoryPeer) -> None:
    client = Client()
    entry = await converse(authenticator.exchange("PLAIN", peer), b"\0linda\0Pa$$123", client.ask, COMPLAINTS)
    assert (entry.name, client.challenges) == ("linda", [])


async def test_without_an_initial_response_the_client_gets_an_empty_challenge(
    authenticator: Authenticator, peer: MemoryPeer
) -> None:
    client = Client(b"AGxpbmRhAFBhJCQxMjM=")
    entry = await converse(authenticator.exchange("PLAIN", peer), None, client.ask, COMPLAINTS)
    assert (entry.name, client.challenges) == ("linda", [b""])


async def test_a_mechanism_in_which_the_server_begins(authenticator: Authenticator, peer: MemoryPeer) -> None:
    client = Client(b"bGluZGE=", b"UGEkJDEyMw==")
    entry = await converse(authenticator.exchange("LOGIN", peer), None, client.ask, COMPLAINTS)
    assert (entry.name, client.challenges) == ("linda", [b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6"])


async def test_an_asterisk_cancels(authenticator: Authenticator, peer: MemoryPeer) -> None:
    with pytest.raises(ClientError, match="cancelled"):
        await converse(authenticator.exchange("LOGIN", peer), None, Client(b"bGluZGE=", b"*").ask, COMPLAINTS)


@pytest.mark.parametrize("line", [b"AA*=", b"AAA=BBB", b"AAA", b"=", b"A A=", b"\xe9AAA", b"AAA==="])
async def test_a_response_must_be_base64(authenticator: Authenticator, peer: MemoryPeer, line: bytes) -> None:
    with pytest.raises(ClientError, match="no base64"):
        await converse(authenticator.exchange("PLAIN", peer), None, Client(line).ask, COMPLAINTS)


def test_an_equals_sign_is_an_empty_initial_response() -> None:
    assert initial_response(b"=", COMPLAINTS) == b""
    assert initial_response(b"bGluZGE=", COMPLAINTS) == b"linda"
    with pytest.raises(ClientError, match="no base64"):
        initial_response(b"*", COMPLAINTS)
