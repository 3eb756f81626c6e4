"""How people may log in, as the operator has chosen. The configuration makes this value, and auth uses it."""

from __future__ import annotations

from dataclasses import dataclass

from mektup.auth.oauth.rules import OAuthRules
from mektup.auth.scram_keys import SHA_1, SHA_256, ScramKind


@dataclass(frozen=True, slots=True)
class LoginRules:
    """Which ways to log in are switched on."""

    scram_sha_1: bool = False
    """Whether SCRAM-SHA-1 is offered, and its keys are stored."""

    oauth: OAuthRules | None = None
    """Whose tokens are accepted; None: no tokens are."""

    @property
    def scram_kinds(self) -> tuple[ScramKind, ...]:
        """The kinds of SCRAM keys that are stored for each password."""
        return (SHA_256, SHA_1) if self.scram_sha_1 else (SHA_256,)


DEFAULT_LOGIN_RULES = LoginRules()
