"""Looks once a minute which watched accounts have changed, because a notice of another node may be lost.

A sweep compares the modseq of each watched account with that of the last sweep, many accounts in a question. Notices do
not count as known: that of modseq 8 does not say that the one of 7 came. Of an account that has changed, only those
watches fire whose mailbox has a modseq that its session does not know.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from typing import Final

from mektup.store.postgres.shard import Shard
from mektup.store.postgres.tables import sweeps
from mektup.store.watch import WatchHub
from mektup.terms.errors import Refused
from mektup.terms.numbers import AccountId, MailboxId, ModSeq

SWEEP_SECONDS: Final = 60.0
AGAIN_SECONDS: Final = 5.0
"""The pause before the next sweep where a shard did not answer."""
LEAST_SECONDS: Final = 1.0
"""The shortest pause between two sweeps, however often notices are missed."""
ACCOUNTS_PER_QUESTION: Final = 500
GROUPED_AT_ONCE: Final = 5_000
"""How many accounts are sorted by their shards before others have their turn: a few milliseconds."""

Known = dict[AccountId, ModSeq | None]
"""The modseqs of accounts at the last sweep; None for one that is gone."""


class Sweep:
    """Sweeps the watched accounts of this process."""

    def __init__(self, hub: WatchHub, shard_of: Callable[[AccountId], Shard | None]) -> None:
        """*shard_of* has the shard of an account that is open, None for any other."""
        self._hub = hub
        self._shard_of = shard_of
        self._known: Known = {}
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """From now on it sweeps by itself."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def soon(self) -> None:
        """Makes it sweep at once, because notices were missed."""
        self._wanted.set()

    async def close(self) -> None:
        """Ends it; may be called twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> bool:
        """Looks once, and fires the watches of what has changed. Returns whether all shards answered."""
        shards = await self._by_shard()
        known, self._known = self._known, {}
        done = await asyncio.gather(*(self._sweep_shard(shard, accounts, known) for shard, accounts in shards.items()))
        return all(done)

    async def _run(self) -> None:
        # nodes that start together need not sweep together
        pause = random.uniform(SWEEP_SECONDS / 2, SWEEP_SECONDS)
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), pause)
            self._wanted.clear()
            pause = SWEEP_SECONDS if await self.sweep() else AGAIN_SECONDS
            await asyncio.sleep(LEAST_SECONDS)

    async def _by_shard(self) -> dict[Shard, list[AccountId]]:
        shards: dict[Shard, list[AccountId]] = {}
        for number, account in enumerate(self._hub.accounts(), 1):
            shard = self._shard_of(account)
            if shard is not None:
                shards.setdefault(shard, []).append(account)
            if number % GROUPED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return shards

    async def _sweep_shard(self, shard: Shard, accounts: Sequence[AccountId], known: Known) -> bool:
        for start in range(0, len(accounts), ACCOUNTS_PER_QUESTION):
            part = accounts[start : start + ACCOUNTS_PER_QUESTION]
            before = {account: known.get(account, ModSeq(0)) for account in part}
            try:
                await self._sweep_part(shard, before)
            except Refused:
                # the shard has reported its fault
                self._known.update((each, known[each]) for each in accounts[start:] if each in known)
                return False
        return True

    async def _sweep_part(self, shard: Shard, before: Known) -> None:
        """Raises Refused."""
        accounts = list(before)
        rows = await shard.ask(sweeps.ACCOUNTS, (accounts, list(before.values())))
        changed: Known = {accounts[place - 1]: modseq for place, modseq in rows}
        watched = [(account, mailbox) for account in changed for mailbox in self._hub.mailboxes(account)]
        here = [each for each in watched if changed[each[0]] is not None]
        if here:
            await self._ask_mailboxes(shard, here, before)
        for account, mailbox in watched:
            if changed[account] is None:
                self._hub.changed(account, mailbox, None)
        for account in changed:
            self._hub.changed_anywhere(account)
        # only now, so that what failed on the way is asked again
        self._known.update(before | changed)

    async def _ask_mailboxes(self, shard: Shard, watched: Sequence[tuple[AccountId, MailboxId]], before: Known) -> None:
        accounts, mailboxes = [account for account, _ in watched], [mailbox for _, mailbox in watched]
        known = [before[account] for account in accounts]
        for place, modseq in await shard.ask(sweeps.MAILBOXES, (accounts, mailboxes, known)):
            account, mailbox = watched[place - 1]
            self._hub.changed(account, mailbox, None if modseq is None else ModSeq(modseq))
