"""The past of an account in one file: read-only accounts over temporary tables, made when somebody reads them.

Each has a connection of its own, which only reads the file. It is closed when nobody has used it for a while, and is
made again at the next use; ``store.past_account`` does not notice.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import apsw

from mektup.store import texts
from mektup.store.interface import Account, Changes, Mailbox, Selection
from mektup.store.past_account import PastAccount
from mektup.store.rules.account_names import account_is_gone
from mektup.store.rules.retention import require_past
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.file.one_connection import copy_of
from mektup.store.sqlite.tables import past, past_mailboxes
from mektup.store.sqlite.tables.past_mailboxes import Filled
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId, ModSeq, Uid

if TYPE_CHECKING:
    pass

MOST_OPEN: Final = 4
"""How many moments of an account may be open at a time."""

IDLE_SECONDS: Final = 60.0
"""After this time without use, a moment is closed."""


class SqlitePast(SqliteAccount):
    """An account of the past: fills its mailboxes before it reads them."""

    filled: Filled

    async def _bring_up_to_date(self, which: str | MailboxId | None) -> None:
        """Fills the mailbox of that name or ID, or all for None."""
        async with self.filling:
            if not await self.database.read(past_mailboxes.is_up_to_date, self.filled):
                make = partial(past_mailboxes.list_mailboxes, filled=self.filled)
                await self.database.write(make, durable=False, long=True)
            wanted = await self.database.read(past_mailboxes.ids, which)
            for mailbox in wanted:
                if not await self.database.read(past_mailboxes.is_filled, self.filled, mailbox):
                    fill = partial(past_mailboxes.fill, filled=self.filled, mailbox=mailbox)
                    await self.database.write(fill, durable=False, long=True)

    async def make_ready(self, mailbox: MailboxId) -> None:
        """Fills *mailbox* if that was not done since the account was opened."""
        if mailbox not in self.filled.of:
            await self._bring_up_to_date(mailbox)

    async def _follow(self, mailbox: MailboxId) -> None:
        """Brings an open mailbox of deleted messages up to date; a moment of the past does not change."""
        if self.filled.moment is None:
            await self._bring_up_to_date(mailbox)

    async def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> Changes:
        await self._follow(mailbox)
        return await super().changes(
            mailbox, since=since, expunged_since=expunged_since, uidnext=uidnext, claim_recent=claim_recent
        )

    async def read_modseq(self, mailbox: MailboxId) -> ModSeq:
        """See ``interface.Account.modseq``."""
        await self._follow(mailbox)
        return await super().modseq(mailbox)

    def modseq(self, mailbox: MailboxId) -> Coroutine[Any, Any, ModSeq]:
        return self.read_modseq(mailbox)

    async def mailboxes(self) -> Sequence[Mailbox]:
        await self._bring_up_to_date(None)
        return await super().mailboxes()

    async def mailbox(self, name: str) -> Mailbox:
        await self._bring_up_to_date(name)
        return await super().mailbox(name)

    async def select(self, name: str, *, claim_recent: bool) -> Selection:
        await self._bring_up_to_date(name)
        return await super().select(name, claim_recent=claim_recent)


Make = Callable[[apsw.Connection], SqlitePast]
"""Makes an account over a connection that has the temporary tables."""


class Pasts:
    """What is open of an account's past. For the event loop's thread."""

    def __init__(self, present: SqliteAccount, make: Make, path: Path | None, limits: Limits) -> None:
        """*path* is the file of *present*; None in memory."""
        self._present = weakref.ref(present)
        self._database = present.database
        self._make = make
        self._path = path
        self._limits = limits
        self._open: OrderedDict[int | None, SqlitePast] = OrderedDict()
        self._opening = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def deleted_mail(self) -> Account:
        """See ``PastOpener``, also for the other methods."""
        return self._account(None)

    async def at(self, moment: int) -> Account:
        begun = await self._database.read(past.begun)
        now = self._database.keeping.clock()
        require_past(moment, now, max(begun, int(now - self._limits.expunged_seconds)))
        return self._account(moment)

    def _account(self, moment: int | None) -> Account:
        present = self._present()
        if present is None:
            raise account_is_gone()
        return PastAccount(present, partial(self._opened, moment), is_deleted_mail=moment is None)

    async def _opened(self, moment: int | None, mailbox: MailboxId | None) -> SqlitePast:
        async with self._opening:
            found = self._open.get(moment)
            if found is not None and await self._is_stale(found):
                self._begin_closing(moment)
                found = None
            if found is None:
                found = self._open[moment] = await self._make_past(moment)
                while len(self._open) > MOST_OPEN:
                    oldest = next(iter(self._open))
                    self._begin_closing(oldest)
        self._open.move_to_end(moment)
        if self._timer is None:
            self._watch_idleness()
        if mailbox is not None:
            await found.make_ready(mailbox)
        return found

    async def _is_stale(self, of: SqlitePast) -> bool:
        """Whether *of* is of a copy, and the account has changed since."""
        if self._path is not None or of.filled.moment is not None:
            return False
        return await self._database.read(past_mailboxes.modseq) != await of.database.read(past_mailboxes.modseq)

    async def _make_past(self, moment: int | None) -> SqlitePast:
        if self._path is None:
            connection = await self._database.read_long(lambda cursor: copy_of(cursor.connection))
        else:
            # a connection of the account itself is open, so the WAL and its index exist
            await self._database.read(past.begun)
            connection = self._connect(self._path)
        made = self._make(connection)
        made.filled = Filled(moment, {})
        self._database.in_flight.guests += 1
        async with AsyncExitStack() as failing:
            failing.push_async_callback(self._close, made)
            await made.database.read_long(lambda cursor: past_mailboxes.prepare(cursor.connection))
            await made.learn_keywords()
            failing.pop_all()
        return made

    def _connect(self, path: Path) -> apsw.Connection:
        try:
            return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        except apsw.Error as error:
            raise self._database.refused(error) from error

    # Closing

    def _watch_idleness(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS / 2, _close_idle, weakref.ref(self))

    def close_idle(self) -> None:
        """Closes what nobody has used for a while."""
        self._timer = None
        now = monotonic()
        for moment in [each for each, made in self._open.items() if now - made.database.used > IDLE_SECONDS]:
            self._begin_closing(moment)
        if self._open:
            self._watch_idleness()

    def _begin_closing(self, moment: int | None) -> None:
        task = asyncio.get_running_loop().create_task(self._close(self._open.pop(moment)))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, made: SqlitePast) -> None:
        try:
            await made.close(_is_closed())
        finally:
            self._database.in_flight.guests -= 1

    async def close(self) -> None:
        """Closes everything."""
        if self._timer is not None:
            self._timer.cancel()
        for moment in list(self._open):
            self._begin_closing(moment)
        if self._closing:
            await asyncio.wait(self._closing)


def _close_idle(pasts: weakref.ref[Pasts]) -> None:
    found = pasts()
    if found is not None:
        found.close_idle()


def _is_closed() -> Refused:
    return Refused(Code.UNAVAILABLE, texts.PAST_WAS_CLOSED)
