"""Which tokens are believed: only those that the issuer has signed for this server, and that are valid now."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.auth.authenticator import Authenticator, Challenge
from mektup.auth.oauth.rules import TokenRefused
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.errors import ClientError, Code, Refused
from tests.auth.conftest import LIMITS
from tests.support import tokens
from tests.support.memory import MemoryPeer
from tests.support.tokens import Keys, rules, token

jwk = pytest.importorskip("joserfc.jwk", reason="the extra oauth is not installed")
checking = pytest.importorskip("mektup.auth.oauth.tokens")

NOW = 1_800_000_000


def checker(keys: Keys | None = None, **changes: Any) -> Any:
    return checking.JwtTokens(rules(**changes), keys or Keys(), clock=lambda: NOW)


def key_set(*keys: Any) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def made(kind: str, size: str | int, **parameters: str) -> Any:
    return jwk.JWKRegistry.generate_key(kind, size, parameters=parameters or None)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def test_a_token_of_the_issuer() -> None:
    assert await checker().user_of(token()) == "user@example.com"


@pytest.mark.parametrize("audience", [[tokens.AUDIENCE], ["other", tokens.AUDIENCE]])
async def test_one_of_several_audiences(audience: list[str]) -> None:
    assert await checker().user_of(token(aud=audience)) == "user@example.com"


async def test_another_claim_names_the_user() -> None:
    assert await checker(user_claim="preferred_username").user_of(token(preferred_username="linda")) == "linda"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://example.org"},
        {"iss": "https://example.com/"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": None},
        {"aud": 7},
        {"exp": NOW - 120},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": NOW + 600},
        {"iat": NOW + 600},
        {"email": None},
        {"email": ""},
        {"email": ["user@example.com"]},
        {"email_verified": False},
        {"email_verified": "true"},
    ],
    ids=str,
)
async def test_a_claim_that_is_missing_or_wrong(claims: dict[str, object]) -> None:
    with pytest.raises(TokenRefused) as refused:
        await checker().user_of(token(**claims))
    assert refused.value.is_genuine


async def test_clocks_may_differ_a_little() -> None:
    assert await checker().user_of(token(exp=NOW - 20, nbf=NOW + 20)) == "user@example.com"


@pytest.mark.parametrize(
    ("kind", "size", "algorithm"),
    [("RSA", 2048, "RS256"), ("RSA", 2048, "PS256"), ("EC", "P-384", "ES384"), ("OKP", "Ed25519", "EdDSA")],
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_keys_of_each_kind(kind: str, size: str | int, algorithm: str) -> None:
    key = made(kind, size, kid="one")
    signed = token(key, {"alg": algorithm, "kid": "one"})
    assert await checker(Keys(key_set(key))).user_of(signed) == "user@example.com"


async def test_no_signature() -> None:
    claims = {"iss": tokens.ISSUER, "aud": tokens.AUDIENCE, "exp": tokens.YEAR_2100, "email": "user@example.com"}
    for algorithm in ("none", "None", "NONE", ""):
        for signature in ("", "AAAA"):
            with pytest.raises(TokenRefused) as refused:
                await checker().user_of(f"{part({'alg': algorithm})}.{part(claims)}.{signature}")
            assert not refused.value.is_genuine


async def test_an_hmac_with_the_public_key_as_the_secret() -> None:
    key = made("RSA", 2048, kid="one")
    for secret in (key.as_pem(private=False), key_set(key)):
        forged = token(jwk.OctKey.import_key(base64.b64encode(secret)), {"alg": "HS256", "kid": "one"})
        with pytest.raises(TokenRefused) as refused:
            await checker(Keys(key_set(key))).user_of(forged)
        assert not refused.value.is_genuine


async def test_a_secret_key_in_the_set_is_no_key() -> None:
    secret = made("oct", 256, kid="one")
    keys = Keys(json.dumps({"keys": [secret.as_dict(private=True)]}).encode())
    with pytest.raises(TokenRefused):
        await checker(keys).user_of(token(secret, {"alg": "HS256", "kid": "one"}))


async def test_a_key_of_another() -> None:
    with pytest.raises(TokenRefused) as refused:
        await checker().user_of(token(made("EC", "P-256")))
    assert not refused.value.is_genuine


async def test_a_changed_claim() -> None:
    header, claims, signature = token().split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"email": "linda"}
    with pytest.raises(TokenRefused) as refused:
        await checker().user_of(f"{header}.{part(changed)}.{signature}")
    assert not refused.value.is_genuine


@pytest.mark.filterwarnings("ignore")
async def test_a_short_key_is_not_used() -> None:
    key = made("RSA", 1024, kid="one")
    signed, keys = token(key, {"alg": "RS256", "kid": "one"}), Keys(key_set(key))
    with pytest.raises(TokenRefused):
        await checker(keys).user_of(signed)


async def test_keys_that_are_not_for_signatures_or_not_known_are_left_out() -> None:
    good, other = made("EC", "P-256"), made("EC", "P-256", use="enc")
    found = json.loads(key_set(other, good))
    found["keys"] += [{"kty": "EC", "crv": "P-0"}, {"kty": "new"}, {}, "words", {"kty": "RSA"}]
    octets = json.dumps(found).encode()
    assert checking.check_keys(octets) == 1
    assert await checker(Keys(octets)).user_of(token(good, {"kid": None})) == "user@example.com"


@pytest.mark.parametrize("octets", [b"", b"[]", b"{}", b'{"keys": 7}', b"\xff", b"<html>"])
def test_what_is_no_set_of_keys(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        checking.check_keys(octets)


async def test_an_unknown_key_is_looked_for_once() -> None:
    class Renewing(Keys):
        async def refresh(self) -> None:
            await super().refresh()
            self.octets = key_set(new)

    new, keys = made("EC", "P-256", kid="new"), Renewing()
    tokens_ = checker(keys)
    assert await tokens_.user_of(token()) == "user@example.com"
    assert keys.refreshed == 0
    assert await tokens_.user_of(token(new, {"kid": "new"})) == "user@example.com"
    with pytest.raises(TokenRefused):
        await tokens_.user_of(token())
    assert keys.refreshed == 2


async def test_without_keys_nobody_can_tell() -> None:
    keys = Keys()
    keys.octets = None
    with pytest.raises(Refused) as refused:
        await checker(keys).user_of(token())
    assert refused.value.code is Code.UNAVAILABLE


@given(st.one_of(st.text("ab.=-_", max_size=40), st.lists(st.text(max_size=20), max_size=4).map(".".join)))
async def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(TokenRefused):
        await checker().user_of(text)


@pytest.mark.parametrize(
    "header", ["[]", "7", '"alg"', "{}", '{"alg": 7}', "[" * 4000, '{"alg":"ES256","x":' + "[" * 4000]
)
@pytest.mark.parametrize("rest", ["", ".", "..", ".e30.AAAA"])
async def test_headers_that_are_none(header: str, rest: str) -> None:
    with pytest.raises(TokenRefused):
        await checker().user_of(base64.urlsafe_b64encode(header.encode()).decode().rstrip("=") + rest)


# In the mechanisms


@pytest.fixture
async def authenticator(directory: Directory) -> Authenticator:
    await directory.add("user@example.com", {})
    return Authenticator(directory, LIMITS, tokens=checker())


def bearer(said: str, name: str = "") -> bytes:
    return f"n,{name and 'a=' + name},\x01host=server.example.com\x01auth=Bearer {said}\x01\x01".encode()


async def outcome(authenticator: Authenticator, peer: MemoryPeer, message: bytes) -> AccountEntry | Refused:
    answer = await authenticator.exchange("OAUTHBEARER", peer).step(message)
    if isinstance(answer, Challenge):
        assert answer.failure is not None
        assert json.loads(answer.octets)["status"] == "invalid_token"
        return answer.failure
    return answer


async def test_an_account_without_a_password(authenticator: Authenticator, peer: MemoryPeer) -> None:
    entry = await outcome(authenticator, peer, bearer(token()))
    assert isinstance(entry, AccountEntry)
    assert entry.name == "user@example.com"


async def test_a_guess_is_throttled_and_an_old_token_is_not(authenticator: Authenticator, peer: MemoryPeer) -> None:
    throttle = authenticator._gate.throttle
    for said in (token(exp=1), token(email="nobody")):
        assert isinstance(await outcome(authenticator, peer, bearer(said, "user@example.com")), Refused)
        assert not throttle.wait(peer.address, "user@example.com")
    throttle.longest_seconds = 15.0
    assert isinstance(
        await outcome(authenticator, peer, bearer(token(made("EC", "P-256")), "user@example.com")), Refused
    )
    assert throttle.wait(peer.address, "user@example.com") > 0


async def test_the_same_words_for_each_failure(authenticator: Authenticator, peer: MemoryPeer) -> None:
    said = [token(exp=1), token(email="nobody"), token(email="a\0b"), token(made("EC", "P-256")), "x.y.z"]
    assert len({str(await outcome(authenticator, peer, bearer(each))) for each in said}) == 1


async def test_a_name_that_is_no_text(authenticator: Authenticator, peer: MemoryPeer) -> None:
    class Odd:
        rules = rules()

        async def user_of(self, token: str) -> str:
            return "\ud800"

    authenticator._gate.tokens = Odd()
    assert isinstance(await outcome(authenticator, peer, bearer("x")), Refused)


async def test_tokens_need_privacy(authenticator: Authenticator, far: MemoryPeer) -> None:
    assert "OAUTHBEARER" not in authenticator.mechanisms(far)
    for name in ("OAUTHBEARER", "XOAUTH2"):
        with pytest.raises(Refused) as refused:
            authenticator.exchange(name, far)
        assert refused.value.code is Code.PRIVACYREQUIRED


@given(st.binary(max_size=60))
async def test_any_message_is_read_or_refused(message: bytes) -> None:
    from mektup.auth.oauth.mechanisms import OAuthBearer, XOAuth2

    for mechanism in (OAuthBearer, XOAuth2):
        exchange = mechanism.__new__(mechanism)
        try:
            exchange.read(message)
        except ClientError:
            continue


async def test_a_token_is_in_no_repr() -> None:
    from mektup.auth.oauth.mechanisms import OAuthBearer

    message = OAuthBearer.__new__(OAuthBearer).read(bearer("secret", "linda"))
    assert message.token == "secret"
    assert "secret" not in repr(message)
