"""The server's side of SCRAM (RFC 5802, RFC 7677): the client never sends the password.

The mechanisms whose names end in -PLUS bind the login to the TLS connection: the client's proof covers a hash of the
certificate that it has seen. So somebody between the two who shows another certificate cannot pass the proof on. The
only type is ``tls-server-end-point`` (RFC 5929 §4). Python gives no access to ``tls-exporter`` (RFC 9266), and does not
say whether ``tls-unique`` of a TLS 1.2 connection is safe (RFC 7627); in TLS 1.3 that is not defined. So the default
type of RFC 5802 §6.1 is missing.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Collection
from dataclasses import dataclass

from mektup.auth import texts
from mektup.auth.gate import Gate, comparable
from mektup.auth.sasl import Challenge
from mektup.auth.scram_keys import ScramKeys, ScramKind
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.peer import Origin

# RFC 5802 §7
#   client-first-message      = gs2-header client-first-message-bare
#   gs2-header                = gs2-cbind-flag "," [ authzid ] ","
#   client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
_CLIENT_FIRST = re.compile(
    rb"(?P<header>(?P<binding>n|y|p=[A-Za-z0-9.-]+),(?:a=(?P<identity>[^,\0]+))?,)"
    rb"(?P<bare>n=(?P<name>[^,\0]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,\0]+)*)"
)
#   client-final-message      = channel-binding "," nonce ["," extensions] "," proof
_CLIENT_FINAL = re.compile(
    rb"(?P<without_proof>c=(?P<binding>[A-Za-z0-9+/=]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,\0]+)*)"
    rb",p=(?P<proof>[A-Za-z0-9+/=]+)"
)
_LONE_EQUALS = re.compile(rb"=(?!2C|3D)")

BINDING_TYPE = "tls-server-end-point"
"""The channel binding of the mechanisms whose names end in -PLUS."""


def can_bind(peer: Origin) -> bool:
    """Whether a login can be bound to the connection of *peer*."""
    return peer.tls is not None and peer.tls.certificate_hash is not None


@dataclass(frozen=True, slots=True)
class _Offer:
    """The values that are fixed after the server's answer to the first message."""

    header: bytes
    identity: bytes
    nonce: bytes
    client_first_bare: bytes
    server_first: bytes
    entry: AccountEntry | None
    keys: ScramKeys


class Scram:
    """Three steps: name and nonce, then the proof, then an empty response."""

    wants_initial = True

    def __init__(self, gate: Gate, peer: Origin, offered: Collection[str], *, kind: ScramKind, plus: bool) -> None:
        """*offered* are the mechanisms that the client could choose from.

        *plus*: whether the login is bound to the connection, which ``can_bind`` must allow.
        """
        self._gate = gate
        self._address = peer.address
        self._kind = kind
        self._plus = plus
        self._binding_is_offered = f"{kind.mechanism}-PLUS" in offered
        self._bound = peer.tls.certificate_hash or b"" if plus and peer.tls is not None else b""
        self.name = b""
        self._offer: _Offer | None = None
        self._proven: AccountEntry | None = None

    async def step(self, response: bytes) -> Challenge | AccountEntry:
        """Takes client-first-message, then client-final-message, then nothing. See Exchange."""
        if self._proven is not None:
            if response:
                raise ClientError(texts.SCRAM_EXPECTS_NOTHING)
            return self._proven
        if self._offer is None:
            self._offer = await self._answer_first(response)
            return Challenge(self._offer.server_first)
        return await self._judge(response, self._offer)

    async def _answer_first(self, response: bytes) -> _Offer:
        found = _CLIENT_FIRST.fullmatch(response)
        # RFC 5802 §5: another first letter, or a mandatory extension (m=), must fail.
        if found is None:
            raise ClientError(texts.SCRAM_EXPECTS_FIRST)
        self.name = _unescaped(found["name"])
        self._check_binding(found["binding"])
        entry, keys = await self._gate.scram_keys(self.name, self._kind)
        nonce = found["nonce"] + b64encode(secrets.token_bytes(18))
        server_first = b"r=%b,s=%b,i=%d" % (nonce, b64encode(keys.salt), keys.iterations)
        identity = _unescaped(found["identity"] or b"")
        return _Offer(found["header"], identity, nonce, found["bare"], server_first, entry, keys)

    def _check_binding(self, wish: bytes) -> None:
        """Raises Refused if the client's *wish* for a channel binding does not fit the mechanism (RFC 5802 §6)."""
        if self._plus and wish != b"p=" + BINDING_TYPE.encode():
            raise Refused(Code.AUTHENTICATIONFAILED, texts.BIND_BY.of(type=BINDING_TYPE))
        if not self._plus and wish.startswith(b"p="):
            raise Refused(Code.AUTHENTICATIONFAILED, texts.NO_CHANNEL_BINDING)
        if self._binding_is_offered and wish == b"y":
            # the client can bind, and did not see that the server can: somebody changed the list of mechanisms
            raise Refused(Code.AUTHENTICATIONFAILED, texts.BINDING_WAS_HIDDEN)

    async def _judge(self, response: bytes, offer: _Offer) -> Challenge:
        found = _CLIENT_FINAL.fullmatch(response)
        if found is None:
            raise ClientError(texts.SCRAM_EXPECTS_FINAL)
        await self._gate.pause(self.name, self._address)
        # RFC 5802 §5.1: nonce and header must be those of the first messages. A changed header shows that someone
        # on the way tried to downgrade channel binding.
        said = _decoded(found["binding"])
        is_ours = hmac.compare_digest(found["nonce"], offer.nonce) and said == offer.header + self._bound
        message = b",".join((offer.client_first_bare, offer.server_first, found["without_proof"]))
        proven = _is_proof(offer.keys, message, _decoded(found["proof"]))
        other_channel = self._plus and said.startswith(offer.header) and said != offer.header + self._bound
        entry = self._gate.settle(
            comparable(self.name),
            offer.entry if proven and is_ours else None,
            self._address,
            # whatever the name is
            texts.OTHER_CHANNEL if other_channel else texts.WRONG_NAME_OR_PASSWORD,
        )
        self._proven = await self._gate.authorize(entry, offer.identity)
        return Challenge(b"v=" + b64encode(self._kind.hmac(offer.keys.server_key, message)))


def _is_proof(keys: ScramKeys, message: bytes, proof: bytes) -> bool:
    # RFC 5802 §3: ClientProof = ClientKey XOR ClientSignature, and StoredKey = H(ClientKey).
    signature = keys.kind.hmac(keys.stored_key, message)
    if len(proof) != len(signature):
        return False
    client_key = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
    return hmac.compare_digest(keys.kind.hash(client_key), keys.stored_key)


def _unescaped(name: bytes) -> bytes:
    # RFC 5802 §5.1: "=" is allowed only before 2C or 3D; otherwise the authentication fails.
    if _LONE_EQUALS.search(name):
        raise ClientError(texts.SCRAM_NAME)
    return name.replace(b"=2C", b",").replace(b"=3D", b"=")


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(text, validate=True)
    except Base64Error:
        raise ClientError(texts.SCRAM_EXPECTS_BASE64) from None
