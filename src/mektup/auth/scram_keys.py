"""The keys that SCRAM stores for a password (RFC 5802 §3, RFC 7677), and their text form (RFC 5803)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from mektup.auth.preparation import saslprep

ITERATIONS = 60_000
"""Iterations of PBKDF2. RFC 7677 §4 requires at least 4096. Cyrus SASL (mbsync and others) fails above 65536."""

SALT_BYTES = 16

_WRITTEN = re.compile(
    r"([A-Z0-9-]{9,20})\$([0-9]{1,8}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]{28,44}):([A-Za-z0-9+/=]{28,44})"
)


@dataclass(frozen=True, slots=True)
class ScramKind:
    """A hash function with which SCRAM is used (RFC 5802 §4)."""

    mechanism: str
    """The name of the mechanism, and the key of its keys in AccountEntry.secrets."""
    function: str
    """The name of the hash function in hashlib."""
    size: int
    """Octets of a hash."""

    def hash(self, octets: bytes) -> bytes:
        """H of RFC 5802 §2.2."""
        return hashlib.new(self.function, octets).digest()

    def hmac(self, key: bytes, message: bytes) -> bytes:
        """HMAC of RFC 5802 §2.2."""
        return hmac.digest(key, message, self.function)


SHA_256 = ScramKind("SCRAM-SHA-256", "sha256", 32)
SHA_1 = ScramKind("SCRAM-SHA-1", "sha1", 20)

KINDS = (SHA_256, SHA_1)

MECHANISM = SHA_256.mechanism
"""The key of the keys that every account has, in AccountEntry.secrets."""


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """One account's keys. The password cannot be computed from them, but guesses can be tested."""

    iterations: int
    salt: bytes = field(repr=False)
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
    kind: ScramKind = SHA_256


def make(prepared: str, kind: ScramKind = SHA_256) -> str:
    """The keys of a password prepared by ``opaque_string``, in their text form."""
    return written(derived(prepared, secrets.token_bytes(SALT_BYTES), ITERATIONS, kind))


def derived(prepared: str, salt: bytes, iterations: int, kind: ScramKind = SHA_256) -> ScramKeys:
    """The keys of a password, as the client also computes them (RFC 5802 §3)."""
    # If SASLprep prohibits a character (an emoji newer than Unicode 3.2), clients use the text unprepared.
    password = (saslprep(prepared) or prepared).encode()
    salted = hashlib.pbkdf2_hmac(kind.function, password, salt, iterations)
    stored_key = kind.hash(kind.hmac(salted, b"Client Key"))
    return ScramKeys(iterations, salt, stored_key, kind.hmac(salted, b"Server Key"), kind)


def written(keys: ScramKeys) -> str:
    """The text form, ``SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`` (RFC 5803 §2)."""
    salt, stored_key, server_key = (b64encode(part).decode() for part in (keys.salt, keys.stored_key, keys.server_key))
    return f"{keys.kind.mechanism}${keys.iterations}:{salt}${stored_key}:{server_key}"


def read(text: str, kind: ScramKind = SHA_256) -> ScramKeys | None:
    """The keys of *kind* from a text that ``written`` made; None for any other text."""
    found = _WRITTEN.fullmatch(text)
    if found is None or found[1] != kind.mechanism:
        return None
    keys = ScramKeys(int(found[2]), b64decode(found[3]), b64decode(found[4]), b64decode(found[5]), kind)
    return keys if len(keys.stored_key) == len(keys.server_key) == kind.size else None


def fake_keys(name: str, key: bytes, kind: ScramKind = SHA_256) -> ScramKeys:
    """Fake keys for an unknown account, always the same for *name*; no proof matches them.

    Only this server knows *key*. Without it, fake keys cannot be told from real ones (RFC 5802 §9).
    """
    # an account has another salt for each kind
    seed = name.encode() if kind is SHA_256 else kind.mechanism.encode() + b"\0" + name.encode()
    salt = hmac.digest(key, b"salt" + seed, "sha256")[:SALT_BYTES]
    return ScramKeys(ITERATIONS, salt, kind.hmac(key, b"stored" + seed), kind.hmac(key, b"server" + seed), kind)
