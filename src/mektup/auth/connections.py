"""The sessions of each account in this process: their number, and whether the secrets of their login are valid."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from types import TracebackType

from mektup.auth import texts
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import AccountId
from mektup.terms.peer import Peer
from mektup.terms.texts import Text

ALERT_SECONDS = 120.0
"""How long after a change of the directory new sessions are reviewed: a login may have used the old secrets."""

_NOTHING_SECRET = frozenset({0})
"""The mark of an account without secrets, to which people log in without a password."""

MOST_RENEWED = 10_000
"""How many replaced secrets are remembered, each with its replacement."""

MOST_REPLACED = 20
"""How often the secret of a session may have been replaced for the same password."""


class AccountConnections:
    """Counts the sessions, refuses those above the limit, and dismisses those whose account or password is gone."""

    def __init__(self, limit: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        """May be changed; open sessions stay."""
        self.entered: Callable[[Peer, AccountEntry], None] = lambda peer, entry: None
        """Called for each session that has logged in."""
        self.left: Callable[[Peer], None] = lambda peer: None
        """Called for each session that has left its account, and goes on."""
        self._clock = clock
        self._open: dict[AccountId, int] = {}
        self._sessions: dict[AccountId, set[AccountConnection]] = {}
        self._fresh: set[AccountConnection] = set()
        """Sessions that were added since the last review."""
        self._reviewed: bytes | None = None
        self._alert_until = 0.0
        self._renewed: dict[int, int] = {}

    def open(self, account: AccountId) -> AccountConnection:
        """Counts one session more, until ``close`` or the end of the ``with`` block.

        Raises Refused(LIMIT). Its text gives the reason, because clients show it; without it they say "wrong password".
        """
        count = self._open.get(account, 0)
        if count >= self.limit:
            raise Refused(
                Code.LIMIT,
                texts.TOO_MANY_CONNECTIONS.of(connections=count),
            )
        self._open[account] = count + 1
        return AccountConnection(self, account)

    def count(self, account: AccountId) -> int:
        """The number of open sessions of *account*."""
        return self._open.get(account, 0)

    def renewed(self, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        """Notes that *new* replaces *old* for the same password, so that sessions that logged in with it stay."""
        for key in old.keys() & new.keys():
            if old[key] != new[key]:
                self._renewed[hash((key, old[key]))] = hash((key, new[key]))
        while len(self._renewed) > MOST_RENEWED:
            del self._renewed[next(iter(self._renewed))]

    async def review(self, directory: Directory, spared: Collection[AccountId] = ()) -> None:
        """Dismisses sessions whose account was removed or whose secrets have all changed; to be called often.

        Is cheap while the directory does not change. Accounts in *spared* wait for the next review.
        """
        state, now = directory.state(), self._clock()
        if state is None or state != self._reviewed:
            self._alert_until = now + ALERT_SECONDS
            due = {connection for connections in self._sessions.values() for connection in connections}
        elif now < self._alert_until:
            due = set(self._fresh)
        else:
            due = set()
        self._fresh.clear()
        self._reviewed = None if any(account in self._sessions for account in spared) else state
        if due:
            secrets = await directory.secrets_of({connection.account for connection in due})
            for connection in due:
                if connection.account not in spared:
                    self._judge(connection, secrets.get(connection.account))

    def _judge(self, connection: AccountConnection, secrets: Mapping[str, str] | None) -> None:
        if secrets is None:
            connection.dismiss(texts.ACCOUNT_REMOVED)
            return
        valid = _marks(secrets)
        if not any(self._is_still_valid(mark, valid) for mark in connection.marks):
            connection.dismiss(texts.PASSWORD_CHANGED)

    def _is_still_valid(self, mark: int, valid: frozenset[int]) -> bool:
        """Whether a secret is one of *valid*, or was replaced by one of them, perhaps several times."""
        now: int | None = mark
        for _ in range(MOST_REPLACED):
            if now is None or now in valid:
                break
            now = self._renewed.get(now)
        return now in valid

    def _occupied(self, connection: AccountConnection, entry: AccountEntry, peer: Peer) -> None:
        self._sessions.setdefault(connection.account, set()).add(connection)
        self._fresh.add(connection)
        self.entered(peer, entry)

    def _closed(self, connection: AccountConnection) -> None:
        account = connection.account
        self._fresh.discard(connection)
        sessions = self._sessions.get(account)
        if sessions is not None:
            sessions.discard(connection)
            if not sessions:
                del self._sessions[account]
        count = self._open[account] - 1
        if count:
            self._open[account] = count
        else:
            del self._open[account]


class AccountConnection:
    """One session, counted among its account's sessions."""

    __slots__ = ("_connections", "_peer", "account", "marks")

    def __init__(self, connections: AccountConnections, account: AccountId) -> None:
        self._connections: AccountConnections | None = connections
        self._peer: Peer | None = None
        self.account = account
        self.marks: frozenset[int] = frozenset()
        """Hashes of the secrets that were valid at the login."""

    def occupy(self, entry: AccountEntry, peer: Peer) -> None:
        """Ties the place to the session with *peer*, which has logged in as *entry*."""
        if self._connections is not None:
            self._peer, self.marks = peer, _marks(entry.secrets)
            self._connections._occupied(self, entry, peer)

    def dismiss(self, reason: Text) -> None:
        """Ends the session, unless it has ended already."""
        if self._connections is not None and self._peer is not None:
            self._peer.dismiss(reason)

    def leave(self) -> None:
        """Stops counting the session, which goes on without an account."""
        connections, peer = self._connections, self._peer
        self.close()
        if connections is not None and peer is not None:
            connections.left(peer)

    def close(self) -> None:
        """Stops counting the session; may be called twice."""
        if self._connections is not None:
            self._connections._closed(self)
            self._connections = self._peer = None

    def __enter__(self) -> AccountConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _marks(secrets: Mapping[str, str]) -> frozenset[int]:
    # Python's hash() is small, and keyed for this process: thousands of sessions keep these.
    return frozenset(map(hash, secrets.items())) or _NOTHING_SECRET
