"""Passwords found right a short while ago, so that a client which reconnects all the time costs one hashing.

What is remembered is an HMAC, with a key that this process made up, over the account's id, the stored secret and the
password, each with its length before it. So no two accounts can ever share an entry, whatever their names and
passwords are, and a changed password or a removed account ends it at once: the entry is then never asked for again.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable

from mektup.store.interface import AccountEntry

MOST_REMEMBERED = 10_000


class Verified:
    """Remembers that a password was right for some seconds; 0 for never."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        """May be changed, for what is remembered from then on."""
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._until: dict[bytes, float] = {}

    def holds(self, entry: AccountEntry, secret: str, password: bytes) -> bool:
        """Whether *password* was found right for this account and this very *secret* not long ago."""
        return self._until.get(self._mark(entry, secret, password), 0.0) > self._clock()

    def remember(self, entry: AccountEntry, secret: str, password: bytes) -> None:
        """It was found right just now."""
        mark = self._mark(entry, secret, password)
        self._until.pop(mark, None)
        self._until[mark] = self._clock() + self.seconds
        if len(self._until) > MOST_REMEMBERED:
            del self._until[next(iter(self._until))]

    def _mark(self, entry: AccountEntry, secret: str, password: bytes) -> bytes:
        parts = (entry.id.encode(), secret.encode(), password)
        return hmac.digest(self._key, b"".join(len(part).to_bytes(8, "big") + part for part in parts), "sha256")
