"""SCRAM-SHA-1, for old clients, where the operator has switched it on."""

from __future__ import annotations

import base64

import pytest
from scramp import ScramClient

from mektup.auth import scram_keys
from mektup.auth.authenticator import Authenticator, Challenge, Exchange
from mektup.auth.login_rules import LoginRules
from mektup.auth.passwords import secrets_for
from mektup.auth.scram import _is_proof
from mektup.auth.scram_keys import SHA_1, SHA_256, ScramKeys
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.errors import Code, Refused
from tests.auth.conftest import LIMITS, PASSWORD
from tests.support.memory import MemoryPeer, MemoryTls

MECHANISM = "SCRAM-SHA-1"


@pytest.fixture
async def old(directory: Directory) -> Authenticator:
    """Offers SCRAM-SHA-1; linda has keys for it, hélène has none yet."""
    await directory.set_secrets("linda", secrets_for(PASSWORD, (SHA_256, SHA_1)))
    return Authenticator(directory, LIMITS, rules=LoginRules(scram_sha_1=True), nobodys_key=b"k" * 32)


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


def test_the_numbers_of_rfc_5802() -> None:
    """RFC 5802 §5: user and pencil."""
    first_bare = b"n=user,r=fyko+d2lbbFgONRv9qkxdawL"
    server_first = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    without_proof = b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
    message = b",".join((first_bare, server_first, without_proof))
    keys = scram_keys.derived("pencil", base64.b64decode("QSXCR+Q6sek8bf92"), 4096, SHA_1)
    assert _is_proof(keys, message, base64.b64decode("v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="))
    assert base64.b64encode(SHA_1.hmac(keys.server_key, message)) == b"rmF9pqV8S7suAoZWja4dJRkFsKQ="


def test_the_numbers_of_rfc_7677() -> None:
    """RFC 7677 §3: the same for SCRAM-SHA-256."""
    first_bare = b"n=user,r=rOprNGfwEbeRWgbNEkqO"
    server_first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    without_proof = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    message = b",".join((first_bare, server_first, without_proof))
    keys = scram_keys.derived("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    assert _is_proof(keys, message, base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
    assert base64.b64encode(SHA_256.hmac(keys.server_key, message)) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_keys_are_written_and_read_as_their_own_kind() -> None:
    keys = ScramKeys(4096, b"salt", b"s" * 20, b"t" * 20, SHA_1)
    text = scram_keys.written(keys)
    assert text.startswith("SCRAM-SHA-1$4096:c2FsdA==$")
    assert scram_keys.read(text, SHA_1) == keys
    assert scram_keys.read(text, SHA_256) is None
    short = scram_keys.written(ScramKeys(4096, b"salt", b"s" * 20, b"t" * 20, SHA_256))
    assert scram_keys.read(short, SHA_256) is None


async def test_a_client_of_another_library(old: Authenticator, peer: MemoryPeer) -> None:
    entry = await _login(old.exchange(MECHANISM, peer), ScramClient([MECHANISM], "linda", PASSWORD))
    assert entry.name == "linda"


async def test_bound_to_the_connection(old: Authenticator, far_secure: MemoryPeer) -> None:
    far_secure.tls = MemoryTls()
    assert old.mechanisms(far_secure)[:4] == (
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-1",
    )
    binding = ("tls-server-end-point", far_secure.tls.certificate_hash)
    client = ScramClient([f"{MECHANISM}-PLUS"], "linda", PASSWORD, channel_binding=binding)
    assert (await _login(old.exchange(f"{MECHANISM}-PLUS", far_secure), client)).name == "linda"


async def test_it_is_off_by_default(authenticator: Authenticator, peer: MemoryPeer) -> None:
    assert MECHANISM not in authenticator.mechanisms(peer)
    with pytest.raises(Refused) as refused:
        authenticator.exchange(MECHANISM, peer)
    assert refused.value.code is Code.CANNOT
    assert MECHANISM not in secrets_for(PASSWORD)


@pytest.mark.parametrize(
    ("name", "password"),
    [("linda", "wrong"), ("nobody", PASSWORD), ("Hélène@example.org", "café au lait")],
    ids=["wrong password", "unknown name", "account without keys of this kind"],
)
async def test_failures_look_the_same(old: Authenticator, peer: MemoryPeer, name: str, password: str) -> None:
    with pytest.raises(Refused) as refused:
        await _login(old.exchange(MECHANISM, peer), ScramClient([MECHANISM], name, password))
    assert (refused.value.code, str(refused.value)) == (Code.AUTHENTICATIONFAILED, "Wrong name or password")


async def test_fake_salts_stay_and_differ_by_kind(old: Authenticator, peer: MemoryPeer) -> None:
    said = [
        await _challenge(old.exchange(kind, peer), "n,,n=nobody,r=abc") for kind in [MECHANISM, "SCRAM-SHA-256"] * 2
    ]
    salts = [each.split(",")[1] for each in said]
    assert salts[0] == salts[2] != salts[1] == salts[3]
    assert all(each.endswith(f"i={scram_keys.ITERATIONS}") for each in said)
    assert len(salts[0]) == len(salts[1])
