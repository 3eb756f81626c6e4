"""An authenticator that reports logins to the server, for its counters and its log."""

from __future__ import annotations

from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from mektup.auth.authenticator import Authenticator, Challenge, Exchange
from mektup.auth.plaintext import Plaintext
from mektup.server.connection import Connection
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from mektup.terms.peer import Peer

Outcome = Callable[[Connection, AccountEntry | None], None]
"""Called with each connection that logged in and its account; with None for an attempt that was refused."""


class Admission(Authenticator):
    """An Authenticator that reports each attempt on a connection of this server."""

    def __init__(
        self,
        directory: Directory,
        limits: Limits,
        outcome: Outcome,
        *,
        plaintext: Plaintext,
        nobodys_key: bytes | None,
        hashes_anew: bool,
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(
            directory, limits, plaintext=plaintext, nobodys_key=nobodys_key, hashes_anew=hashes_anew, log=log
        )
        self._outcome = outcome
        # reported when the connection has a place: a right password alone does not mean that the login succeeds
        self.connections.entered = self._report

    async def login(self, name: bytes, password: bytes, peer: Peer) -> AccountEntry:
        """As Authenticator.login."""
        try:
            return await super().login(name, password, peer)
        except Refused:
            self._report(peer, None)
            raise

    def exchange(self, mechanism: str, peer: Peer) -> Exchange:
        """As Authenticator.exchange."""
        return _Reported(super().exchange(mechanism, peer), lambda: self._report(peer, None))

    def _report(self, peer: Peer, entry: AccountEntry | None) -> None:
        if isinstance(peer, Connection):
            self._outcome(peer, entry)


class _Reported:
    """An exchange whose failure is reported."""

    def __init__(self, exchange: Exchange, failed: Callable[[], None]) -> None:
        self._exchange = exchange
        self._failed = failed

    @property
    def wants_initial(self) -> bool:
        return self._exchange.wants_initial

    @property
    def name(self) -> bytes:
        return self._exchange.name

    async def step(self, response: bytes) -> Challenge | AccountEntry:
        try:
            return await self._exchange.step(response)
        except Refused:
            self._failed()
            raise
