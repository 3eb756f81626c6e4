"""An unknown name costs the server what a wrong password costs, and gets the same answer: counted, not timed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable

import bcrypt
import pytest

from mektup.auth import passwords, scram_keys
from mektup.auth.authenticator import Authenticator, Challenge
from mektup.store.interface import Directory
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from tests.support.memory import MemoryPeer

WRONG = b"wrong"
UNKNOWN = b"nobody"
KINDS = {
    b"ours": passwords.secrets_for("Pa$$123"),
    b"imported": {"password": "{BLF-CRYPT}" + bcrypt.hashpw(b"Pa$$123", bcrypt.gensalt(4)).decode()},
    b"plain": {"password": "{PLAIN}Pa$$123"},
    b"disabled": {},
}
"""Accounts; the last one has no password, so nobody can log in to it."""

Attempt = Callable[[Authenticator, MemoryPeer, bytes], Awaitable[object]]


async def login(authenticator: Authenticator, peer: MemoryPeer, name: bytes) -> object:
    return await authenticator.login(name, WRONG, peer)


async def plain(authenticator: Authenticator, peer: MemoryPeer, name: bytes) -> object:
    return await authenticator.exchange("PLAIN", peer).step(b"\0" + name + b"\0" + WRONG)


async def two_questions(authenticator: Authenticator, peer: MemoryPeer, name: bytes) -> object:
    exchange = authenticator.exchange("LOGIN", peer)
    await exchange.step(b"")
    await exchange.step(name)
    return await exchange.step(WRONG)


async def scram(authenticator: Authenticator, peer: MemoryPeer, name: bytes) -> object:
    exchange = authenticator.exchange("SCRAM-SHA-256", peer)
    first = await exchange.step(b"n,,n=" + name + b",r=abc")
    assert isinstance(first, Challenge)
    nonce = first.octets.split(b",")[0]
    return await exchange.step(b"c=biws,%b,p=%b" % (nonce, base64.b64encode(bytes(32))))


class Work:
    """Counts what an attempt computes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: Counter[str] = Counter()
        matches, digest, pbkdf2 = passwords.matches, hmac.digest, hashlib.pbkdf2_hmac

        def counted_matches(candidate: str, secret: str) -> bool:
            self.counts[secret.partition("}")[0] + "}"] += 1
            return matches(candidate, secret)

        def counted_digest(*given: object) -> bytes:
            self.counts["HMAC"] += 1
            return digest(*given)  # type: ignore[arg-type]

        def counted_pbkdf2(*given: object) -> bytes:
            self.counts["PBKDF2"] += 1
            return pbkdf2(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(passwords, "matches", counted_matches)
        monkeypatch.setattr("hmac.digest", counted_digest)
        monkeypatch.setattr("hashlib.pbkdf2_hmac", counted_pbkdf2)


async def refusal(attempt: Attempt, directory: Directory, peer: MemoryPeer, name: bytes) -> tuple[object, str]:
    # nothing that one attempt leaves behind may help the next
    authenticator = Authenticator(directory, Limits(login_delay_seconds=0.001), nobodys_key=b"k" * 32)
    with pytest.raises(Refused) as caught:
        await attempt(authenticator, peer, name)
    return caught.value.code, str(caught.value)


@pytest.fixture
async def accounts(directory: Directory) -> Directory:
    for name, secrets in KINDS.items():
        await directory.add(name.decode(), secrets)
    return directory


@pytest.mark.parametrize("attempt", [login, plain, two_questions])
@pytest.mark.parametrize("name", KINDS)
async def test_a_wrong_password_computes_our_hash_once_whatever_the_account_is(
    attempt: Attempt, name: bytes, accounts: Directory, peer: MemoryPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(monkeypatch)
    unknown = await refusal(attempt, accounts, peer, UNKNOWN)
    expected = work.counts["{ARGON2ID}"]
    work.counts.clear()
    assert await refusal(attempt, accounts, peer, name) == unknown
    assert work.counts["{ARGON2ID}"] == expected == 1
    assert work.counts["PBKDF2"] == 0


@pytest.mark.parametrize("name", KINDS)
async def test_scram_computes_the_same_for_every_name(
    name: bytes, accounts: Directory, peer: MemoryPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(monkeypatch)
    unknown = await refusal(scram, accounts, peer, UNKNOWN)
    expected = work.counts.copy()
    work.counts.clear()
    assert await refusal(scram, accounts, peer, name) == unknown
    assert work.counts == expected
    assert set(expected) == {"HMAC"}


async def first_message(authenticator: Authenticator, peer: MemoryPeer, name: bytes) -> dict[bytes, bytes]:
    challenge = await authenticator.exchange("SCRAM-SHA-256", peer).step(b"n,,n=" + name + b",r=abc")
    assert isinstance(challenge, Challenge)
    return dict(field.split(b"=", 1) for field in challenge.octets.split(b","))


async def test_the_salt_of_a_name_stays_and_costs_look_like_those_of_an_account(
    accounts: Directory, peer: MemoryPeer
) -> None:
    # two workers, and the same server after a restart
    both = [Authenticator(accounts, Limits(), nobodys_key=b"k" * 32) for _ in range(2)]
    real = await first_message(both[0], peer, b"ours")
    salts = set()
    for name in (b"ours", *(b"user%d" % number for number in range(50))):
        said = [await first_message(each, peer, name) for each in both]
        assert said[0][b"s"] == said[1][b"s"]
        assert said[0][b"i"] == real[b"i"] == str(scram_keys.ITERATIONS).encode()
        assert len(base64.b64decode(said[0][b"s"])) == len(base64.b64decode(real[b"s"]))
        salts.add(said[0][b"s"])
    assert len(salts) == 51


async def test_another_spelling_of_an_unknown_name_has_the_same_salt(accounts: Directory, peer: MemoryPeer) -> None:
    authenticator = Authenticator(accounts, Limits())
    assert (await first_message(authenticator, peer, b"NoBody"))[b"s"] == (
        await first_message(authenticator, peer, b"nobody")
    )[b"s"]
