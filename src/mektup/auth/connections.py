"""How many sessions each account has in this process."""

from __future__ import annotations

from types import TracebackType

from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import AccountId


class Connections:
    """Counts them, and refuses one too many."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """May be changed; who is in stays."""
        self._open: dict[AccountId, int] = {}

    def open(self, account: AccountId) -> Connection:
        """Counts one more, until its ``close`` or the end of its ``with``.

        Raises Refused(LIMIT) with a text that gives the reason: clients show it, and else say "wrong password".
        """
        count = self._open.get(account, 0)
        if count >= self.limit:
            raise Refused(
                Code.LIMIT,
                f"The password is right, but this account has {count} connections open, which is the limit; close one",
            )
        self._open[account] = count + 1
        return Connection(self, account)

    def count(self, account: AccountId) -> int:
        """How many are open."""
        return self._open.get(account, 0)

    def _closed(self, account: AccountId) -> None:
        count = self._open[account] - 1
        if count:
            self._open[account] = count
        else:
            del self._open[account]


class Connection:
    """One session's place among its account's."""

    __slots__ = ("_account", "_connections")

    def __init__(self, connections: Connections, account: AccountId) -> None:
        self._connections: Connections | None = connections
        self._account = account

    def close(self) -> None:
        """Gives it up; may be called twice."""
        if self._connections is not None:
            self._connections._closed(self._account)
            self._connections = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
