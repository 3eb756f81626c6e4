"""A plain transaction for a rare write: it locks the row of the account first, and takes the modseq there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from mektup.store.postgres.tables import transactions
from mektup.store.rules.account_names import account_is_gone
from mektup.terms.numbers import AccountId, MailboxId, ModSeq

Row = tuple[Any, ...]
Params = Sequence[Any] | Mapping[str, Any]


class Change:
    """A running transaction, in which the row of the account is locked."""

    __slots__ = ("_connection", "_modseq", "account", "before", "keeps_expunged", "moment", "touched")

    def __init__(
        self,
        connection: psycopg.AsyncConnection[Row],
        account: AccountId,
        moment: int,
        *,
        keeps_expunged: bool,
    ) -> None:
        self._connection = connection
        self._modseq: ModSeq | None = None
        self.account = account
        self.moment = moment
        """The time of this transaction in seconds since 1970 UTC, the same for all that it changes."""
        self.keeps_expunged = keeps_expunged
        """Whether messages that it expunges are kept for a while."""
        self.before = ModSeq(0)
        """The account's modseq before the change."""
        self.touched: set[MailboxId] = set()
        """The mailboxes whose watches fire after the commit."""

    async def lock(self) -> None:
        """Locks the account. Raises Refused where it is gone."""
        found = await self.ask(transactions.LOCK, (self.account,))
        if not found:
            raise account_is_gone()
        self.before = ModSeq(found[0][0])

    async def ask(self, statement: str, parameters: Params) -> list[Row]:
        """The rows of *statement*; none where it returns nothing."""
        cursor = self._connection.cursor(binary=True)
        await cursor.execute(statement.encode(), parameters)
        return await cursor.fetchall() if cursor.description else []

    async def ask_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Runs *statement* once for each of *rows*, in one round trip."""
        if rows:
            await self._connection.cursor(binary=True).executemany(statement.encode(), rows)

    async def modseq(self) -> ModSeq:
        """This transaction's modseq; takes it at the first call."""
        if self._modseq is None:
            self._modseq = (await self.take(1))[-1]
        return self._modseq

    async def take(self, count: int) -> Sequence[ModSeq]:
        """Takes *count* modseqs, ascending."""
        ((last,),) = await self.ask(transactions.TAKE, (count, self.account))
        self._modseq = ModSeq(last)
        return [ModSeq(each) for each in range(last - count + 1, last + 1)]

    @property
    def committed_as(self) -> ModSeq | None:
        """The modseq for watches; None where the transaction took none."""
        return self._modseq
