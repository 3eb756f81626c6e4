"""The expunged messages of an account in a shard: a ``store.retention.AccountRetention``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from mektup.store.postgres import message_calls, tree
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.keywords import PostgresKeywordSets
from mektup.store.postgres.shard import Change
from mektup.store.postgres.tables import keyword_sets as tables_of_sets
from mektup.store.postgres.tables import retained as tables
from mektup.store.postgres.values import limits_of
from mektup.store.quota import DefaultQuota
from mektup.store.retention import ROW_BYTES, DeletedMessage, Kept, Restored, RestoredAll
from mektup.store.rules import mailbox_tree
from mektup.store.rules import quota as quota_rules
from mektup.store.rules.counters import DELETED, SEEN
from mektup.store.rules.mailbox_names import no_such_target
from mektup.store.rules.retention import place
from mektup.store.state_changes import FOLD_ROWS
from mektup.terms.limits import Limits
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import MailboxId, ModSeq, Uid
from mektup.terms.quota import Resource
from mektup.terms.sets import NumberSet, Uids

LISTED_AT_ONCE: Final = 500

FORGOTTEN_AT_ONCE: Final = 200
FORGOTTEN_BYTES: Final = 16 * 1024 * 1024
"""How many messages, and about how many of their octets, a step of the background work removes."""

EVER: Final = 2**62
"""A moment after all others, in seconds since 1970."""

HISTORY_AT_ONCE: Final = 2000
"""How many rows of the history a step removes from each table."""


class _Held(NamedTuple):
    """A message that can be brought back."""

    number: int
    mailbox: int
    flags: int
    content: int
    size: int
    arrived: int
    zone: int
    saved: int


class PostgresRetention:
    """See ``store.retention.AccountRetention``."""

    __slots__ = ("_account", "_database", "_fold_later", "_keyword_sets", "_limits", "_quota", "_wake_indexer")

    def __init__(
        self,
        database: AccountDatabase,
        quota: DefaultQuota,
        keyword_sets: PostgresKeywordSets,
        limits: Limits,
        fold_later: Callable[[MailboxId], None],
        wake_indexer: Callable[[], None],
    ) -> None:
        self._database = database
        self._account = database.account
        self._quota = quota
        self._keyword_sets = keyword_sets
        self._limits = limits
        self._fold_later = fold_later
        self._wake_indexer = wake_indexer

    async def kept(self) -> Kept:
        """See ``store.retention.AccountRetention``, also for the other methods."""
        return Kept(*(await self._database.ask(tables.KEPT, (self._account,)))[0])

    async def messages(self, after: int = 0) -> AsyncGenerator[list[DeletedMessage], None]:
        while rows := await self._database.ask(tables.LISTED, (self._account, after, LISTED_AT_ONCE)):
            yield [
                DeletedMessage(number, *place(now, last), uid, removed, size)
                for number, uid, removed, size, now, last in rows
            ]
            after = rows[-1][0]

    async def restore(self, numbers: Uids, target: str | None = None, *, stay: bool = False) -> RestoredAll:
        long: list[MailboxId] = []

        async def make(change: Change) -> RestoredAll:
            long.clear()
            rows = await self._rows(change, numbers)
            if not rows:
                return RestoredAll({}, ModSeq(0))
            places = await self._places(change, sorted({row.mailbox for row in rows}), target)
            await self._learn_sets(change)
            by_place: dict[tuple[MailboxId, str], list[_Held]] = {}
            for row in rows:
                by_place.setdefault(places[row.mailbox], []).append(row)
            done: dict[str, Restored] = {}
            for (mailbox, name), some in by_place.items():
                done[name], tail = await self._add_back(change, mailbox, some)
                if tail > FOLD_ROWS:
                    long.append(mailbox)
            await self._count_back(change, rows, stay=stay)
            return RestoredAll(done, await change.modseq())

        done = await self._database.write(make)
        for mailbox in long:
            self._fold_later(mailbox)
        self._wake_indexer()
        return done

    async def _rows(self, change: Change, numbers: Uids) -> list[_Held]:
        firsts, lasts = [first for first, _ in numbers.runs], [last for _, last in numbers.runs]
        return [_Held(*row) for row in await change.ask(tables.ROWS, (self._account, firsts, lasts))]

    async def _places(
        self, change: Change, mailboxes: Sequence[int], target: str | None
    ) -> Mapping[int, tuple[MailboxId, str]]:
        """The mailbox to which the messages of each of *mailboxes* come back, and its name; made where it is not there.

        Raises Refused.
        """
        planned = await tree.read(change)
        if target is not None:
            there = planned.find(mailbox_key(target))
            if there is None or not there.selectable:
                raise no_such_target()
            return dict.fromkeys(mailboxes, (there.id, there.name))
        names: dict[int, str] = {}
        for mailbox, now, last, use in await change.ask(tables.PLACES, (list(mailboxes), self._account, self._account)):
            name, is_gone = names[mailbox], _ = place(now, last)
            found = planned.find(name)
            if is_gone and (found is None or not found.selectable):
                free = use if use is not None and not planned.has_special_use(use) else None
                mailbox_tree.create(planned, name, free, self._limits)
        planned.require_within(self._quota)
        await planned.carry_out(change)
        found_now = {mailbox: planned.find(name) for mailbox, name in names.items()}
        return {mailbox: (each.id, each.name) for mailbox, each in found_now.items() if each is not None}

    async def _learn_sets(self, change: Change) -> None:
        rows = await change.ask(tables_of_sets.SINCE, (self._account, self._keyword_sets.highest))
        self._keyword_sets.learn([(row[0], row[1]) for row in rows])

    async def _add_back(self, change: Change, mailbox: MailboxId, rows: Sequence[_Held]) -> tuple[Restored, int]:
        """Adds messages to *mailbox*; returns what became of them, and the length of the tail."""
        words = [row.flags & ~DELETED for row in rows]
        names = list(dict.fromkeys(name for word in sorted(set(words)) for name in self._keyword_sets.keywords(word)))
        unseen = sum(not word & SEEN for word in words)
        size = sum(row.size for row in rows)
        modseq = await change.modseq()
        most = self._limits.keywords_per_mailbox, self._limits.keyword_bytes
        counted = (self._account, mailbox, modseq, len(rows), unseen, size, names, *most)
        ((uidvalidity, first, tail),) = await change.ask(tables.GROW, counted)
        columns = [words, *([row[at] for row in rows] for at in range(3, 8))]
        await change.ask(tables.ADD_BACK, (self._account, mailbox, first, modseq, *columns))
        # whatever their save dates say, they were not here until now
        last = first + len(rows) - 1
        await change.ask(tables.NOTE_LATE, (self._account, change.moment, mailbox, first, last))
        change.touched.add(mailbox)
        back: Uids = NumberSet.of_sorted([Uid(row.number) for row in rows])
        return Restored(uidvalidity, back, NumberSet.span(first, last)), tail

    async def _count_back(self, change: Change, rows: Sequence[_Held], *, stay: bool) -> None:
        """Counts messages that came back. Raises Refused(OVERQUOTA)."""
        size = sum(row.size for row in rows)
        if stay:
            await change.ask(tables.SHARE, ([row.content for row in rows], self._account))
        else:
            await change.ask(tables.NOTE_BACK, (self._account, [row.number for row in rows]))
        values = (size, len(rows), 0 if stay else -size, self._account)
        ((octets, messages, mailboxes, own),) = await change.ask(tables.COUNT, values)
        usage = {Resource.STORAGE: octets, Resource.MESSAGE: messages, Resource.MAILBOX: mailboxes}
        grown = {Resource.STORAGE: size, Resource.MESSAGE: len(rows), Resource.MAILBOX: 0}
        quota_rules.require_growth_within(grown, usage, quota_rules.in_force(limits_of(own), self._quota.limits))

    async def forget(self, numbers: Uids) -> int:
        async def make(change: Change) -> int:
            rows = await self._rows(change, numbers)
            if rows:
                await self._remove(change, [(row.number, row.content, row.size, False) for row in rows])
                gone = await change.ask(tables.REMOVE_EMPTY, (self._account,))
                await change.ask(tables.COUNT, (0, 0, -ROW_BYTES * len(gone), self._account))
            return len(rows)

        return await self._database.write(make)

    async def _remove(self, change: Change, rows: Sequence[Any]) -> None:
        """Removes *rows* (number, content, size, moved, ...), and the contents that only they held."""
        await change.modseq()  # who knows the mailboxes of deleted messages must see that they changed
        await change.ask(tables.REMOVE, (self._account, [row[0] for row in rows]))
        held = [row for row in rows if not row[3]]
        not_before = change.moment + message_calls.KEPT_OBJECT_SECONDS
        await change.ask(tables.RELEASE, (self._account, [row[1] for row in held], not_before))
        weight = sum(row[2] for row in held) + ROW_BYTES * len(rows)
        await change.ask(tables.COUNT, (0, 0, -weight, self._account))

    # Behind the answers

    async def forget_old(self) -> bool:
        """Removes some of what was kept for long enough, or is too much; returns whether there was something."""
        seconds = self._limits.expunged_seconds
        before, most = (self._database.moment - int(seconds), self._limits.expunged_bytes) if seconds else (EVER, 0)
        asked = (self._account, before, self._account, most, *(self._account, before) * 4, self._account, self._account)
        if not (await self._database.ask(tables.IS_DUE, asked))[0][0]:
            return False

        async def make(change: Change) -> bool:
            left = (await change.ask(tables.WEIGHT, (self._account,)))[0][0] - most
            some: list[Any] = []
            octets = begun = 0
            for row in await change.ask(tables.OLDEST, (self._account, FORGOTTEN_AT_ONCE)):
                if (row[4] >= before and left <= 0) or octets > FORGOTTEN_BYTES:
                    break
                if row[4] >= before:
                    begun = max(begun, row[4])
                some.append(row)
                octets += row[2]
                left -= ROW_BYTES + (0 if row[3] else row[2])
            if some:
                await self._remove(change, some)
            gone, begun_there = await self._forget_history(change, before)
            if some or gone:
                at = max(begun, begun_there, min(before, change.moment))
                await change.ask(tables.BEGIN_AT, (at, self._account))
            return bool(some or gone)

        return await self._database.write(make)

    async def _forget_history(self, change: Change, before: int) -> tuple[int, int]:
        """Removes some of the history; returns how many rows, and the moment up to which it is not complete now."""
        gone = begun = 0
        for statement in tables.FORGET_HISTORY:
            ((count,),) = await change.ask(statement, (self._account, before, HISTORY_AT_ONCE))
            gone += count
        for statement in tables.FORGET_MOST:
            ((count, last),) = await change.ask(statement, (self._account, HISTORY_AT_ONCE, self._account))
            gone += count
            begun = max(begun, last or 0)
        return gone, begun
