"""What is kept of a password, and whether a password is the one.

A secret is text: ``{SCHEME}`` and what that scheme makes of the password. Everything here computes, and for long, so
:class:`Verifier`, the one asynchronous thing, does it in threads; ``login_queue`` says whose turn it is.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError

from mektup.auth import schemes, scram_keys
from mektup.auth.preparation import opaque_string
from mektup.auth.schemes import matches
from mektup.terms.errors import Code, Refused

PASSWORD = "password"
"""Where AccountEntry.secrets keeps the ``{SCHEME}hash``."""

AT_ONCE = 2
"""Hashings at a time in a process: argon2id takes 64 MiB for each."""

MOST_KINDS = 64
"""Kinds of secrets, by scheme and cost, of which the time that they take is known."""
NEWS = 0.2
"""How much of what is known is the latest."""
MARGIN = 1.5
LONGEST_PACE_SECONDS = 3.0

BCRYPT_BYTES = 72
"""Octets of a password that bcrypt looks at."""

LONGEST_CRYPT = 512
"""Octets of a password that is checked against a hash from elsewhere, as in libxcrypt."""

_COSTS = re.compile(r"\{[A-Za-z0-9.-]+\}(?:\$[a-z0-9-]{1,16})?(?:\$v=\d+)?(?:\$(?:[a-z]+=\d+,?)+|\$\d\d(?=\$))?")

_hasher = PasswordHasher()
"""RFC 9106 §4, the second recommended option: argon2id, 64 MiB, 3 passes, 4 lanes."""

_NOBODYS = "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=4$WQuxs1/6lh6nknS9/eVhUQ$5xUEkYbsbtTRHb2+1lQwF/eDrmE55vnlv05pp8xGUEM"
"""Random octets in the shape of a hash: nobody knows a password for it, but checking it takes as long as ours."""


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


def renewed_secrets(password: bytes, old: Mapping[str, str]) -> dict[str, str] | None:
    """What is to be kept of *password*, which was found right for *old*, where that came from elsewhere; else None.

    As slow as ``secrets_for``.
    """
    secret, keys = old.get(PASSWORD, ""), scram_keys.read(old.get(scram_keys.MECHANISM, ""))
    has_keys = keys is not None and keys.iterations == scram_keys.ITERATIONS
    prepared = opaque_string(password)
    if prepared is None or (is_ours(secret) and has_keys):
        return None
    if secret.startswith("{BLF-CRYPT}") and max(len(password), len(prepared.encode())) > BCRYPT_BYTES:
        # nobody knows whether what stands behind these is right
        return None
    made = secrets_for(prepared)
    if is_ours(secret):
        made[PASSWORD] = secret
    if has_keys:
        # who proved by them who it is goes on to
        made[scram_keys.MECHANISM] = old[scram_keys.MECHANISM]
    return {**old, **made}


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


@dataclass(frozen=True, slots=True)
class PasswordVerdict:
    """What a check came to."""

    is_right: bool
    told_at: float
    """When a failure may be told, of ``time.monotonic``: all failures are told as long after their beginning."""


class Verifier:
    """Checks passwords in threads, so that the time of a failure tells nothing of the account.

    A hash from elsewhere may be quick to check; ours is then computed behind it, as for an account that is not there.
    The rest is waited for, up to the time that the slowest kind of secret takes here at present, as far as it was seen.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        """What failures took lately, by kind of secret."""

    async def check(self, password: bytes, secret: str | None) -> PasswordVerdict:
        """Whether *password* is the one of *secret*; None for an account that is not there."""
        began = time.monotonic()
        proved = await asyncio.to_thread(is_right, password, secret)
        if not proved:
            self._learn(_kind(secret or _NOBODYS), time.monotonic() - began)
        return PasswordVerdict(proved, began + self._pace())

    async def matches(self, password: bytes, secret: str | None) -> bool:
        """The same, told when it may be."""
        verdict = await self.check(password, secret)
        if not verdict.is_right:
            await self.until_told(verdict)
        return verdict.is_right

    async def until_told(self, verdict: PasswordVerdict) -> None:
        """Waits for the moment at which the failure may be told."""
        await asyncio.sleep(max(0.0, verdict.told_at - time.monotonic()))

    def _learn(self, kind: str, seconds: float) -> None:
        known = self._seconds.get(kind)
        if known is None and len(self._seconds) >= MOST_KINDS:
            return
        self._seconds[kind] = seconds if known is None else known + (seconds - known) * NEWS

    def _pace(self) -> float:
        # the margin hides what one kind takes at one time more than another
        return min(LONGEST_PACE_SECONDS, max(self._seconds.values(), default=0.0) * MARGIN)


def _kind(secret: str) -> str:
    """The scheme and its costs, as far as they are written in the usual way, without salt and hash."""
    found = _COSTS.match(secret)
    return found[0] if found is not None else ""


def _candidates(password: bytes) -> tuple[str, ...]:
    prepared = opaque_string(password)
    if prepared is None:
        return ()
    sent = password.decode()
    # A hash from elsewhere was made of what that client sent, unprepared.
    return (prepared,) if sent == prepared else (prepared, sent)


def is_right(password: bytes, secret: str | None) -> bool:
    """Whether *password*, as a client sent it, is the one of *secret*; None for an account that is not there.

    False takes at least as long as our own hash. Where the time must tell nothing, ask a Verifier.
    """
    candidates = _candidates(password)
    # crypt(3) takes no longer passwords, and to hash thousands of octets a million times would be minutes
    bearable = tuple(each for each in candidates if is_ours(secret or "") or len(each.encode()) <= LONGEST_CRYPT)
    if secret is not None and any(matches(candidate, secret) for candidate in bearable):
        return True
    if secret is None or not is_ours(secret) or not candidates:
        for candidate in candidates or ("nobody",):
            matches(candidate, _NOBODYS)
    return False


def is_ours(secret: str) -> bool:
    """Whether *secret* is a hash as it is made here today."""
    scheme, _, stored = secret.partition("}")
    if scheme != "{ARGON2ID":
        return False
    try:
        return not _hasher.check_needs_rehash(stored)
    except InvalidHashError:
        return False
