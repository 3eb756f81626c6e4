"""A password with an imported hash is hashed again after the first successful login."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from dataclasses import replace

import bcrypt
import pytest

from mektup.auth import passwords, scram_keys
from mektup.auth.authenticator import Authenticator
from mektup.auth.login_rules import LoginRules
from mektup.auth.passwords import imported_secrets, is_ours, renewed_secrets, secrets_for
from mektup.auth.plaintext import Plaintext
from mektup.auth.scram_keys import SHA_1
from mektup.server import logs
from mektup.store.interface import AccountEntry, Directory
from mektup.store.texts import DISK_FULL
from mektup.terms.errors import Code, Refused
from tests.auth.conftest import LIMITS
from tests.support.memory import MemoryPeer

SHA512 = "$6$abc$8kdx7eblgj75YdWAOdLFebJbaJjIGhdFfs5lwBHkpfPUD130jDYKjBhtcAlSriHIFB4ER/TQPYe1QShecsOQY0"
BLF = bcrypt.hashpw(b"Pa$$123", b"$2b$04$abcdefghijklmnopqrstuu").decode()


@pytest.fixture
def authenticator(directory: Directory) -> Authenticator:
    return Authenticator(directory, LIMITS, hashes_anew=True)


async def renewed(authenticator: Authenticator) -> None:
    """Waits until no renewal runs."""
    while tasks := tuple(authenticator._renewal._tasks.values()):
        await asyncio.gather(*tasks)


async def secrets(directory: Directory, name: str = "ada") -> Mapping[str, str]:
    entry = await directory.find(name)
    assert entry is not None
    return entry.secrets


@pytest.mark.parametrize("secret", ["{SHA512-CRYPT}" + SHA512, "{BLF-CRYPT}" + BLF, "{PLAIN}Pa$$123"])
async def test_at_the_first_login(
    authenticator: Authenticator, directory: Directory, peer: MemoryPeer, secret: str
) -> None:
    await directory.add("ada", {"password": secret})
    with pytest.raises(Refused):
        await authenticator.login(b"ada", b"wrong", peer)
    await renewed(authenticator)
    assert await secrets(directory) == {"password": secret}
    entry = await authenticator.login(b"ada", b"Pa$$123", peer)
    authenticator.connections.open(entry.id).occupy(entry, peer)
    await renewed(authenticator)
    kept = await secrets(directory)
    assert is_ours(kept["password"])
    assert scram_keys.read(kept["SCRAM-SHA-256"]) is not None
    assert (await authenticator.login(b"ada", b"Pa$$123", peer)).secrets == kept
    with pytest.raises(Refused):
        await authenticator.login(b"ada", b"wrong", peer)
    # the session of that login goes on
    await authenticator.review()
    assert peer.dismissal is None
    await renewed(authenticator)
    assert await secrets(directory) == kept


async def test_a_password_that_was_changed_meanwhile_stays_changed(
    authenticator: Authenticator, directory: Directory, peer: MemoryPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await directory.add("ada", imported_secrets("{BLF-CRYPT}" + BLF))
    entry = await authenticator.login(b"ada", b"Pa$$123", peer)
    authenticator.connections.open(entry.id).occupy(entry, peer)
    changed = await directory.set_secrets("ada", secrets_for("another"))
    await renewed(authenticator)
    assert await secrets(directory) == changed.secrets
    await authenticator.review()
    assert peer.dismissal is not None


async def test_a_renewal_by_another_process_ends_no_session(
    authenticator: Authenticator, directory: Directory, peer: MemoryPeer
) -> None:
    await directory.add("ada", imported_secrets("{BLF-CRYPT}" + BLF))
    entry = await authenticator.login(b"ada", b"Pa$$123", peer)
    authenticator.connections.open(entry.id).occupy(entry, peer)
    assert await directory.renew_secrets(entry.id, entry.secrets, secrets_for("Pa$$123"))
    await authenticator.review()
    assert peer.dismissal is None
    await renewed(authenticator)
    await authenticator.review()
    assert peer.dismissal is None


async def test_logins_work_if_the_directory_cannot_be_written(
    directory: Directory, peer: MemoryPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await directory.add("ada", {"password": "{PLAIN}Pa$$123"})

    async def full(*_: object) -> bool:
        raise Refused(Code.UNAVAILABLE, DISK_FULL)

    monkeypatch.setattr(directory, "renew_secrets", full)
    authenticator = Authenticator(directory, LIMITS, hashes_anew=True)
    assert (await authenticator.login(b"ada", b"Pa$$123", peer)).name == "ada"
    await renewed(authenticator)
    assert await secrets(directory) == {"password": "{PLAIN}Pa$$123"}


async def test_a_bug_in_a_renewal_is_logged_without_the_password(
    directory: Directory, peer: MemoryPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await directory.add("ada", {"password": "{PLAIN}Pa$$123"})

    async def broken(*given: object) -> bool:
        raise KeyError("Pa$$123")

    monkeypatch.setattr(directory, "renew_secrets", broken)
    out = io.StringIO()
    authenticator = Authenticator(directory, LIMITS, hashes_anew=True, log=logs.logger("info", "text", out))
    await authenticator.login(b"ada", b"Pa$$123", peer)
    while authenticator._renewal.in_flight:
        await asyncio.sleep(0.001)
    assert "password_not_hashed_anew" in out.getvalue()
    assert "KeyError" in out.getvalue()
    assert "Pa$$123" not in out.getvalue().replace('raise KeyError("Pa$$123")', "")


async def test_closing_cancels_renewals(authenticator: Authenticator, directory: Directory, peer: MemoryPeer) -> None:
    await directory.add("ada", {"password": "{PLAIN}Pa$$123"})
    await authenticator.login(b"ada", b"Pa$$123", peer)
    await authenticator.close()
    assert not authenticator._renewal.in_flight
    assert await secrets(directory) == {"password": "{PLAIN}Pa$$123"}


def test_our_own_hash_is_not_renewed() -> None:
    assert renewed_secrets(b"Pa$$123", secrets_for("Pa$$123")) is None


def test_keys_for_scram_stay_because_sessions_may_depend_on_them() -> None:
    keys = scram_keys.make("Pa$$123")
    made = renewed_secrets(b"Pa$$123", {"password": "{PLAIN}Pa$$123", "SCRAM-SHA-256": keys})
    assert made is not None
    assert made["SCRAM-SHA-256"] == keys
    assert is_ours(made["password"])


def test_octets_that_bcrypt_ignored_are_not_trusted() -> None:
    secret = "{BLF-CRYPT}" + bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert renewed_secrets(b"x" * 73, {"password": secret}) is None
    assert renewed_secrets(b"x" * 72, {"password": secret}) is not None
    assert renewed_secrets("é".encode() * 36, {"password": secret}) is not None
    assert renewed_secrets("é".encode() * 37, {"password": secret}) is None


def test_an_entry_does_not_show_its_secrets() -> None:
    entry = AccountEntry("a1", "ada", {passwords.PASSWORD: "{PLAIN}Pa$$123"})  # type: ignore[arg-type]
    assert "Pa$$123" not in repr(entry)


async def test_keys_for_sha_1_come_and_go_with_the_setting(directory: Directory, peer: MemoryPeer) -> None:
    before = secrets_for("Pa$$123")
    await directory.add("ada", before)
    rules = LoginRules(scram_sha_1=True)
    authenticator = Authenticator(directory, LIMITS, hashes_anew=True, rules=rules)
    await authenticator.login(b"ada", b"Pa$$123", peer)
    await renewed(authenticator)
    kept = await secrets(directory)
    assert scram_keys.read(kept["SCRAM-SHA-1"], SHA_1) is not None
    # sessions that logged in before stay valid
    assert {name: kept[name] for name in before} == before
    # a password that is remembered is not checked again, so this would come later
    authenticator.reload(replace(LIMITS, password_remembered_seconds=0.0), Plaintext.LOOPBACK)
    authenticator._gate.verified._until.clear()
    await authenticator.login(b"ada", b"Pa$$123", peer)
    await renewed(authenticator)
    assert await secrets(directory) == before
