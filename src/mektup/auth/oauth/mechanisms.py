"""The exchanges of OAUTHBEARER (RFC 7628) and of XOAUTH2, which Google and Microsoft use, and no RFC describes.

Both send a token in one message, and only where a password may be sent (RFC 7628 §3, §5). A failure is explained in
JSON by one more challenge; whatever the client answers, the login then fails (RFC 7628 §3.2.3).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from mektup.auth import texts
from mektup.auth.gate import Gate
from mektup.auth.oauth.rules import OAuthRules, TokenRefused
from mektup.auth.sasl import Challenge
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.peer import Origin
from mektup.terms.texts import Text

# RFC 7628 §3.1
#   kvsep       = %x01
#   client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
_BEARER = re.compile(rb"[ny],(?:a=(?P<identity>[^,\x00\x01]*))?,\x01(?P<pairs>(?:[A-Za-z]+=[^\x00\x01]*\x01)*)\x01")
_XOAUTH2 = re.compile(rb"user=(?P<identity>[^\x00\x01]*)\x01auth=(?P<auth>[^\x00\x01]*)\x01\x01")
# RFC 6750 §2.1
_TOKEN = re.compile(rb"bearer +(?P<token>[A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Message:
    """The client's message."""

    identity: bytes
    """The name that the client gave; empty if it gave none."""
    token: str | None = field(repr=False)
    """None if the client only asks where to get one."""


class _OAuth:
    """The exchange that both mechanisms share."""

    wants_initial = True

    def __init__(self, gate: Gate, peer: Origin) -> None:
        """*gate* must have ``tokens``."""
        self._gate = gate
        self._address = peer.address
        self.name = b""

    def read(self, response: bytes) -> _Message:
        """What the client says. Raises ClientError."""
        raise NotImplementedError

    def complaint(self, rules: OAuthRules) -> dict[str, str]:
        """What a client gets whose token is not accepted."""
        raise NotImplementedError

    async def step(self, response: bytes) -> Challenge | AccountEntry:
        """Takes the only message. See Exchange."""
        message = self.read(response)
        self.name = message.identity
        try:
            if message.token is None:
                raise TokenRefused("there is none", is_genuine=True)
            entry = await self._gate.check_token(message.identity, message.token, self._address)
            self.name = self.name or entry.name.encode()
            return await self._gate.authorize(entry, message.identity)
        except TokenRefused:
            # without the token, which the traceback would keep
            failure = Refused(Code.AUTHENTICATIONFAILED, texts.TOKEN_REFUSED)
        except Refused as refused:
            if refused.code is not Code.AUTHORIZATIONFAILED:
                raise
            failure = refused
        tokens = self._gate.tokens
        assert tokens is not None
        return Challenge(json.dumps(self.complaint(tokens.rules), separators=(",", ":")).encode(), failure)


class OAuthBearer(_OAuth):
    """OAUTHBEARER."""

    def read(self, response: bytes) -> _Message:
        """RFC 7628 §3.1."""
        found = _BEARER.fullmatch(response)
        if found is None:
            raise ClientError(texts.OAUTHBEARER_EXPECTS)
        pairs = dict(pair.split(b"=", 1) for pair in found["pairs"].split(b"\x01")[:-1])
        identity = (found["identity"] or b"").replace(b"=2C", b",").replace(b"=3D", b"=")
        return _Message(identity, _token_in(pairs.get(b"auth", b""), texts.OAUTHBEARER_EXPECTS))

    def complaint(self, rules: OAuthRules) -> dict[str, str]:
        """RFC 7628 §3.2.2."""
        said = {"status": "invalid_token"} | ({"scope": rules.scope} if rules.scope else {})
        if rules.issuer.startswith("https://"):
            # OpenID Connect Discovery §4
            said["openid-configuration"] = rules.issuer.rstrip("/") + "/.well-known/openid-configuration"
        return said


class XOAuth2(_OAuth):
    """XOAUTH2."""

    def read(self, response: bytes) -> _Message:
        """A name, and a token in the form of an HTTP header."""
        found = _XOAUTH2.fullmatch(response)
        if found is None or not found["identity"]:
            raise ClientError(texts.XOAUTH2_EXPECTS)
        return _Message(found["identity"], _token_in(found["auth"], texts.XOAUTH2_EXPECTS))

    def complaint(self, rules: OAuthRules) -> dict[str, str]:
        """The JSON that Google sends, with the status of RFC 6750 §3.1."""
        return {"status": "401", "schemes": "bearer"} | ({"scope": rules.scope} if rules.scope else {})


def _token_in(auth: bytes, expected: Text) -> str | None:
    """The token in the value of ``auth``; None for an empty value (RFC 7628 §4.3). Raises ClientError."""
    if not auth:
        return None
    found = _TOKEN.fullmatch(auth)
    if found is None:
        raise ClientError(expected)
    return found["token"].decode("ascii")
