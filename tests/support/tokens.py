"""Tokens of an issuer that exists only in tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mektup.auth.oauth.rules import OAuthRules, Tokens

ISSUER = "https://example.com"
AUDIENCE = "server.example.com"
JWKS = Path(__file__).parent / "jwks.json"
"""The public key of the issuer."""
PRIVATE = json.loads(JWKS.read_bytes())["keys"][0] | {"d": "48hvxCtBneg7r3KrtXTw_kb4-_ahMU1eaGJafFnWOiY"}
"""The key with which tokens for transcripts are signed: python -m tests.support.tokens user@example.com"""
YEAR_2100 = 4102444800


def rules(jwks: str = str(JWKS), **changes: Any) -> OAuthRules:
    """Accepts the tokens of this issuer."""
    return OAuthRules(**{"issuer": ISSUER, "jwks": jwks, "audience": AUDIENCE} | changes)


class Keys:
    """A ``KeySource`` that has read its file already."""

    def __init__(self, octets: bytes | None = None) -> None:
        self.octets = JWKS.read_bytes() if octets is None else octets
        self.refreshed = 0

    async def refresh(self) -> None:
        self.refreshed += 1


def checker(rules: OAuthRules | None) -> Tokens | None:
    """What checks tokens under *rules*. Skips the test where the library for it is not installed."""
    if rules is None:
        return None
    pytest.importorskip("joserfc", reason="the extra oauth is not installed")
    from mektup.auth.oauth.tokens import JwtTokens

    return JwtTokens(rules, Keys(Path(rules.jwks).read_bytes()))


def token(key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token for user@example.com, with another *header* and *claims*; what is None is left out."""
    jwk = pytest.importorskip("joserfc.jwk", reason="the extra oauth is not installed")
    jwt = pytest.importorskip("joserfc.jwt")
    given = {"iss": ISSUER, "aud": AUDIENCE, "email": "user@example.com", "exp": YEAR_2100} | claims
    names = {"alg": "ES256", "kid": "test"} | (header or {})
    signed = jwt.encode(
        {name: value for name, value in names.items() if value is not None},
        {name: value for name, value in given.items() if value is not None},
        key or jwk.JWKRegistry.import_key(PRIVATE),
        algorithms=["ES256", "ES384", "RS256", "HS256", "EdDSA", "Ed25519", "PS256", "none"],
    )
    return str(signed)


if __name__ == "__main__":
    import sys

    print(token(email=sys.argv[1]))
