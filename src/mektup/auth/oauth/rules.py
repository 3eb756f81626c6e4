"""Whose tokens are accepted, as the operator has chosen, and what checks them."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthRules:
    """One issuer of tokens."""

    issuer: str
    """The claim ``iss`` of its tokens, mostly a URL."""
    jwks: str
    """Its public keys: the absolute path of a file with a JWK set (RFC 7517), or a URL."""
    audience: str
    """This server, in the claim ``aud`` of a token."""
    user_claim: str = "email"
    """The claim that names the account."""
    scope: str = ""
    """The scope for which a client should ask its issuer; empty: none is named."""


class TokenRefused(Exception):
    """A token is no proof. Its text is for tests; neither a client nor the log gets it."""

    def __init__(self, reason: str, *, is_genuine: bool = False) -> None:
        super().__init__(reason)
        self.is_genuine = is_genuine
        """Whether the issuer has signed the token, so that it is no guess."""


class KeySource(Protocol):
    """The keys of the issuer, wherever they come from."""

    @property
    def octets(self) -> bytes | None:
        """The JWK set that was read last; None if none could be read yet."""

    def refresh(self) -> Awaitable[None]:
        """Reads the keys again, unless that was done lately. Waits for a few seconds at most. Never raises."""


class Tokens(Protocol):
    """Checks tokens."""

    @property
    def rules(self) -> OAuthRules:
        """Whose tokens are accepted."""

    def user_of(self, token: str) -> Awaitable[str]:
        """The name of the account that *token* is for. Raises TokenRefused, and Refused(UNAVAILABLE) without keys."""
