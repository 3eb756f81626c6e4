"""Logins with a name and a password, and the connections on which a password may be sent."""

import asyncio
import time
from collections.abc import Callable

import pytest

from mektup.auth.authenticator import Authenticator
from mektup.auth.passwords import AT_ONCE, PasswordVerdict, secrets_for
from mektup.auth.plaintext import Plaintext
from mektup.auth.texts import WRONG_NAME_OR_PASSWORD
from mektup.store.interface import Directory
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from tests.auth.conftest import PASSWORD
from tests.support.memory import MemoryPeer


async def test_login(authenticator: Authenticator, peer: MemoryPeer) -> None:
    entry = await authenticator.login(b"linda", PASSWORD.encode(), peer)
    assert entry.name == "linda"


@pytest.mark.parametrize("name", ["Hélène@example.org", "hélène@EXAMPLE.org", "He\u0301le\u0300ne@example.org"])
async def test_names_in_any_spelling(authenticator: Authenticator, peer: MemoryPeer, name: str) -> None:
    entry = await authenticator.login(name.encode(), "cafe\u0301 au lait".encode(), peer)
    assert entry.name == "Hélène@example.org"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (b"linda", b"wrong"),
        (b"linda", b""),
        (b"linda", b"pa$$123"),
        (b"linda", b"Pa$$123\0"),
        (b"linda", b"Pa$$123\xff"),
        (b"nobody", PASSWORD.encode()),
        (b"", PASSWORD.encode()),
        (b"linda\0", PASSWORD.encode()),
        (b"l\xefnda", PASSWORD.encode()),
        (b"linda' OR '1'='1", PASSWORD.encode()),
        ("Hélène@example.org".encode(), PASSWORD.encode()),
    ],
)
async def test_all_refusals_have_the_same_text(
    authenticator: Authenticator, peer: MemoryPeer, name: bytes, password: bytes
) -> None:
    with pytest.raises(Refused) as refused:
        await authenticator.login(name, password, peer)
    assert (refused.value.code, refused.value.text) == (Code.AUTHENTICATIONFAILED, WRONG_NAME_OR_PASSWORD)


async def test_a_right_password_is_remembered_and_a_changed_one_is_not(
    authenticator: Authenticator, directory: Directory, peer: MemoryPeer
) -> None:
    await directory.set_secrets("linda", secrets_for(PASSWORD))
    began = time.perf_counter()
    await authenticator.login(b"linda", PASSWORD.encode(), peer)
    hashed = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(20):
        await authenticator.login(b"linda", PASSWORD.encode(), peer)
    assert time.perf_counter() - began < 10 * hashed
    await directory.set_secrets("linda", secrets_for("another"))
    with pytest.raises(Refused):
        await authenticator.login(b"linda", PASSWORD.encode(), peer)
    assert (await authenticator.login(b"linda", b"another", peer)).name == "linda"


async def test_a_removed_account_cannot_log_in(
    authenticator: Authenticator, directory: Directory, peer: MemoryPeer
) -> None:
    await authenticator.login(b"linda", PASSWORD.encode(), peer)
    await directory.remove("linda")
    with pytest.raises(Refused):
        await authenticator.login(b"linda", PASSWORD.encode(), peer)


async def test_nobody_can_log_in_to_an_account_without_a_password(
    authenticator: Authenticator, directory: Directory, peer: MemoryPeer
) -> None:
    await directory.add("ada", {})
    with pytest.raises(Refused):
        await authenticator.login(b"ada", b"", peer)


async def test_a_plain_secret(authenticator: Authenticator, directory: Directory, peer: MemoryPeer) -> None:
    await directory.add("ada", {"password": "{PLAIN}secret"})
    assert (await authenticator.login(b"ada", b"secret", peer)).name == "ada"
    with pytest.raises(Refused):
        await authenticator.login(b"ada", b"secreT", peer)


@pytest.mark.parametrize(
    ("plaintext", "near", "elsewhere"),
    [(Plaintext.LOOPBACK, True, False), (Plaintext.ALWAYS, True, True), (Plaintext.NEVER, False, False)],
)
async def test_where_a_password_may_be_sent(
    with_policy: Callable[[Plaintext], Authenticator],
    peer: MemoryPeer,
    far: MemoryPeer,
    plaintext: Plaintext,
    near: bool,
    elsewhere: bool,
) -> None:
    authenticator = with_policy(plaintext)
    for client, may in ((peer, near), (far, elsewhere)):
        assert authenticator.may_send_password(client) is may
        assert ("PLAIN" in authenticator.mechanisms(client)) is may
        assert ("LOGIN" in authenticator.mechanisms(client)) is may
        assert authenticator.mechanisms(client)[0] == "SCRAM-SHA-256"
        if not may:
            with pytest.raises(Refused) as refused:
                await authenticator.login(b"linda", PASSWORD.encode(), client)
            assert refused.value.code is Code.PRIVACYREQUIRED
            with pytest.raises(Refused) as refused:
                authenticator.exchange("PLAIN", client)
            assert refused.value.code is Code.PRIVACYREQUIRED
            authenticator.exchange("SCRAM-SHA-256", client)


async def test_an_encrypted_connection_may_carry_anything(
    with_policy: Callable[[Plaintext], Authenticator], far_secure: MemoryPeer
) -> None:
    authenticator = with_policy(Plaintext.NEVER)
    assert authenticator.mechanisms(far_secure) == ("SCRAM-SHA-256", "PLAIN", "LOGIN")
    assert (await authenticator.login(b"linda", PASSWORD.encode(), far_secure)).name == "linda"


@pytest.mark.parametrize("mechanism", ["CRAM-MD5", "", "plain", "SCRAM-SHA-256-PLUS"])
async def test_unknown_mechanisms(authenticator: Authenticator, peer: MemoryPeer, mechanism: str) -> None:
    with pytest.raises(Refused, match="SCRAM-SHA-256 PLAIN LOGIN") as refused:
        authenticator.exchange(mechanism, peer)
    assert refused.value.code is Code.CANNOT


async def test_a_reload_applies_settings_and_forgets_nothing(directory: Directory, far: MemoryPeer) -> None:
    authenticator = Authenticator(directory, Limits(login_delay_seconds=0.01), plaintext=Plaintext.ALWAYS)
    entry = await authenticator.login(b"linda", PASSWORD.encode(), far)
    place = authenticator.connections.open(entry.id)
    for _ in range(3):
        with pytest.raises(Refused):
            await authenticator.login(b"ada", b"wrong", far)
    authenticator.reload(
        Limits(login_delay_seconds=15.0, connections_per_account=1, password_remembered_seconds=1.0), Plaintext.NEVER
    )
    assert authenticator._gate.throttle.wait(far.address, "ada") > 1.0
    assert authenticator._gate.verified.holds(entry, entry.secrets["password"], PASSWORD.encode())
    with pytest.raises(Refused) as refused:
        authenticator.connections.open(entry.id)
    assert refused.value.code is Code.LIMIT
    place.close()
    authenticator.connections.open(entry.id)
    assert not authenticator.may_send_password(far)


async def test_the_first_failure_of_many_attempts_makes_the_others_wait(
    authenticator: Authenticator, far_secure: MemoryPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    authenticator.reload(Limits(), Plaintext.LOOPBACK)
    monkeypatch.setattr(authenticator._gate.throttle, "_sleep", sleep)
    attempts = [authenticator.login(b"linda", b"guess %d" % number, far_secure) for number in range(6)]
    refusals = await asyncio.gather(*attempts, return_exceptions=True)
    assert [refusal.code for refusal in refusals if isinstance(refusal, Refused)] == [Code.AUTHENTICATIONFAILED] * 6
    # two are checked at once, before any failure is known
    assert len(waits) == 4


async def test_many_connections_of_one_client_cost_one_hashing(
    authenticator: Authenticator, peer: MemoryPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[bytes] = []
    check = authenticator._gate._verifier.check

    async def counted(password: bytes, secret: str | None) -> PasswordVerdict:
        checked.append(password)
        return await check(password, secret)

    monkeypatch.setattr(authenticator._gate._verifier, "check", counted)
    await asyncio.gather(*(authenticator.login(b"linda", PASSWORD.encode(), peer) for _ in range(20)))
    assert len(checked) == AT_ONCE
