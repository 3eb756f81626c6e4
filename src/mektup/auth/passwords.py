"""What is kept of a password, and whether a password is the one.

A secret is text: ``{SCHEME}`` and what that scheme makes of the password. Everything here computes, and for long, so
:class:`Verifier`, the one asynchronous thing, does it in threads, a few at a time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from hmac import compare_digest

import bcrypt
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from mektup.auth import scram_keys, sha512_crypt
from mektup.auth.preparation import opaque_string
from mektup.terms.errors import Code, Refused

PASSWORD = "password"
"""Where AccountEntry.secrets keeps the ``{SCHEME}hash``."""

AT_ONCE = 2
"""Hashings at a time in a process: argon2id takes 64 MiB for each."""

_SECRET = re.compile(r"\{([A-Za-z0-9-]+)\}(.+)", re.ASCII | re.DOTALL)
_BLF_CRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}", re.ASCII)
"""Costs up to 16, which is seconds; the format has room for years."""
MOST_ARGON2_KIB = 256 * 1024
MOST_ARGON2_PASSES = 64

_hasher = PasswordHasher()
"""RFC 9106 §4, the second recommended option: argon2id, 64 MiB, 3 passes, 4 lanes."""

_NOBODYS = "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=4$WQuxs1/6lh6nknS9/eVhUQ$5xUEkYbsbtTRHb2+1lQwF/eDrmE55vnlv05pp8xGUEM"
"""Random octets in the shape of a hash: nobody knows a password for it, but checking it takes as long as any."""


def secrets_for(password: str) -> dict[str, str]:
    """All that is to be kept of *password*: for ``AccountEntry.secrets``. Takes a tenth of a second and 64 MiB.

    Raises Refused(CANNOT) for what cannot be a password (RFC 8265 §4.2: empty, or with control characters).
    """
    prepared = opaque_string(password.encode("utf-8", "surrogatepass"))
    if prepared is None:
        raise Refused(Code.CANNOT, "A password is UTF-8, not empty, at most 4096 octets, and has no control characters")
    return {
        PASSWORD: "{ARGON2ID}" + _hasher.hash(prepared),
        scram_keys.MECHANISM: scram_keys.make(prepared),
    }


def imported_secrets(secret: str) -> dict[str, str]:
    """What is to be kept for an account that comes with *secret*, ``{SCHEME}hash`` as in a Dovecot passwd-file.

    ``{PLAIN}`` is hashed here and now. A hash is kept as it is, and then there can be no keys for SCRAM.
    Raises Refused(CANNOT) that names what is allowed.
    """
    found = _SECRET.fullmatch(secret)
    scheme, stored = (found[1].upper(), found[2]) if found else ("", secret)
    if scheme == "PLAIN":
        return secrets_for(stored)
    if scheme == "CRYPT":
        # Dovecot's name for whatever crypt(3) knows, which says at its beginning what it is.
        scheme = "SHA512-CRYPT" if stored.startswith("$6$") else "BLF-CRYPT"
    is_sound = _SOUND.get(scheme)
    if is_sound is None:
        schemes = ", ".join(f"{{{name}}}" for name in ("PLAIN", *_SOUND, "CRYPT"))
        raise Refused(Code.CANNOT, f"A secret starts with its scheme, one of {schemes}")
    if not is_sound(stored):
        raise Refused(Code.CANNOT, f"Not a hash of {{{scheme}}}, or one that would take too long to check")
    return {PASSWORD: f"{{{scheme}}}{stored}"}


def matches(password: str, secret: str) -> bool:
    """Whether *password* is the one of *secret*. False, too, for a secret of a scheme unknown or malformed."""
    found = _SECRET.fullmatch(secret)
    check = _CHECKS.get(found[1].upper()) if found else None
    return found is not None and check is not None and check(password.encode(), found[2])


def _matches_plain(password: bytes, stored: str) -> bool:
    return compare_digest(password, stored.encode())


def _matches_argon2id(password: bytes, stored: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _matches_bcrypt(password: bytes, stored: str) -> bool:
    if not _BLF_CRYPT.fullmatch(stored):
        return False
    # bcrypt looks at 72 octets. Whoever made the hash cut the password there, so it is cut here. There is no NUL in
    # it, at which others stop: a prepared password has no controls.
    return bcrypt.checkpw(password[:72], stored.encode())


def _is_bearable_argon2id(stored: str) -> bool:
    if not stored.startswith("$argon2id$"):
        return False
    try:
        parameters = extract_parameters(stored)
    except InvalidHashError:
        return False
    return parameters.memory_cost <= MOST_ARGON2_KIB and parameters.time_cost <= MOST_ARGON2_PASSES


def _is_blf_crypt(stored: str) -> bool:
    return _BLF_CRYPT.fullmatch(stored) is not None


_CHECKS: dict[str, Callable[[bytes, str], bool]] = {
    "PLAIN": _matches_plain,
    "ARGON2ID": _matches_argon2id,
    "SHA512-CRYPT": sha512_crypt.matches,
    "BLF-CRYPT": _matches_bcrypt,
}

_SOUND: dict[str, Callable[[str], bool]] = {
    "ARGON2ID": _is_bearable_argon2id,
    "SHA512-CRYPT": sha512_crypt.is_sha512_crypt,
    "BLF-CRYPT": _is_blf_crypt,
}


class Verifier:
    """Checks passwords in threads, at most AT_ONCE at a time; who comes later waits."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def matches(self, password: bytes, secret: str | None) -> bool:
        """Whether *password* is the one of *secret*; None for an account that is not there.

        Takes as long for nobody's account, and for what is no password at all, as for a wrong password.
        """
        candidates = _candidates(password) if secret is not None else ()
        async with self._turn:
            return await asyncio.to_thread(_any_matches, candidates, secret or _NOBODYS)


def _candidates(password: bytes) -> tuple[str, ...]:
    prepared = opaque_string(password)
    if prepared is None:
        return ()
    sent = password.decode()
    # A hash from elsewhere was made of what that client sent, unprepared.
    return (prepared,) if sent == prepared else (prepared, sent)


def _any_matches(candidates: tuple[str, ...], secret: str) -> bool:
    if any(matches(candidate, secret) for candidate in candidates):
        return True
    if not candidates or secret.startswith("{PLAIN}"):
        matches("nobody", _NOBODYS)
    return False
