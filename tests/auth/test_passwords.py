"""Secrets are made, imported and checked; only the correct password matches."""

import asyncio
import time

import bcrypt
import pytest

from mektup.auth import passwords, scram_keys
from mektup.auth.passwords import Verifier, imported_secrets, matches, secrets_for
from mektup.terms.errors import Code, Refused
from tests.support.passwords import quick_secrets

SHA512 = "$6$abc$8kdx7eblgj75YdWAOdLFebJbaJjIGhdFfs5lwBHkpfPUD130jDYKjBhtcAlSriHIFB4ER/TQPYe1QShecsOQY0"
BLF = bcrypt.hashpw(b"Pa$$123", b"$2b$04$abcdefghijklmnopqrstuu").decode()


def test_secrets_for() -> None:
    secrets = secrets_for("Pa$$123")
    assert set(secrets) == {"password", "SCRAM-SHA-256"}
    assert secrets["password"].startswith("{ARGON2ID}$argon2id$v=19$m=65536,")
    assert matches("Pa$$123", secrets["password"])
    assert not matches("Pa$$124", secrets["password"])
    assert scram_keys.read(secrets["SCRAM-SHA-256"]) is not None
    assert secrets_for("Pa$$123") != secrets


@pytest.mark.parametrize("password", ["", "a\nb", "a\0b", "\ud800", "x" * 5000])
def test_no_secrets_for_an_invalid_password(password: str) -> None:
    with pytest.raises(Refused) as refused:
        secrets_for(password)
    assert refused.value.code is Code.CANNOT


def test_import_of_a_plain_password_hashes_it() -> None:
    secrets = imported_secrets("{plain}Pa$$123")
    assert "Pa$$123" not in "".join(secrets.values())
    assert matches("Pa$$123", secrets["password"])
    assert "SCRAM-SHA-256" in secrets


@pytest.mark.parametrize(
    ("secret", "kept"),
    [
        ("{SHA512-CRYPT}" + SHA512, "{SHA512-CRYPT}" + SHA512),
        ("{sha512-crypt}" + SHA512, "{SHA512-CRYPT}" + SHA512),
        ("{CRYPT}" + SHA512, "{SHA512-CRYPT}" + SHA512),
        ("{BLF-CRYPT}" + BLF, "{BLF-CRYPT}" + BLF),
        ("{BLF-CRYPT}" + BLF.replace("$2b$", "$2y$"), "{BLF-CRYPT}" + BLF.replace("$2b$", "$2y$")),
        ("{CRYPT}" + BLF, "{BLF-CRYPT}" + BLF),
    ],
)
def test_import_of_a_hash_keeps_it(secret: str, kept: str) -> None:
    assert imported_secrets(secret) == {"password": kept}
    assert matches("Pa$$123", kept)
    assert not matches("pa$$123", kept)


def test_import_of_argon2id() -> None:
    hashed = passwords._hasher.hash("Pa$$123")
    assert imported_secrets("{ARGON2ID}" + hashed) == {"password": "{ARGON2ID}" + hashed}


@pytest.mark.parametrize(
    "secret",
    [
        "Pa$$123",
        "{PLAIN}",
        "{}x",
        "{MD5}abc",
        "{CRYPT}$1$abc$defghi",
        "{SHA512-CRYPT}nonsense",
        "{BLF-CRYPT}$2b$31$" + "a" * 53,
        "{BLF-CRYPT}" + BLF[:-1],
        "{ARGON2ID}$argon2id$v=19$m=99999999,t=3,p=4$WQuxs1/6lh6nknS9/eVhUQ$5xUEkYbsbtTRHb2+1lQwF/eDrmE55vnlv05pp8xGUEM",
        "{ARGON2ID}$argon2i$v=19$m=65536,t=3,p=4$WQuxs1/6lh6nknS9/eVhUQ$5xUEkYbsbtTRHb2+1lQwF/eDrmE55vnlv05pp8xGUEM",
        "{ARGON2ID}nonsense",
    ],
)
def test_import_refuses(secret: str) -> None:
    with pytest.raises(Refused) as refused:
        imported_secrets(secret)
    assert refused.value.code is Code.CANNOT


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "Pa$$123",
        "{NONE}Pa$$123",
        "{BLF-CRYPT}Pa$$123",
        "{ARGON2ID}Pa$$123",
        "{SHA512-CRYPT}Pa$$123",
        "{BLF-CRYPT}$2b$04$" + "a" * 53,
    ],
)
def test_a_malformed_secret_matches_nothing(secret: str) -> None:
    assert not matches("Pa$$123", secret)


def test_bcrypt_looks_at_72_octets() -> None:
    secret = "{BLF-CRYPT}" + bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert matches("x" * 72, secret)
    assert matches("x" * 90, secret)
    assert not matches("x" * 71, secret)


async def test_verifier() -> None:
    verifier = Verifier()
    secret = quick_secrets("na\u00efve")["password"]
    assert await verifier.matches("na\u00efve".encode(), secret)
    assert await verifier.matches("nai\u0308ve".encode(), secret)
    assert not await verifier.matches(b"naive", secret)
    assert not await verifier.matches(b"na\xefve", secret)
    assert not await verifier.matches(b"", secret)
    assert not await verifier.matches(b"x", None)


async def test_an_imported_hash_is_checked_with_the_unprepared_password() -> None:
    decomposed = "nai\u0308ve".encode()
    secret = "{BLF-CRYPT}" + bcrypt.hashpw(decomposed, bcrypt.gensalt(4)).decode()
    assert await Verifier().matches(decomposed, secret)


async def test_the_fake_hash_has_the_cost_of_ours() -> None:
    nobodys = passwords._NOBODYS.removeprefix("{ARGON2ID}")
    assert not passwords._hasher.check_needs_rehash(nobodys)


@pytest.mark.parametrize(
    ("secret", "kind"),
    [
        ("{BLF-CRYPT}$2b$12$" + "a" * 53, "{BLF-CRYPT}$2b$12"),
        ("{SHA512-CRYPT}$6$salt$" + "a" * 86, "{SHA512-CRYPT}$6"),
        ("{SHA512-CRYPT}$6$rounds=9000$salt$" + "a" * 86, "{SHA512-CRYPT}$6$rounds=9000"),
        (passwords._NOBODYS, "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=4"),
        ("{PLAIN}secret", "{PLAIN}"),
        ("{SSHA512}c2VjcmV0", "{SSHA512}"),
    ],
)
def test_a_kind_of_secret_is_its_scheme_and_its_cost(secret: str, kind: str) -> None:
    assert passwords._kind(secret) == kind


@pytest.mark.parametrize(
    "secret", [None, "{PLAIN}Pa$$123", "{BLF-CRYPT}" + BLF, "{SHA512-CRYPT}" + SHA512, quick_secrets("x")["password"]]
)
@pytest.mark.parametrize("password", [b"wrong", b"", b"\xff", b"x" * 5000, "nai\u0308ve".encode()])
async def test_every_failure_computes_our_hash_and_waits_for_the_slowest_kind(
    secret: str | None, password: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []

    def counted(candidate: str, checked: str) -> bool:
        if checked == passwords._NOBODYS:
            computed.append(candidate)
            return False
        return matches(candidate, checked)

    monkeypatch.setattr(passwords, "matches", counted)
    verifier = Verifier()
    verifier._learn("{BLF-CRYPT}$2b$13", 1.0)
    began = time.monotonic()
    verdict = await verifier.check(password, secret)
    assert not verdict.is_right
    assert len(computed) == (2 if password == "nai\u0308ve".encode() else 1)
    assert verdict.answer_at >= began + 1.0


async def test_a_correct_password_is_answered_at_once() -> None:
    verifier = Verifier()
    verifier._learn("{BLF-CRYPT}$2b$16", 1000.0)
    async with asyncio.timeout(60):
        assert await verifier.matches(b"Pa$$123", "{PLAIN}Pa$$123")


def test_one_slow_check_changes_the_pace_only_a_little() -> None:
    verifier = Verifier()
    verifier._learn("{ARGON2ID}", 0.1)
    before = verifier._pace()
    verifier._learn("{ARGON2ID}", 1.0)
    assert before < verifier._pace() < 0.5
    for number in range(1000):
        verifier._learn(str(number), 0.1)
    assert len(verifier._seconds) == passwords.MOST_KINDS


async def test_an_imported_hash_is_not_computed_for_a_very_long_password() -> None:
    secret = "{SHA512-CRYPT}$6$rounds=1000000$abc$" + "a" * 86
    async with asyncio.timeout(60):
        assert not await Verifier().matches(b"x" * 4096, secret)
