"""The schemes of password hashes: ours, and those of accounts imported from Dovecot, LDAP or Unix.

A secret is ``{SCHEME}stored``. ``canonical`` reads an imported secret once, at import. ``matches`` checks a password
against a stored secret; with some schemes this takes long.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hmac import compare_digest

import bcrypt
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from mektup.auth import md5_crypt, scram_keys, texts
from mektup.auth.scram_keys import ScramKeys
from mektup.auth.sha_crypt import SHA256_CRYPT, SHA512_CRYPT
from mektup.terms.errors import Code, Refused

MOST_ARGON2_KIB = 256 * 1024
MOST_ARGON2_PASSES = 64
MOST_PBKDF2_ROUNDS = 1_000_000
"""About a second of work."""

SECRET = re.compile(r"\{([A-Za-z0-9.-]+)\}(.+)", re.ASCII | re.DOTALL)
_SCHEME_ALONE = re.compile(r"\{[A-Za-z0-9.-]+\}", re.ASCII)
_BLF_CRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}", re.ASCII)
"""Costs up to 16, which takes seconds; the format allows costs that take years."""
_PBKDF2 = re.compile(r"\$1\$([^$:\n]{1,64})\$([0-9]{1,7})\$([0-9a-f]{40})", re.ASCII)
_SCRAM = re.compile(r"([0-9]{1,7}),([A-Za-z0-9+/=]{1,400}),([A-Za-z0-9+/=]{44}),([A-Za-z0-9+/=]{44})", re.ASCII)

_hasher = PasswordHasher()
"""Only verifies; each hash contains its own parameters."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to store a password."""

    is_sound: Callable[[str], bool]
    """Whether a text is a hash of this scheme that can be checked in acceptable time."""
    matches: Callable[[bytes, str], bool]
    """Whether the password, in UTF-8, matches the hash; False if the hash is malformed."""


@dataclass(frozen=True, slots=True)
class _Digest:
    """A hashlib digest of the password and the salt, followed by the salt if there is one; in base64."""

    name: str
    salted: bool

    def is_sound(self, stored: str) -> bool:
        octets = _from_base64(stored)
        if octets is None:
            return False
        size = hashlib.new(self.name, usedforsecurity=False).digest_size
        return len(octets) > size if self.salted else len(octets) == size

    def matches(self, password: bytes, stored: str) -> bool:
        octets = _from_base64(stored)
        if octets is None or not self.is_sound(stored):
            return False
        made = hashlib.new(self.name, usedforsecurity=False)
        digest, salt = octets[: made.digest_size], octets[made.digest_size :]
        made.update(password + salt)
        return compare_digest(made.digest(), digest)


def matches(password: str, secret: str) -> bool:
    """Whether *password* matches *secret*. False if the scheme is unknown or the secret is malformed."""
    found = SECRET.fullmatch(secret)
    scheme = _SCHEMES.get(found[1].upper()) if found else None
    return found is not None and scheme is not None and scheme.matches(password.encode(), found[2])


def canonical(secret: str) -> str:
    """The form in which *secret* is stored, which comes from a Dovecot passwd-file, LDAP or a shadow file.

    ``{PLAIN}`` is returned as it is; the caller hashes it. Raises Refused(CANNOT), whose text says what is wrong.
    """
    found = SECRET.fullmatch(secret)
    if found is not None:
        written, stored = found[1].upper(), found[2]
    elif secret.startswith("$"):
        # In a shadow file, and in Dovecot's files, a hash without a scheme is one of crypt(3).
        written, stored = "CRYPT", secret
    else:
        if _SCHEME_ALONE.fullmatch(secret):
            raise Refused(Code.CANNOT, texts.NO_SECRET_AFTER.of(scheme=secret))
        raise Refused(Code.CANNOT, texts.NO_SCHEME)
    name, _, encoding = written.partition(".")
    name = _ALIASES.get(name, name)
    stored = _decoded(name, stored, encoding)
    if name == "CRYPT":
        name = _of_crypt(stored)
    name = _DIGEST_NAMES.get(name, name)
    if name == PLAIN:
        return f"{{{PLAIN}}}{stored}"
    scheme = _SCHEMES.get(name)
    if scheme is None:
        raise Refused(Code.CANNOT, texts.UNKNOWN_SCHEME.of(scheme=f"{{{written}}}"))
    if not scheme.is_sound(stored):
        raise Refused(Code.CANNOT, texts.NO_HASH.of(scheme=f"{{{name}}}"))
    return f"{{{name}}}{stored}"


def scram_keys_of(secret: str) -> ScramKeys | None:
    """The SCRAM keys that *secret* consists of; None for any other scheme."""
    found = SECRET.fullmatch(secret)
    return _scram_keys(found[2]) if found is not None and found[1] == scram_keys.MECHANISM else None


def _of_crypt(stored: str) -> str:
    """The scheme of a hash of crypt(3), from its prefix."""
    for beginning, name in _CRYPT_BEGINNINGS:
        if stored.startswith(beginning):
            return name
    known = ", ".join(beginning for beginning, _ in _CRYPT_BEGINNINGS)
    raise Refused(Code.CANNOT, texts.NO_CRYPT_HASH.of(beginnings=known))


def _decoded(name: str, stored: str, encoding: str) -> str:
    """*stored* in the scheme's own form, converted from the encoding ``.HEX`` or ``.B64`` of the scheme's name."""
    if encoding not in ("", "HEX", "B64", "BASE64"):
        raise Refused(Code.CANNOT, texts.UNKNOWN_ENCODING.of(encoding=encoding))
    if not encoding and name != "PLAIN-MD5":
        return stored
    octets = _from_base64(stored) if encoding in ("B64", "BASE64") else _from_hex(stored)
    if octets is None:
        raise Refused(Code.CANNOT, texts.NOT_ENCODED.of(encoding=encoding or "HEX"))
    if name in _DIGESTS or name in _DIGEST_NAMES:
        return b64encode(octets).decode()
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Refused(Code.CANNOT, texts.SECRET_NOT_UTF8) from None


def _from_base64(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return None


def _from_hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) if text.isalnum() else None
    except ValueError:
        return None


def _matches_plain(password: bytes, stored: str) -> bool:
    return compare_digest(password, stored.encode())


def _matches_argon2(password: bytes, stored: str) -> bool:
    if not stored.isascii():
        return False
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _is_bearable_argon2(stored: str, *, kind: str) -> bool:
    if not stored.startswith(f"${kind}$") or not stored.isascii():
        return False
    try:
        parameters = extract_parameters(stored)
    except InvalidHashError:
        return False
    return parameters.memory_cost <= MOST_ARGON2_KIB and parameters.time_cost <= MOST_ARGON2_PASSES


def _is_blf_crypt(stored: str) -> bool:
    return _BLF_CRYPT.fullmatch(stored) is not None


def _matches_bcrypt(password: bytes, stored: str) -> bool:
    if not _is_blf_crypt(stored):
        return False
    # bcrypt uses 72 octets. The hash was made from a password cut there, so it is cut here too. Other implementations
    # also stop at a NUL; a prepared password has none.
    try:
        return bcrypt.checkpw(password[:72], stored.encode())
    except ValueError:
        # The salt's last character has bits that no salt has.
        return False


def _is_pbkdf2(stored: str) -> bool:
    found = _PBKDF2.fullmatch(stored)
    return found is not None and 0 < int(found[2]) <= MOST_PBKDF2_ROUNDS


def _matches_pbkdf2(password: bytes, stored: str) -> bool:
    found = _PBKDF2.fullmatch(stored)
    if found is None or not _is_pbkdf2(stored):
        return False
    made = hashlib.pbkdf2_hmac("sha1", password, found[1].encode(), int(found[2]))
    return compare_digest(made.hex(), found[3])


def _scram_keys(stored: str) -> ScramKeys | None:
    """Reads Dovecot's ``iterations,salt,StoredKey,ServerKey``; all but the first are base64."""
    found = _SCRAM.fullmatch(stored)
    if found is None or not 0 < int(found[1]) <= MOST_PBKDF2_ROUNDS:
        return None
    salt, stored_key, server_key = (_from_base64(found[place]) for place in (2, 3, 4))
    if not salt or stored_key is None or server_key is None or {len(stored_key), len(server_key)} != {32}:
        return None
    return ScramKeys(int(found[1]), salt, stored_key, server_key)


def _matches_scram(password: bytes, stored: str) -> bool:
    keys = _scram_keys(stored)
    if keys is None:
        return False
    return compare_digest(scram_keys.derived(password.decode(), keys.salt, keys.iterations).stored_key, keys.stored_key)


PLAIN = "PLAIN"

_DIGESTS: dict[str, _Digest] = {
    "SHA": _Digest("sha1", salted=False),
    "SHA256": _Digest("sha256", salted=False),
    "SHA512": _Digest("sha512", salted=False),
    "SSHA": _Digest("sha1", salted=True),
    "SSHA256": _Digest("sha256", salted=True),
    "SSHA512": _Digest("sha512", salted=True),
    "LDAP-MD5": _Digest("md5", salted=False),
    "SMD5": _Digest("md5", salted=True),
}

_SCHEMES: dict[str, Scheme] = {
    PLAIN: Scheme(bool, _matches_plain),
    "ARGON2ID": Scheme(partial(_is_bearable_argon2, kind="argon2id"), _matches_argon2),
    "ARGON2I": Scheme(partial(_is_bearable_argon2, kind="argon2i"), _matches_argon2),
    "SHA512-CRYPT": Scheme(SHA512_CRYPT.is_sound, SHA512_CRYPT.matches),
    "SHA256-CRYPT": Scheme(SHA256_CRYPT.is_sound, SHA256_CRYPT.matches),
    "BLF-CRYPT": Scheme(_is_blf_crypt, _matches_bcrypt),
    "MD5-CRYPT": Scheme(md5_crypt.is_sound, md5_crypt.matches),
    "PBKDF2": Scheme(_is_pbkdf2, _matches_pbkdf2),
    scram_keys.MECHANISM: Scheme(lambda stored: _scram_keys(stored) is not None, _matches_scram),
    **{name: Scheme(digest.is_sound, digest.matches) for name, digest in _DIGESTS.items()},
}

_ALIASES = {
    "CLEAR": PLAIN,
    "CLEARTEXT": PLAIN,
    "SHA1": "SHA",
    # Dovecot's {MD5} is that of crypt(3); the plain digest is {PLAIN-MD5} or {LDAP-MD5}.
    "MD5": "MD5-CRYPT",
}
_DIGEST_NAMES = {"PLAIN-MD5": "LDAP-MD5"}
"""Schemes that differ only in their encoding, and the one that is stored."""

_CRYPT_BEGINNINGS = (
    ("$6$", "SHA512-CRYPT"),
    ("$5$", "SHA256-CRYPT"),
    ("$1$", "MD5-CRYPT"),
    ("$2a$", "BLF-CRYPT"),
    ("$2b$", "BLF-CRYPT"),
    ("$2y$", "BLF-CRYPT"),
    ("$argon2id$", "ARGON2ID"),
    ("$argon2i$", "ARGON2I"),
)

KNOWN = ", ".join(f"{{{name}}}" for name in (*_SCHEMES, *_DIGEST_NAMES, "CRYPT"))
"""All known schemes, for messages about an unknown one."""
