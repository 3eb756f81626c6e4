"""Remembers correct passwords for a short time, so that a client that often reconnects costs only one hashing.

An entry is an HMAC, with a random key of this process, over the account's id, the stored secret and the password, each
preceded by its length. So two accounts never share an entry, whatever their names and passwords are. A changed
password or a removed account ends an entry at once, because it is never looked up again.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable

from mektup.store.interface import AccountEntry

MOST_REMEMBERED = 10_000


class Verified:
    """Remembers for some seconds that a password was correct; 0 remembers nothing."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        """May be changed; new entries use the new value."""
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._until: dict[bytes, float] = {}

    def holds(self, entry: AccountEntry, secret: str, password: bytes) -> bool:
        """Whether *password* was lately correct for this account and exactly this *secret*."""
        return self._until.get(self._mark(entry, secret, password), 0.0) > self._clock()

    def remember(self, entry: AccountEntry, secret: str, password: bytes) -> None:
        """Remembers that *password* was correct just now."""
        mark = self._mark(entry, secret, password)
        self._until.pop(mark, None)
        self._until[mark] = self._clock() + self.seconds
        if len(self._until) > MOST_REMEMBERED:
            del self._until[next(iter(self._until))]

    def _mark(self, entry: AccountEntry, secret: str, password: bytes) -> bytes:
        parts = (entry.id.encode(), secret.encode(), password)
        return hmac.digest(self._key, b"".join(len(part).to_bytes(8, "big") + part for part in parts), "sha256")
