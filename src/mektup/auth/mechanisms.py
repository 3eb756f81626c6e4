"""The table of SASL mechanisms."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from mektup.auth.external import External, is_certified
from mektup.auth.gate import Gate
from mektup.auth.oauth.mechanisms import OAuthBearer, XOAuth2
from mektup.auth.sasl import Exchange, LoginMechanism, PlainMechanism
from mektup.auth.scram import Scram, can_bind
from mektup.auth.scram_keys import SHA_1, SHA_256
from mektup.terms.peer import Origin


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism, and the connections on which it is offered."""

    name: str
    begin: Callable[[Gate, Origin, Collection[str]], Exchange]
    """Gets the names of the mechanisms that are offered, too."""
    sends_password: bool = False
    """Whether the client sends the password itself, or anything that is worth as much."""
    when: Callable[[Gate, Origin], bool] = lambda gate, peer: True


def _binds(gate: Gate, peer: Origin) -> bool:
    return can_bind(peer)


def _uses_sha_1(gate: Gate, peer: Origin) -> bool:
    return gate.rules.scram_sha_1


def _binds_with_sha_1(gate: Gate, peer: Origin) -> bool:
    return gate.rules.scram_sha_1 and can_bind(peer)


def _takes_tokens(gate: Gate, peer: Origin) -> bool:
    return gate.tokens is not None


def _is_certified(gate: Gate, peer: Origin) -> bool:
    return is_certified(peer)


def _alone(begin: Callable[[Gate, Origin], Exchange]) -> Callable[[Gate, Origin, Collection[str]], Exchange]:
    """For a mechanism to which the others do not matter."""
    return lambda gate, peer, offered: begin(gate, peer)


MECHANISMS: tuple[Mechanism, ...] = (
    Mechanism("EXTERNAL", _alone(External), when=_is_certified),
    Mechanism("SCRAM-SHA-256-PLUS", partial(Scram, kind=SHA_256, plus=True), when=_binds),
    Mechanism("SCRAM-SHA-256", partial(Scram, kind=SHA_256, plus=False)),
    Mechanism("SCRAM-SHA-1-PLUS", partial(Scram, kind=SHA_1, plus=True), when=_binds_with_sha_1),
    Mechanism("SCRAM-SHA-1", partial(Scram, kind=SHA_1, plus=False), when=_uses_sha_1),
    Mechanism("OAUTHBEARER", _alone(OAuthBearer), sends_password=True, when=_takes_tokens),
    Mechanism("XOAUTH2", _alone(XOAuth2), sends_password=True, when=_takes_tokens),
    Mechanism("PLAIN", _alone(PlainMechanism), sends_password=True),
    Mechanism("LOGIN", _alone(LoginMechanism), sends_password=True),
)
"""Strongest first."""
