"""Logs in to the server that mail is taken from: the best way that both have.

A password is sent in the clear only over TLS, or where the operator said so. SCRAM is preferred, because it shows the
password to nobody, and the server proves that it knows it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mektup.auth.preparation import saslprep
from mektup.auth.scram_keys import SHA_256
from mektup.migration.imap import texts
from mektup.migration.imap.errors import LoginRefused


class Mechanism(Enum):
    """A way to log in."""

    SCRAM_SHA_256 = "SCRAM-SHA-256"
    PLAIN = "PLAIN"
    LOGIN = "LOGIN"
    """The command, not the mechanism of that name."""
    OAUTHBEARER = "OAUTHBEARER"
    XOAUTH2 = "XOAUTH2"


WITH_PASSWORD: Final = (Mechanism.SCRAM_SHA_256, Mechanism.PLAIN, Mechanism.LOGIN)
"""The best first."""
WITH_TOKEN: Final = (Mechanism.OAUTHBEARER, Mechanism.XOAUTH2)

MIN_ITERATIONS: Final = 4096
"""RFC 7677 §4."""
MAX_ITERATIONS: Final = 10_000_000
"""More would only keep us busy."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in, and how."""

    user: str
    """Whose mail it is."""
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    """An access token of OAuth 2.0, in place of a password."""
    master: str | None = None
    """The name that the password belongs to, if it is another user's who may log in as *user* (RFC 4616 §2)."""
    mechanism: Mechanism | None = None
    """The only one to use; None for the best."""

    @property
    def name(self) -> str:
        """The name that is authenticated."""
        return self.user if self.master is None else self.master

    @property
    def identity(self) -> str:
        """The name to act as (authzid); empty where it is the same."""
        return self.user if self.master is not None else ""


def usable(credentials: Credentials, capabilities: Sequence[str], server: str) -> list[Mechanism]:
    """The mechanisms that both have, the best first; at most two are worth trying. Raises LoginRefused for none.

    The second is for servers that offer SCRAM, but do not have its keys for each account.
    """
    offered = {name.removeprefix("AUTH=") for name in capabilities if name.startswith("AUTH=")}
    offered.discard(Mechanism.LOGIN.value)  # the mechanism of that name, which can do nothing more than the command
    if "LOGINDISABLED" not in capabilities and credentials.master is None:
        # the command has no place for a second name
        offered.add(Mechanism.LOGIN.value)
    shown = ", ".join(sorted(offered)) or "-"
    if (wished := credentials.mechanism) is not None:
        if wished.value not in offered:
            raise LoginRefused(texts.NO_SUCH_MECHANISM.of(server=server, mechanism=wished.value, offered=shown))
        return [wished]
    fitting = WITH_PASSWORD if credentials.token is None else WITH_TOKEN
    if not (found := [mechanism for mechanism in fitting if mechanism.value in offered]):
        raise LoginRefused(texts.NO_MECHANISM.of(server=server, offered=shown))
    return found[:2] if found[0] is Mechanism.SCRAM_SHA_256 else found[:1]


def steps(mechanism: Mechanism, credentials: Credentials, host: str, port: int) -> SaslClient:
    """The client's side of *mechanism*, which is not LOGIN."""
    if mechanism is Mechanism.SCRAM_SHA_256:
        return ScramClient(credentials, host)
    if mechanism is Mechanism.PLAIN:
        parts = (credentials.identity, credentials.name, credentials.password or "")
        return OneMessage("\0".join(parts).encode())
    if mechanism is Mechanism.OAUTHBEARER:
        # RFC 7628 §3.1
        name = credentials.user.replace("=", "=3D").replace(",", "=2C")
        return OneMessage(
            f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {credentials.token}\x01\x01".encode(),
            after_error=b"\x01",
        )
    return OneMessage(f"user={credentials.user}\x01auth=Bearer {credentials.token}\x01\x01".encode())


class SaslClient:
    """The client's side of a mechanism."""

    def first(self) -> bytes:
        """The initial response (RFC 4959)."""
        raise NotImplementedError

    def answer(self, challenge: bytes) -> bytes:
        """What is answered to *challenge*. Raises LoginRefused where the server is not to be trusted."""
        raise NotImplementedError

    def finish(self) -> None:
        """Raises LoginRefused where the server accepted without a proof that it owes."""


class OneMessage(SaslClient):
    """A mechanism whose client says everything at once. A challenge after it is an error in another form."""

    def __init__(self, message: bytes, *, after_error: bytes = b"") -> None:
        self._message = message
        self._after_error = after_error

    def first(self) -> bytes:
        return self._message

    def answer(self, challenge: bytes) -> bytes:
        # RFC 7628 §3.2.3: the client acknowledges the error, and the server then answers NO
        return self._after_error


_SERVER_FIRST = re.compile(rb"r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,9})(?:,.*)?")


class ScramClient(SaslClient):
    """SCRAM-SHA-256 (RFC 5802 §3, RFC 7677), without channel binding."""

    def __init__(self, credentials: Credentials, server: str) -> None:
        self._server = server
        self._name = credentials.name
        self._password = credentials.password or ""
        identity = f"a={_escaped(credentials.identity)}" if credentials.identity else ""
        self._header = f"n,{identity},".encode()
        self._nonce = b64encode(secrets.token_bytes(18))
        self._bare = f"n={_escaped(credentials.name)},r={self._nonce.decode()}".encode()
        self._signature: bytes | None = None
        self._is_proven = False

    def first(self) -> bytes:
        return self._header + self._bare

    def answer(self, challenge: bytes) -> bytes:
        if self._signature is None:
            return self._final(challenge)
        # RFC 5802 §3: the server proves that it has the keys of this password
        if not hmac.compare_digest(challenge, b"v=" + b64encode(self._signature)):
            raise LoginRefused(texts.NO_PROOF.of(server=self._server, name=self._name))
        self._is_proven = True
        return b""

    def finish(self) -> None:
        if not self._is_proven:
            raise LoginRefused(texts.NO_PROOF.of(server=self._server, name=self._name))

    def _final(self, challenge: bytes) -> bytes:
        found = _SERVER_FIRST.fullmatch(challenge)
        if (
            found is None
            or not found[1].startswith(self._nonce)
            or len(found[1]) == len(self._nonce)
            or not MIN_ITERATIONS <= int(found[3]) <= MAX_ITERATIONS
        ):
            raise LoginRefused(texts.WEAK_SCRAM.of(server=self._server))
        try:
            salt = b64decode(found[2], validate=True)
        except Base64Error:
            raise LoginRefused(texts.WEAK_SCRAM.of(server=self._server)) from None
        without_proof = b"c=" + b64encode(self._header) + b",r=" + found[1]
        message = b",".join((self._bare, challenge, without_proof))
        password = (saslprep(self._password) or self._password).encode()
        salted = hashlib.pbkdf2_hmac("sha256", password, salt, int(found[3]))
        client_key = SHA_256.hmac(salted, b"Client Key")
        signature = SHA_256.hmac(SHA_256.hash(client_key), message)
        self._signature = SHA_256.hmac(SHA_256.hmac(salted, b"Server Key"), message)
        return without_proof + b",p=" + b64encode(bytes(one ^ other for one, other in _pairs(client_key, signature)))


def _pairs(one: bytes, other: bytes) -> Iterator[tuple[int, int]]:
    return zip(one, other, strict=True)


def _escaped(name: str) -> str:
    # RFC 5802 §5.1
    return name.replace("=", "=3D").replace(",", "=2C")
