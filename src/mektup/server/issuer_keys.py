"""The public keys of an issuer of tokens: read from a file, or fetched from a URL, and kept fresh in the background."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from mektup.auth.oauth.rules import OAuthRules, Tokens
from mektup.server import texts
from mektup.server.config import ConfigError
from mektup.server.fetched import is_url, read
from mektup.store import files
from mektup.terms.texts import ABOUT

WAIT_SECONDS = 3.0
"""How long a login waits for keys."""
FRESH_SECONDS = 900.0
"""How often keys are fetched; a file is looked at each LOOK_SECONDS."""
LOOK_SECONDS = 30.0
"""The time between two fetches for the sake of logins, and after a failure."""


class IssuerKeys:
    """A ``KeySource``."""

    def __init__(
        self,
        jwks: str,
        check: Callable[[bytes], int],
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """*check* raises ValueError for octets that are no keys. Call ``start`` in the event loop."""
        self.octets: bytes | None = None
        self._jwks = jwks
        self._check = check
        self._log = log
        self._clock = clock
        self._tried = float("-inf")
        self._complained = ""
        self._fetching: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Fetches the keys, and goes on to do so."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    def abandon(self) -> None:
        """Ends that soon."""
        for task in self._running:
            task.cancel()

    async def close(self) -> None:
        """Ends that."""
        running = self._running
        self.abandon()
        await asyncio.gather(*running, return_exceptions=True)

    @property
    def _running(self) -> list[asyncio.Task[None]]:
        return [task for task in (self._keeper, self._fetching) if task is not None]

    async def refresh(self) -> None:
        """See ``KeySource``."""
        if self._fetching is None and self._clock() - self._tried < LOOK_SECONDS:
            return
        await asyncio.wait([self._begin()], timeout=WAIT_SECONDS)

    async def _keep(self) -> None:
        while True:
            await asyncio.wait([self._begin()])
            failed = bool(self._complained)
            await asyncio.sleep(FRESH_SECONDS if is_url(self._jwks) and not failed else LOOK_SECONDS)

    def _begin(self) -> asyncio.Task[None]:
        if self._fetching is None:
            self._tried = self._clock()
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
            self._fetching.add_done_callback(self._ended)
        return self._fetching

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._fetching = None

    def _read(self) -> tuple[bytes, int]:
        octets = read(self._jwks)
        return octets, self._check(octets)

    async def _fetch(self) -> None:
        try:
            octets, keys = await asyncio.to_thread(self._read)
        except (OSError, ValueError, HTTPException, RecursionError) as error:
            reason = str(error)
            if reason != self._complained:
                consequence = "the keys before stay in use" if self.octets else "no token can be checked"
                self._log.warning("issuer_keys_unreadable", jwks=self._jwks, reason=reason, consequence=consequence)
            self._complained = reason or "unknown"
            return
        self._complained = ""
        if octets != self.octets:
            self._log.info("issuer_keys_read", jwks=self._jwks, keys=keys)
            self.octets = octets


class Issuer:
    """An issuer whose tokens are accepted, and its keys."""

    def __init__(self, rules: OAuthRules, log: FilteringBoundLogger) -> None:
        """Raises ConfigError if the extra is not installed, or the file of the keys cannot be used."""
        try:
            # an optional dependency, which takes memory
            checking = importlib.import_module("mektup.auth.oauth.tokens")
        except ModuleNotFoundError as error:
            raise ConfigError(ABOUT.of(place="oauth", problem=texts.NEEDS_EXTRA.of(extra="oauth"))) from error
        if not is_url(rules.jwks):
            try:
                checking.check_keys(read(rules.jwks))
            except OSError as error:
                problem = files.reason(error, Path(rules.jwks))
                raise ConfigError(ABOUT.of(place="oauth.jwks", problem=problem)) from error
            except (ValueError, RecursionError) as error:
                problem = texts.UNUSABLE.of(file=rules.jwks, reason=str(error))
                raise ConfigError(ABOUT.of(place="oauth.jwks", problem=problem)) from error
        self.rules = rules
        self.keys = IssuerKeys(rules.jwks, checking.check_keys, log)
        self.tokens: Tokens = checking.JwtTokens(rules, self.keys)
