"""Makes the stored secrets of a password, and checks passwords against them.

A secret is text: ``{SCHEME}`` and what that scheme makes of the password. Hashing takes long, so :class:`Verifier`,
the only asynchronous class here, does it in threads; ``login_queue`` decides the order.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError

from mektup.auth import schemes, scram_keys, texts
from mektup.auth.preparation import opaque_string
from mektup.auth.schemes import matches
from mektup.auth.scram_keys import KINDS, SHA_256, ScramKind
from mektup.terms.errors import Code, Refused

PASSWORD = "password"
"""The key of ``{SCHEME}hash`` in AccountEntry.secrets."""

AT_ONCE = 2
"""How many passwords a process hashes at a time: argon2id needs 64 MiB for each."""

MOST_KINDS = 64
"""How many kinds of secrets, by scheme and cost, have a remembered duration."""
NEWS = 0.2
"""The weight of the latest duration in the remembered one."""
MARGIN = 1.5
LONGEST_PACE_SECONDS = 3.0

BCRYPT_BYTES = 72
"""Octets of a password that bcrypt uses."""

LONGEST_CRYPT = 512
"""The most octets of a password that is checked against an imported hash, as in libxcrypt."""

_COSTS = re.compile(r"\{[A-Za-z0-9.-]+\}(?:\$[a-z0-9-]{1,16})?(?:\$v=\d+)?(?:\$(?:[a-z]+=\d+,?)+|\$\d\d(?=\$))?")

_hasher = PasswordHasher()
"""RFC 9106 §4, the second recommended option: argon2id, 64 MiB, 3 passes, 4 lanes."""

_NOBODYS = "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=4$WQuxs1/6lh6nknS9/eVhUQ$5xUEkYbsbtTRHb2+1lQwF/eDrmE55vnlv05pp8xGUEM"
"""Random octets in the form of a hash. No password for it is known, but checking it takes as long as our own hashes."""


def secrets_for(password: str, kinds: Sequence[ScramKind] = (SHA_256,)) -> dict[str, str]:
    """The secrets to store for *password*, for ``AccountEntry.secrets``. Takes a tenth of a second and 64 MiB.

    Keys for SCRAM are made of all *kinds*.

    Raises Refused(CANNOT) if *password* is not allowed (RFC 8265 §4.2: empty, or with control characters).
    """
    prepared = opaque_string(password.encode("utf-8", "surrogatepass"))
    if prepared is None:
        raise Refused(Code.CANNOT, texts.PASSWORD_RULES)
    return {
        PASSWORD: "{ARGON2ID}" + _hasher.hash(prepared),
        **{kind.mechanism: scram_keys.make(prepared, kind) for kind in kinds},
    }


def needs_renewal(secrets: Mapping[str, str], kinds: Sequence[ScramKind]) -> bool:
    """Whether *secrets* are not what ``secrets_for`` makes: imported, or made with other *kinds*."""
    if not is_ours(secrets.get(PASSWORD, "")):
        return True
    return any((kind in kinds) is not _has_our_keys(secrets, kind) for kind in KINDS)


def _has_our_keys(secrets: Mapping[str, str], kind: ScramKind) -> bool:
    keys = scram_keys.read(secrets.get(kind.mechanism, ""), kind)
    return keys is not None and keys.iterations == scram_keys.ITERATIONS


def renewed_secrets(
    password: bytes, old: Mapping[str, str], kinds: Sequence[ScramKind] = (SHA_256,)
) -> dict[str, str] | None:
    """The secrets to store instead of *old* for *password*, which was correct; None if *old* needs no renewal.

    As slow as ``secrets_for``.
    """
    secret = old.get(PASSWORD, "")
    prepared = opaque_string(password)
    if prepared is None or not needs_renewal(old, kinds):
        return None
    if secret.startswith("{BLF-CRYPT}") and max(len(password), len(prepared.encode())) > BCRYPT_BYTES:
        # bcrypt did not check the octets after these
        return None
    made = secrets_for(prepared, kinds)
    if is_ours(secret):
        made[PASSWORD] = secret
    # sessions that logged in with these keys stay valid
    made |= {kind.mechanism: old[kind.mechanism] for kind in kinds if _has_our_keys(old, kind)}
    unwanted = {kind.mechanism for kind in KINDS} - made.keys()
    return {name: kept for name, kept in old.items() if name not in unwanted} | made


def imported_secrets(secret: str) -> dict[str, str]:
    """The secrets to store for an imported account with *secret*, ``{SCHEME}hash`` as in a Dovecot passwd-file.

    ``{PLAIN}`` is hashed at once. A hash is stored as it is; then SCRAM has no keys, unless the hash consists of them.
    Raises Refused(CANNOT), whose text names what is allowed.
    """
    kept = schemes.canonical(secret)
    plain = f"{{{schemes.PLAIN}}}"
    if kept.startswith(plain):
        return secrets_for(kept.removeprefix(plain))
    keys = schemes.scram_keys_of(kept)
    return {PASSWORD: kept} if keys is None else {PASSWORD: kept, scram_keys.MECHANISM: scram_keys.written(keys)}


@dataclass(frozen=True, slots=True)
class PasswordVerdict:
    """The result of a check."""

    is_right: bool
    answer_at: float
    """When a failure may be answered, in ``time.monotonic``: every failure is answered equally long after its start."""


class Verifier:
    """Checks passwords in threads, so that the duration of a failure tells nothing about the account.

    An imported hash may be quick to check. Then our own hash is computed after it, as for an unknown account. After
    that, a failure waits until the time that the slowest kind of secret has taken lately.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        """Recent durations of failures in seconds, by kind of secret."""

    async def check(self, password: bytes, secret: str | None) -> PasswordVerdict:
        """Whether *password* matches *secret*; a *secret* of None stands for an unknown account."""
        began = time.monotonic()
        proved = await asyncio.to_thread(is_right, password, secret)
        if not proved:
            self._learn(_kind(secret or _NOBODYS), time.monotonic() - began)
        return PasswordVerdict(proved, began + self._pace())

    async def matches(self, password: bytes, secret: str | None) -> bool:
        """Like :meth:`check`, but waits until a failure may be answered."""
        verdict = await self.check(password, secret)
        if not verdict.is_right:
            await self.wait_to_answer(verdict)
        return verdict.is_right

    async def wait_to_answer(self, verdict: PasswordVerdict) -> None:
        """Waits until the failure may be answered."""
        await asyncio.sleep(max(0.0, verdict.answer_at - time.monotonic()))

    def _learn(self, kind: str, seconds: float) -> None:
        known = self._seconds.get(kind)
        if known is None and len(self._seconds) >= MOST_KINDS:
            return
        self._seconds[kind] = seconds if known is None else known + (seconds - known) * NEWS

    def _pace(self) -> float:
        # The margin hides that the duration of one kind varies.
        return min(LONGEST_PACE_SECONDS, max(self._seconds.values(), default=0.0) * MARGIN)


def _kind(secret: str) -> str:
    """The scheme and its costs, if they are written in the usual form; without salt and hash."""
    found = _COSTS.match(secret)
    return found[0] if found is not None else ""


def _candidates(password: bytes) -> tuple[str, ...]:
    prepared = opaque_string(password)
    if prepared is None:
        return ()
    sent = password.decode()
    # An imported hash was made of the unprepared password.
    return (prepared,) if sent == prepared else (prepared, sent)


def is_right(password: bytes, secret: str | None) -> bool:
    """Whether *password*, as a client sent it, matches *secret*; a *secret* of None stands for an unknown account.

    False takes at least as long as our own hash. Use a Verifier where the duration must tell nothing.
    """
    candidates = _candidates(password)
    # crypt(3) accepts no longer passwords, and hashing thousands of octets a million times would take minutes.
    bearable = tuple(each for each in candidates if is_ours(secret or "") or len(each.encode()) <= LONGEST_CRYPT)
    if secret is not None and any(matches(candidate, secret) for candidate in bearable):
        return True
    if secret is None or not is_ours(secret) or not candidates:
        for candidate in candidates or ("nobody",):
            matches(candidate, _NOBODYS)
    return False


def is_ours(secret: str) -> bool:
    """Whether *secret* is a hash with our present scheme and costs."""
    scheme, _, stored = secret.partition("}")
    if scheme != "{ARGON2ID":
        return False
    try:
        return not _hasher.check_needs_rehash(stored)
    except InvalidHashError:
        return False
