"""The rows of one account in its shard: reads, rare writes, and who is told of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar
from uuid import UUID, uuid4

from mektup.store.postgres.change import Params
from mektup.store.postgres.large_messages import LargeMessages
from mektup.store.postgres.shard import TRIES, Change, LostAnswer, Row, Shard
from mektup.store.postgres.tables import calls
from mektup.store.watch import ChangeNotifier
from mektup.terms.errors import Refused
from mektup.terms.numbers import AccountId

T = TypeVar("T")


class AsksAccount(Protocol):
    """Who asks of an account's rows."""

    @property
    def account(self) -> AccountId: ...

    @property
    def shard(self) -> Shard: ...

    @property
    def large(self) -> LargeMessages: ...

    def check(self) -> None: ...

    async def ask(self, statement: str, parameters: Params) -> list[Row]: ...


class AccountDatabase:
    """What the parts of an open account share."""

    __slots__ = ("_clock", "_ended", "_keeps_expunged", "account", "large", "notifier", "shard")

    def __init__(
        self,
        account: AccountId,
        shard: Shard,
        notifier: ChangeNotifier,
        clock: Callable[[], float],
        *,
        keeps_expunged: bool,
        large: LargeMessages,
    ) -> None:
        """*clock* tells the seconds since 1970 UTC. *keeps_expunged*: see ``Change``."""
        self.account = account
        self.shard = shard
        self.notifier = notifier
        self.large = large
        self._clock = clock
        self._keeps_expunged = keeps_expunged
        self._ended: Refused | None = None

    def end(self, why: Refused) -> None:
        """Ends the account for all who still have it: later calls raise *why*."""
        self._ended = self._ended or why

    @property
    def has_ended(self) -> bool:
        """Whether ``end`` was called."""
        return self._ended is not None

    def check(self) -> None:
        """Raises Refused where the account has ended."""
        if self._ended is not None:
            raise self._ended

    @property
    def moment(self) -> int:
        """The time in seconds since 1970 UTC."""
        return int(self._clock())

    async def ask(self, statement: str, parameters: Params) -> list[Row]:
        """The rows of one statement that only reads. Raises Refused."""
        self.check()
        return await self.shard.ask(statement, parameters)

    async def write(self, make: Callable[[Change], Awaitable[T]]) -> T:
        """The result of *make* in a transaction that has locked the account; then the watches fire.

        *make* may be called again. A lost answer is found by a token. Raises Refused, and what *make* raises.
        """
        self.check()
        token = uuid4()
        made: list[tuple[T, Change]] = []

        async def noted(change: Change) -> T:
            made[:] = [(await make(change), change)]
            if change.committed_as is not None:
                await change.ask(calls.NOTE, (self.account, token, change.moment))
            return made[0][0]

        for left in reversed(range(TRIES)):
            try:
                done, change = await self.shard.change(
                    self.account, self.moment, noted, keeps_expunged=self._keeps_expunged
                )
            except LostAnswer as lost:
                if not await self._was_made(token, lost):
                    if left:
                        continue
                    raise lost.refused.fault.refusal() from lost
                done, change = made[0]
            break
        self._tell(change)
        return done

    async def _was_made(self, token: UUID, lost: LostAnswer) -> bool:
        """Whether the write with *token* was committed. Waits until it has ended."""
        questions = ((calls.WAIT, (self.account,)), (calls.WAS_MADE, (self.account, token)))
        try:
            return bool((await self.shard.ask_all(questions))[-1])
        except Refused:
            raise lost.refused from lost

    def _tell(self, change: Change) -> None:
        for mailbox in sorted(change.touched):
            self.notifier.changed(self.account, mailbox, change.committed_as)
