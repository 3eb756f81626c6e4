"""Checks tokens: JSON Web Tokens (RFC 7519) that the issuer has signed. Needs the extra ``oauth``.

A token is believed only if its signature is by a public key of the issuer, with an algorithm for such keys: never
``none``, and never an HMAC, for which a public key would be the secret (RFC 8725 §2.1, §3.1).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from joserfc import jwk, jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError

from mektup.auth import texts
from mektup.auth.oauth.rules import KeySource, OAuthRules, TokenRefused
from mektup.terms.errors import Code, Refused

ALGORITHMS: Mapping[str, str] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    **dict.fromkeys(("EdDSA", "Ed25519"), "OKP"),
}
"""The signatures that are accepted, with the type of their keys."""

LEEWAY_SECONDS = 60
"""How much the clocks of the issuer and of this server may differ."""

MOST_KEYS = 100
MOST_TRIED = 8
"""How many keys are tried for a token that names none."""
RSA_BITS = range(2048, 8192 + 1)
"""Shorter keys are weak, longer ones take long to check."""


class _Header(msgspec.Struct):
    alg: str
    kid: str | None = None


class JwtTokens:
    """``rules.Tokens`` of one issuer."""

    def __init__(self, rules: OAuthRules, source: KeySource, *, clock: Callable[[], float] = time.time) -> None:
        self.rules = rules
        self._source = source
        self._clock = clock
        self._read: bytes | None = None
        self._keys: list[Any] = []
        self._registry = jws.JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)

    async def user_of(self, token: str) -> str:
        """See ``rules.Tokens``."""
        header = _header(token)
        keys = self._candidates(header)
        if not keys:
            # the issuer may have a new key
            await self._source.refresh()
            keys = self._candidates(header)
        if self._source.octets is None:
            raise Refused(Code.UNAVAILABLE, texts.NO_KEYS_YET)
        return self._user(self._verified(token, keys))

    def _candidates(self, header: _Header) -> list[Any]:
        if self._source.octets is not self._read:
            self._read = self._source.octets
            self._keys = list(_public_keys(self._read or b"{}"))
        key_type = ALGORITHMS[header.alg]
        return [
            key for key in self._keys if key.key_type == key_type and (header.kid is None or key.kid == header.kid)
        ][:MOST_TRIED]

    def _verified(self, token: str, keys: list[Any]) -> dict[str, Any]:
        for key in keys:
            try:
                decoded = jwt.decode(token, key, algorithms=list(ALGORITHMS), registry=self._registry)
            except (JoseError, ValueError, RecursionError):
                continue
            return dict(decoded.claims)
        raise TokenRefused("no key of the issuer has signed it")

    def _user(self, claims: dict[str, Any]) -> str:
        rules = self.rules
        # RFC 7519 §4.1: whoever checks a token must be named in it, and its time must not be over
        wanted = jwt.JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": rules.issuer},
            aud={"essential": True, "value": rules.audience},
            exp={"essential": True},
        )
        try:
            wanted.validate(claims)
        except ExpiredTokenError:
            raise TokenRefused("it has expired", is_genuine=True) from None
        except JoseError as error:
            raise TokenRefused(f"a claim is wrong: {error.error}", is_genuine=True) from None
        user = claims.get(rules.user_claim)
        if not isinstance(user, str) or not user:
            raise TokenRefused("it names no user", is_genuine=True)
        if rules.user_claim == "email" and claims.get("email_verified", True) is not True:
            # anybody may claim an address that nobody has checked (OpenID Connect Core §5.7)
            raise TokenRefused("its address is not verified", is_genuine=True)
        return user


def _header(token: str) -> _Header:
    """The header of *token*, which proves nothing yet. Raises TokenRefused."""
    first = token.partition(".")[0]
    try:
        octets = base64.urlsafe_b64decode(first + "=" * (-len(first) % 4))
        header = msgspec.json.decode(octets, type=_Header)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise TokenRefused("it is no JWT") from None
    if header.alg not in ALGORITHMS:
        raise TokenRefused("its algorithm is not for public keys")
    return header


def check_keys(octets: bytes) -> int:
    """The number of keys in a JWK set that can check a signature. Raises ValueError for anything else."""
    if not isinstance(found := json.loads(octets), dict) or not isinstance(found.get("keys"), list):
        raise ValueError("no JWK set")
    return sum(1 for _ in _public_keys(octets))


def _public_keys(octets: bytes) -> Iterator[Any]:
    """The keys in a JWK set for signatures by public keys; others are left out."""
    entries = json.loads(octets).get("keys", ())
    for entry in entries[:MOST_KEYS]:
        if not isinstance(entry, dict) or entry.get("kty") not in ALGORITHMS.values():
            continue
        if entry.get("use", "sig") != "sig":
            continue
        try:
            key = jwk.JWKRegistry.import_key(entry)
            public = key.get_op_key("verify")
        except (JoseError, ValueError, TypeError, KeyError):
            # a curve or a form that the library does not know
            continue
        if key.key_type != "RSA" or getattr(public, "key_size", 0) in RSA_BITS:
            yield key
