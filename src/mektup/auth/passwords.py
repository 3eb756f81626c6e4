"""What is kept of a password, and whether a password is the one.

A secret is text: ``{SCHEME}`` and what that scheme makes of the password. Everything here computes, and for long, so
:class:`Verifier`, the one asynchronous thing, does it in threads, a few at a time.
"""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher

from mektup.auth import schemes, scram_keys
from mektup.auth.preparation import opaque_string
from mektup.auth.schemes import matches
from mektup.terms.errors import Code, Refused

PASSWORD = "password"
"""Where AccountEntry.secrets keeps the ``{SCHEME}hash``."""

AT_ONCE = 2
"""Hashings at a time in a process: argon2id takes 64 MiB for each."""

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

    ``{PLAIN}`` is hashed here and now. A hash is kept as it is, and then there can be no keys for SCRAM, but where it
    is made of these. Raises Refused(CANNOT) that names what is allowed.
    """
    kept = schemes.canonical(secret)
    plain = f"{{{schemes.PLAIN}}}"
    if kept.startswith(plain):
        return secrets_for(kept.removeprefix(plain))
    keys = schemes.scram_keys_of(kept)
    return {PASSWORD: kept} if keys is None else {PASSWORD: kept, scram_keys.MECHANISM: scram_keys.written(keys)}


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
