"""SCRAM with the client of another library, and with clients that cheat."""

import base64
import hashlib
import hmac
import re

import pytest
from scramp import ScramClient

from mektup.auth import scram_keys
from mektup.auth.authenticator import Authenticator, Challenge, Exchange
from mektup.auth.scram_keys import ScramKeys
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.errors import ClientError, Code, Refused
from tests.auth.conftest import LIMITS, PASSWORD
from tests.support.memory import MemoryPeer


@pytest.fixture
def exchange(authenticator: Authenticator, peer: MemoryPeer) -> Exchange:
    return authenticator.exchange("SCRAM-SHA-256", peer)


async def _challenge(exchange: Exchange, response: str) -> str:
    challenge = await exchange.step(response.encode())
    assert isinstance(challenge, Challenge)
    return challenge.octets.decode()


async def _login(exchange: Exchange, client: ScramClient) -> AccountEntry:
    client.set_server_first(await _challenge(exchange, client.get_client_first()))
    client.set_server_final(await _challenge(exchange, client.get_client_final()))
    entry = await exchange.step(b"")
    assert isinstance(entry, AccountEntry)
    return entry


@pytest.mark.parametrize(
    ("name", "password", "account"),
    [
        ("linda", PASSWORD, "linda"),
        ("Linda", PASSWORD, "linda"),
        ("hélène@example.org", "cafe\u0301 au lait", "Hélène@example.org"),
    ],
)
async def test_a_client_of_another_library(exchange: Exchange, name: str, password: str, account: str) -> None:
    assert exchange.wants_initial
    entry = await _login(exchange, ScramClient(["SCRAM-SHA-256"], name, password))
    assert entry.name == account


async def test_a_name_with_commas_and_equals_signs(
    authenticator: Authenticator, directory: Directory, peer: MemoryPeer
) -> None:
    await directory.add("a=b,c", {scram_keys.MECHANISM: scram_keys.make("secret")})
    exchange = authenticator.exchange("SCRAM-SHA-256", peer)
    assert (await _login(exchange, ScramClient(["SCRAM-SHA-256"], "a=b,c", "secret"))).name == "a=b,c"
    assert exchange.name == b"a=b,c"


@pytest.mark.parametrize("name", ["linda", "nobody"])
async def test_a_wrong_password_and_an_unknown_name_have_the_same_answer(exchange: Exchange, name: str) -> None:
    client = ScramClient(["SCRAM-SHA-256"], name, "wrong")
    client.set_server_first(await _challenge(exchange, client.get_client_first()))
    with pytest.raises(Refused) as refused:
        await exchange.step(client.get_client_final().encode())
    assert refused.value.code is Code.AUTHENTICATIONFAILED
    assert exchange.name == name.encode()


async def test_an_unknown_name_has_a_salt_that_stays(directory: Directory, peer: MemoryPeer) -> None:
    first = re.compile(r"r=abc[^,]{24},s=([A-Za-z0-9+/]{22}==),i=60000")
    salts = {}
    for name in ("nobody", "NOBODY", "linda", "nobody2"):
        for key in (b"k" * 32, b"k" * 32, b"l" * 32):
            authenticator = Authenticator(directory, LIMITS, nobodys_key=key)
            exchange = authenticator.exchange("SCRAM-SHA-256", peer)
            found = first.fullmatch(await _challenge(exchange, f"n,,n={name},r=abc"))
            assert found is not None
            salts.setdefault((name.lower(), key), set()).add(found[1])
    assert all(len(seen) == 1 for seen in salts.values())
    assert salts["linda", b"k" * 32] == salts["linda", b"l" * 32]
    assert salts["nobody", b"k" * 32] != salts["nobody", b"l" * 32]
    assert salts["nobody", b"k" * 32] != salts["nobody2", b"k" * 32]


async def test_an_account_without_keys_looks_like_any_other(
    authenticator: Authenticator, directory: Directory, peer: MemoryPeer
) -> None:
    await directory.add("ada", {"password": "{PLAIN}secret"})
    exchange = authenticator.exchange("SCRAM-SHA-256", peer)
    client = ScramClient(["SCRAM-SHA-256"], "ada", "secret")
    client.set_server_first(await _challenge(exchange, client.get_client_first()))
    with pytest.raises(Refused) as refused:
        await exchange.step(client.get_client_final().encode())
    assert refused.value.code is Code.AUTHENTICATIONFAILED


@pytest.mark.parametrize(
    "response",
    [
        "",
        "linda",
        "n,,n=linda",
        "n,,r=abc",
        "n,,r=abc,n=linda",
        "n,n=linda,r=abc",
        "x,,n=linda,r=abc",
        "n,,n=,r=abc",
        "n,,n=linda,r=",
        "n,,n=linda,r=a\x7fc",
        "n,,m=must,n=linda,r=abc",
        "n,,n=lin=2Dda,r=abc",
        "n,,n=linda=,r=abc",
        "n,linda,n=linda,r=abc",
        "n,,n=linda,r=abc,extension",
    ],
)
async def test_first_message_malformed(exchange: Exchange, response: str) -> None:
    with pytest.raises(ClientError):
        await exchange.step(response.encode())


async def test_only_a_plus_mechanism_binds(exchange: Exchange) -> None:
    with pytest.raises(Refused) as refused:
        await exchange.step(b"p=tls-server-end-point,,n=linda,r=abc")
    assert refused.value.code is Code.AUTHENTICATIONFAILED


class Client:
    """A client that does each step separately, so that a test can make errors. RFC 5802 §3."""

    def __init__(self, header: str = "n,,", extension: str = "") -> None:
        self.header = header
        self.bare = "n=linda,r=abc" + extension

    @property
    def first(self) -> str:
        return self.header + self.bare

    def final(self, server_first: str, *, header: str | None = None, nonce: str | None = None, password: str) -> str:
        served, salt, iterations = re.fullmatch(r"r=([^,]+),s=([^,]+),i=(\d+)", server_first).groups()
        binding = base64.b64encode((self.header if header is None else header).encode()).decode()
        without_proof = f"c={binding},r={nonce or served}"
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        message = f"{self.bare},{server_first},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return f"{without_proof},p={base64.b64encode(proof).decode()}"


@pytest.mark.parametrize("header", ["n,,", "y,,", "n,a=linda,", "y,a=LINDA,"])
@pytest.mark.parametrize("extension", ["", ",x=ignored"])
async def test_the_steps_by_hand(exchange: Exchange, header: str, extension: str) -> None:
    client = Client(header, extension)
    server_first = await _challenge(exchange, client.first)
    signature = await _challenge(exchange, client.final(server_first, password=PASSWORD))
    assert signature.startswith("v=")
    assert isinstance(await exchange.step(b""), AccountEntry)


async def test_with_another_identity(exchange: Exchange) -> None:
    client = Client("n,a=Hélène@example.org,")
    server_first = await _challenge(exchange, client.first)
    with pytest.raises(Refused) as refused:
        await exchange.step(client.final(server_first, password=PASSWORD).encode())
    assert refused.value.code is Code.AUTHORIZATIONFAILED


@pytest.mark.parametrize("cheat", [{"header": "y,,"}, {"nonce": "abc"}, {"nonce": "abcdef"}])
async def test_a_header_or_nonce_that_changed_on_the_way(exchange: Exchange, cheat: dict[str, str]) -> None:
    client = Client()
    server_first = await _challenge(exchange, client.first)
    with pytest.raises(Refused) as refused:
        await exchange.step(client.final(server_first, password=PASSWORD, **cheat).encode())
    assert refused.value.code is Code.AUTHENTICATIONFAILED


@pytest.mark.parametrize("final", ["", "c=biws", "c=biws,r={},p=!", "c=b,r={},p=AAAA", "r={},c=biws,p=AAAA"])
async def test_final_message_malformed(exchange: Exchange, final: str) -> None:
    server_first = await _challenge(exchange, Client().first)
    nonce = server_first.split(",")[0].removeprefix("r=")
    with pytest.raises(ClientError):
        await exchange.step(final.format(nonce).encode())


async def test_a_proof_of_another_length(exchange: Exchange) -> None:
    server_first = await _challenge(exchange, Client().first)
    nonce = server_first.split(",")[0].removeprefix("r=")
    with pytest.raises(Refused):
        await exchange.step(f"c=biws,r={nonce},p=AAAA".encode())


async def test_a_proof_is_valid_only_once(authenticator: Authenticator, peer: MemoryPeer) -> None:
    client = Client()
    first, second = (authenticator.exchange("SCRAM-SHA-256", peer) for _ in range(2))
    final = client.final(await _challenge(first, client.first), password=PASSWORD)
    await _challenge(first, final)
    await _challenge(second, client.first)
    with pytest.raises(Refused):
        await second.step(final.encode())


async def test_the_last_response_must_be_empty(exchange: Exchange) -> None:
    client = Client()
    await _challenge(exchange, client.final(await _challenge(exchange, client.first), password=PASSWORD))
    with pytest.raises(ClientError):
        await exchange.step(b"more")


def test_keys_are_written_and_read() -> None:
    keys = ScramKeys(4096, b"salt", b"s" * 32, b"t" * 32)
    text = scram_keys.written(keys)
    assert text.startswith("SCRAM-SHA-256$4096:c2FsdA==$")
    assert scram_keys.read(text) == keys
    assert scram_keys.read("") is None
    assert scram_keys.read(text + "x") is None
