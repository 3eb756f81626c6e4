"""SCRAM-SHA-256 as a client (RFC 5802, RFC 7677), because it costs the server no slow hash for each login."""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode


@functools.lru_cache(1000)
def _salted(password: bytes, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password, salt, iterations)


class Scram:
    """One login."""

    def __init__(self, name: str, password: str) -> None:
        self._password = password.encode()
        self._nonce = secrets.token_hex(12)
        self._bare = f"n={name},r={self._nonce}"

    def first(self) -> bytes:
        """The first message, in base64."""
        return b64encode(f"n,,{self._bare}".encode())

    def final(self, challenge: bytes) -> bytes:
        """The answer to the server's *challenge*; both are in base64."""
        server_first = b64decode(challenge).decode()
        fields = dict(field.split("=", 1) for field in server_first.split(","))
        salted = _salted(self._password, b64decode(fields["s"]), int(fields["i"]))
        without_proof = f"c=biws,r={fields['r']}"
        signed = f"{self._bare},{server_first},{without_proof}".encode()
        client_key = _hmac(salted, b"Client Key")
        signature = _hmac(hashlib.sha256(client_key).digest(), signed)
        proof = bytes(left ^ right for left, right in zip(client_key, signature, strict=True))
        return b64encode(f"{without_proof},p={b64encode(proof).decode()}".encode())


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
