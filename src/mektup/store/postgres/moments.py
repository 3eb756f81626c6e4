"""An account of a shard at one moment: a ``store.moments.Moment`` that reads a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from mektup.store import texts
from mektup.store.interface import Mailbox
from mektup.store.memo import Memory
from mektup.store.moments import (
    CONTENTS_SECONDS,
    ROWS_SECONDS,
    AccountState,
    EntryOf,
    KeptMessage,
    MailboxState,
)
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.change import Params, Row
from mektup.store.postgres.fetch_columns import RAW_BYTES, RAW_VALUES, SLICE_BYTES, SLICE_ROWS, raw_of
from mektup.store.postgres.fetching import BLOCKS, Fetching
from mektup.store.postgres.held_moment import HeldMoment
from mektup.store.postgres.keywords import PostgresKeywordSets
from mektup.store.postgres.large_messages import LargeMessages
from mektup.store.postgres.shard import Shard
from mektup.store.postgres.states import State, States
from mektup.store.postgres.tables import mailboxes as mailbox_tables
from mektup.store.postgres.tables import message_reads
from mektup.store.postgres.tables import moment_queries as tables
from mektup.store.postgres.values import limits_of
from mektup.store.rules.account_names import account_is_gone
from mektup.store.rules.keyword_sets import flags_of as names_of
from mektup.store.rules.mailbox_names import listed_order
from mektup.store.rules.refusals import message_is_gone
from mektup.store.state_blocks import BLOCK_BITS, changed_since, facts_of, flags_of
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import ACCOUNT_ITSELF, MAX_UINT32, AccountId, ContentId, MailboxId, ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids

EVERYTHING: Final[Uids] = NumberSet.span(1, MAX_UINT32)

MOST_OCTETS: Final = 1 << 40
"""More than any message has."""


@asynccontextmanager
async def snapshot(
    database: AccountDatabase, rows_seconds: float = ROWS_SECONDS, contents_seconds: float = CONTENTS_SECONDS
) -> AsyncIterator[PostgresMoment]:
    """See ``interface.Account.snapshot``."""
    database.check()
    async with database.shard.hold() as held:
        state, sets = await _read(held, database.account)
        moment = PostgresMoment(database, held, state, sets, rows_seconds, contents_seconds)
        try:
            yield moment
        finally:
            await moment.end()


async def _read(held: HeldMoment, account: AccountId) -> tuple[AccountState, Mapping[int, str]]:
    """The small state, and the sets of keywords by number. Raises Refused."""

    async def ask(statement: str) -> list[Row]:
        return await held.ask(statement, (account,))

    found = await ask(tables.ACCOUNT)
    if not found:
        raise account_is_gone()
    modseq, uidvalidity, own = found[0]
    entries: dict[int, dict[EntryOf, bytes]] = {}
    for mailbox, owner, entry, value in await ask(tables.METADATA):
        entries.setdefault(mailbox, {})[AccountId(owner), entry] = value
    access: dict[int, dict[str, frozenset[str]]] = {}
    for mailbox, identifier, rights in await ask(tables.ACCESS):
        access.setdefault(mailbox, {})[identifier] = frozenset(rights)
    keywords: dict[int, str] = dict(await ask(tables.KEYWORDS))
    mailboxes = [Mailbox(*row) for row in await ask(mailbox_tables.ALL) if row[0] is not None]
    there = [
        MailboxState(each, tuple(keywords[each.id].split()), access.get(each.id, {}), entries.get(each.id, {}))
        for each in sorted(mailboxes, key=lambda each: listed_order(each.name))
    ]
    subscriptions = frozenset(name for (name,) in await ask(tables.SUBSCRIPTIONS))
    of_account = entries.get(ACCOUNT_ITSELF, {})
    state = AccountState(modseq, uidvalidity, there, subscriptions, of_account, limits_of(own))
    return state, dict(await ask(tables.SETS))


class PostgresMoment:
    """Lets the moment go after a time, and then reads octets as they are now: they are the same, or gone."""

    def __init__(
        self,
        database: AccountDatabase,
        held: HeldMoment,
        state: AccountState,
        sets: Mapping[int, str],
        rows_seconds: float,
        contents_seconds: float,
    ) -> None:
        self.state = state
        self.account = database.account
        self._database = database
        self._held = held
        self._sets = sets
        self._contents_seconds = contents_seconds
        # remembers nothing: what is read is of another moment than what the account remembers
        self._states = States(database.account, Memory(0), PostgresKeywordSets())
        self._fetching = Fetching(self, self._states)
        self._loop = asyncio.get_running_loop()
        self._ends_at = self._loop.time() + rows_seconds
        self._timer = self._loop.call_at(self._ends_at, self._begin_ending)
        self._ending: asyncio.Task[None] | None = None

    def _begin_ending(self) -> None:
        self._ending = self._ending or self._loop.create_task(self._held.let_go())

    def _end_soon(self) -> None:
        """Called when octets are asked for: then the rows have been read."""
        ends_at = self._loop.time() + self._contents_seconds
        if ends_at < self._ends_at:
            self._ends_at = ends_at
            self._timer.cancel()
            self._timer = self._loop.call_at(ends_at, self._begin_ending)

    async def end(self) -> None:
        """Ends what it began."""
        self._timer.cancel()
        if self._ending is not None:
            await self._ending

    @property
    def shard(self) -> Shard:
        """The shard, as it is now."""
        return self._database.shard

    @property
    def large(self) -> LargeMessages:
        """Where the octets of large messages are."""
        return self._database.large

    def check(self) -> None:
        """Raises Refused where the account has ended."""
        self._database.check()

    async def ask(self, statement: str, parameters: Params) -> list[Row]:
        """The rows of *statement* at the moment, or now where that is over."""
        return await (self._held if self._held.is_held else self._database).ask(statement, parameters)

    async def _ask_rows(self, statement: str, parameters: Params) -> list[Row]:
        if not self._held.is_held:
            raise Refused(Code.UNAVAILABLE, texts.MOMENT_OVER)
        return await self._held.ask(statement, parameters)

    def flag_names(self, word: int) -> tuple[str, ...]:
        """See ``store.moments.Moment``, also for the other methods."""
        return names_of(word, self._sets)

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> tuple[Uids, Uids]:
        changed: Uids = NumberSet()
        async for part, state in self._parts(mailbox, EVERYTHING, facts=False):
            rows = changed_since(since, state.flags.values(), state.tail)
            touched: Uids = NumberSet.of_sorted([uid for uid, _, _ in rows])
            changed |= touched & part
        expunged = await self._ask_rows(tables.EXPUNGED, (self.account, mailbox, since))
        return changed, NumberSet(expunged)

    async def messages(self, mailbox: MailboxId, uids: Uids) -> AsyncGenerator[Sequence[KeptMessage], None]:
        if not uids:
            return
        async for part, state in self._parts(mailbox, uids, facts=True):
            flags = flags_of(part, state.flags, state.tail)
            facts = facts_of(part, state.fact_blocks, state.flags, state.tail)
            for start in range(0, len(flags), SLICE_ROWS):
                some = facts[start : start + SLICE_ROWS]
                asked = (self.account, sorted({fact.content for fact in some}))
                digests: dict[int, bytes] = dict(await self._ask_rows(message_reads.contents(("digest",)), asked))
                yield [
                    KeptMessage(uid, word, modseq, *fact[1:], digests[fact.content])
                    for (uid, word, modseq), fact in zip(flags[start : start + SLICE_ROWS], some, strict=True)
                ]

    async def _parts(self, mailbox: MailboxId, uids: Uids, *, facts: bool) -> AsyncGenerator[tuple[Uids, State], None]:
        """Parts of *uids*, ascending, and the state of each; none above UIDNEXT."""
        rest = uids
        while rest:
            end = (((rest.first >> BLOCK_BITS) + BLOCKS) << BLOCK_BITS) - 1
            part = rest & NumberSet.span(rest.first, end)
            state = await self._states.read(mailbox, part, self._ask_rows, facts=facts)
            yield part, state
            if end >= state.uidnext or end >= rest.last:
                return
            rest = rest & NumberSet.span(Uid(end + 1), rest.last)

    async def contents(
        self, contents: Sequence[ContentId]
    ) -> AsyncGenerator[Sequence[tuple[ContentId, bytes | None]], None]:
        self._end_soon()
        for start in range(0, len(contents), SLICE_ROWS):
            some = contents[start : start + SLICE_ROWS]
            sizes: dict[int, int] = dict(
                await self.ask(message_reads.contents(("size",)), (self.account, sorted(set(some))))
            )
            if not sizes.keys() >= set(some):
                raise message_is_gone()
            for slice_ in _slices(some, sizes):
                yield await self._octets(slice_, sizes)

    async def _octets(
        self, contents: Sequence[ContentId], sizes: Mapping[int, int]
    ) -> Sequence[tuple[ContentId, bytes | None]]:
        small = sorted({content for content in contents if sizes[content] <= RAW_BYTES})
        rows = await self.ask(message_reads.contents(RAW_VALUES), (self.account, small)) if small else []
        names = sorted(RAW_VALUES)
        found = {row[0]: raw_of(dict(zip(names, row[1:], strict=True))) for row in rows}
        if not found.keys() >= set(small):
            raise message_is_gone()
        return [(content, found.get(content)) for content in contents]

    async def content(self, content: ContentId) -> AsyncGenerator[bytes, None]:
        self._end_soon()
        async for piece in self._fetching.content(content, 0, MOST_OCTETS):
            yield piece


def _slices(contents: Sequence[ContentId], sizes: Mapping[int, int]) -> list[list[ContentId]]:
    """*contents* in parts of bounded octets."""
    slices: list[list[ContentId]] = [[]]
    octets = 0
    for content in contents:
        size = sizes[content] if sizes[content] <= RAW_BYTES else 0
        if slices[-1] and octets + size > SLICE_BYTES:
            slices.append([])
            octets = 0
        slices[-1].append(content)
        octets += size
    return slices
