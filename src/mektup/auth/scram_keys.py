"""The keys that SCRAM-SHA-256 stores for a password (RFC 5802 §3, RFC 7677), and their text form (RFC 5803)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass

from mektup.auth.preparation import saslprep

MECHANISM = "SCRAM-SHA-256"

ITERATIONS = 60_000
"""Iterations of PBKDF2. RFC 7677 §4 requires at least 4096. Cyrus SASL (mbsync and others) fails above 65536."""

SALT_BYTES = 16

_WRITTEN = re.compile(r"SCRAM-SHA-256\$([0-9]{1,8}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]{44}):([A-Za-z0-9+/=]{44})")


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """One account's keys. The password cannot be computed from them, but guesses can be tested."""

    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes


def make(prepared: str) -> str:
    """The keys of a password prepared by ``opaque_string``, in their text form."""
    return written(derived(prepared, secrets.token_bytes(SALT_BYTES), ITERATIONS))


def derived(prepared: str, salt: bytes, iterations: int) -> ScramKeys:
    """The keys of a password, as the client also computes them (RFC 5802 §3)."""
    # If SASLprep prohibits a character (an emoji newer than Unicode 3.2), clients use the text unprepared.
    password = (saslprep(prepared) or prepared).encode()
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
    stored_key = hashlib.sha256(digest(salted, b"Client Key")).digest()
    return ScramKeys(iterations, salt, stored_key, digest(salted, b"Server Key"))


def written(keys: ScramKeys) -> str:
    """The text form, ``SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`` (RFC 5803 §2)."""
    salt, stored_key, server_key = (b64encode(part).decode() for part in (keys.salt, keys.stored_key, keys.server_key))
    return f"{MECHANISM}${keys.iterations}:{salt}${stored_key}:{server_key}"


def read(text: str) -> ScramKeys | None:
    """The keys from a text that ``written`` made; None for any other text."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    return ScramKeys(int(found[1]), b64decode(found[2]), b64decode(found[3]), b64decode(found[4]))


def fake_keys(name: str, key: bytes) -> ScramKeys:
    """Fake keys for an unknown account, always the same for *name*; no proof matches them.

    Only this server knows *key*. Without it, fake keys cannot be told from real ones (RFC 5802 §9).
    """
    salt = digest(key, b"salt" + name.encode())[:SALT_BYTES]
    return ScramKeys(ITERATIONS, salt, digest(key, b"stored" + name.encode()), digest(key, b"server" + name.encode()))


def digest(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256."""
    return hmac.digest(key, message, "sha256")
