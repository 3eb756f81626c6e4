"""Writers that append, change flags, move and expunge, and note what they were told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from random import Random
from typing import TypeVar

from mektup.store.interface import Account, Store
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.sets import NumberSet, Uids
from reliability.cluster.journal import GONE, MAILBOXES, Journal, State
from reliability.power.mail import incoming

T = TypeVar("T")

NUMBERS = 1_000_000
"""How many messages a writer may write at most; each has numbers of its own."""

SIZES = (400, 400, 2000, 30_000)


class Writer:
    """One writer of one account, through one node."""

    def __init__(
        self, store: Store, name: str, number: int, journal: Journal, seed: int, sizes: tuple[int, ...] = SIZES
    ):
        self._store, self._name, self._journal = store, name, journal
        self._random = Random(seed * 1000 + number)
        self._next = number * NUMBERS
        self._sizes = sizes
        self._mine: dict[int, tuple[State, Uid]] = {}
        """My messages whose state I know."""
        self.longest = 0.0
        """The longest wait for an answer, in seconds."""

    async def run(self, until: asyncio.Event) -> None:
        """Writes until *until* is set."""
        entry = await self._store.directory.find(self._name)
        assert entry is not None
        account: Account | None = None
        boxes: dict[str, MailboxId] = {}
        while not until.is_set():
            if account is None:
                try:
                    account = await self._store.account(entry)
                    boxes = {name: await account.target(name) for name in MAILBOXES}
                except Refused:
                    await asyncio.sleep(0.05)
                    account = None
                    continue
            await self._step(account, boxes)
            await asyncio.sleep(0)

    async def _step(self, account: Account, boxes: dict[str, MailboxId]) -> None:
        known = sorted(self._mine)
        deed = self._random.choice(("append", "append", "seen", "move", "expunge") if known else ("append",))
        if deed == "append":
            await self._append(account, boxes)
            return
        number = self._random.choice(known)
        before, uid = self._mine.pop(number)
        assert before.mailbox is not None
        box, one = boxes[before.mailbox], NumberSet.of([uid])
        if deed == "seen":
            flags = account.store_flags(box, one, FlagChange.ADD, frozenset({"\\Seen"}))
            if await self._told(number, before, before._replace(seen=True), flags) is not None:
                self._mine[number] = before._replace(seen=True), uid
        elif deed == "move":
            to = next(name for name in MAILBOXES if name != before.mailbox)
            moved = await self._told(number, before, before._replace(mailbox=to), account.move(box, one, to))
            if moved is not None:
                self._mine[number] = before._replace(mailbox=to), moved.targets.first
        else:
            await self._told(number, before, GONE, _expunged(account, box, one))

    async def _append(self, account: Account, boxes: dict[str, MailboxId]) -> None:
        number, self._next = self._next, self._next + 1
        name = self._random.choice(MAILBOXES)
        message = incoming(number, self._random.choice(self._sizes), frozenset(), DEFAULT_LIMITS)
        added = await self._told(number, GONE, State(name), account.append(boxes[name], [message]))
        if added is not None:
            self._mine[number] = State(name), added.uids.first

    async def _told(self, number: int, before: State, wanted: State, asked: Awaitable[T]) -> T | None:
        """Asks, and notes the answer; returns None where the state of the message is not known now."""
        self._journal.asked(number, wanted)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            answer = await asked
        except Refused as refused:
            if refused.uncertain:
                self._journal.not_known()
            else:
                self._journal.not_done(number, before)
            return None
        finally:
            self.longest = max(self.longest, loop.time() - began)
        self._journal.done(number, wanted)
        return answer


async def _expunged(account: Account, mailbox: MailboxId, uids: Uids) -> object:
    return await account.remove(mailbox, uids)
