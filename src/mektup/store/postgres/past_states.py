"""The state of a mailbox in the past, in the form of ``states``: so it is fetched, searched and sorted as the present.

Whether it is a mailbox of deleted messages or one at a moment, it is made of rows that are read as of one moment, and
remembered within the budget of the process. A mailbox of deleted messages is made anew when the account has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mektup.store.interface import Mailbox
from mektup.store.memo import Memo, MemoKind, Memory
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.change import Row
from mektup.store.postgres.keywords import PostgresKeywordSets
from mektup.store.postgres.states import BLOCK_OCTETS, FACTS_OCTETS, Ask, KnownFacts, State, States
from mektup.store.postgres.tables import keyword_sets as tables_of_sets
from mektup.store.postgres.tables import past_queries as tables
from mektup.store.retention import DELETED_MAIL
from mektup.store.rules.counters import DELETED, SEEN
from mektup.store.rules.retention import place
from mektup.store.state_blocks import SLOT_MASK, TailRow, facts_of, flags_of
from mektup.store.state_changes import folded
from mektup.terms.numbers import MAX_UINT32, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Uids

ALL_DELETED: Final = MailboxId(1 << 40)
"""The mailbox of all deleted messages. No other one gets this ID."""

AT: Final = ModSeq(1)
"""The modseq of everything at a moment of the past, which never changes."""

EVERYTHING: Final[Uids] = NumberSet.span(1, MAX_UINT32)


@dataclass(frozen=True, slots=True)
class PastMailbox:
    """A mailbox of the past, without its messages."""

    mailbox: Mailbox
    """Without counters."""
    keywords: tuple[str, ...]
    sources: tuple[int, ...] | None = None
    """The mailboxes whose deleted messages it has; None for all, and at a moment."""


class PastStates:
    """The mailboxes of an account's deleted messages, or those at a moment; *moment* is the end of this second."""

    def __init__(
        self,
        database: AccountDatabase,
        present: States,
        keyword_sets: PostgresKeywordSets,
        memory: Memory,
        moment: int | None,
    ) -> None:
        self._database = database
        self._account = database.account
        self._present = present
        self._keyword_sets = keyword_sets
        self._moment = moment
        self._states: Memo[MailboxId, State] = Memo(memory, MemoKind.BLOCKS)

    # Mailboxes

    async def mailboxes(self) -> Mapping[str, PastMailbox]:
        """The mailboxes by name, without their messages."""
        return await (self._deleted_from() if self._moment is None else self._named_at(self._moment))

    async def _named_at(self, moment: int) -> Mapping[str, PastMailbox]:
        asked = (self._account, moment, self._account, moment, moment)
        found: dict[int, PastMailbox] = {}
        for number, name, validity, mailboxid, use, selectable, keywords in await self._ask(tables.NAMES_AT, asked):
            made = _mailbox(number, name, validity, mailboxid, use, selectable=selectable)
            found.setdefault(number, PastMailbox(made, tuple(keywords.split())))
        return {each.mailbox.name: each for each in found.values()}

    async def _deleted_from(self) -> Mapping[str, PastMailbox]:
        account = self._account
        ((_, _, validity),) = await self._ask(tables.NUMBERS, (account,))
        rows = await self._ask(tables.ALL_KEYWORDS, (account, account))
        keywords = tuple(dict.fromkeys(name for (names,) in rows for name in names.split()))
        sources: dict[str, list[int]] = {}
        for mailbox, now, last in await self._ask(tables.DELETED_FROM, (account, account, account)):
            sources.setdefault(place(now, last)[0], []).append(mailbox)
        made = _mailbox(ALL_DELETED, DELETED_MAIL, validity, f"D{validity}-{ALL_DELETED}", None, selectable=True)
        found = {DELETED_MAIL: PastMailbox(made, keywords)}
        for name, some in sources.items():
            made = _mailbox(some[0], name, validity, f"D{validity}-{some[0]}", None, selectable=True)
            found[name] = PastMailbox(made, keywords, tuple(some))
        return found

    # Messages

    def known(self, mailbox: MailboxId, uids: Uids) -> State | None:
        """Nothing that is of use before a read."""
        return None

    async def read(self, mailbox: MailboxId, uids: Uids, ask: Ask, *, facts: bool) -> State:
        """See ``States.read``. Has all UIDs, and the facts in any case."""
        known = self._states.get(mailbox)
        if self._moment is None:
            ((modseq, highest, _),) = await self._ask(tables.NUMBERS, (self._account,))
            if known is not None and known.highestmodseq == modseq:
                return known
            made = await self._read_deleted(mailbox, ModSeq(modseq), Uid(highest + 1))
        elif known is not None:
            return known
        else:
            made = await self._read_at(mailbox, self._moment)
        await self._learn_sets()
        self._states.put(mailbox, made, len(made.flags) * (BLOCK_OCTETS + FACTS_OCTETS))
        return made

    async def _read_deleted(self, mailbox: MailboxId, modseq: ModSeq, uidnext: Uid) -> State:
        sources: list[int] | None = None
        if mailbox != ALL_DELETED:
            named = [each for each in (await self._deleted_from()).values() if each.mailbox.id == mailbox]
            # a mailbox from which nothing is left stays, empty, for those who have it open
            sources = [source for each in named for source in each.sources or ()]
        rows = await self._ask(tables.DELETED, (self._account, sources, sources))
        tail = [TailRow(*row) for row in rows if row[0] < uidnext]
        return await asyncio.to_thread(
            _state, [row._replace(flags=row.flags & ~DELETED) for row in tail], modseq, uidnext
        )

    async def _read_at(self, mailbox: MailboxId, moment: int) -> State:
        async def reading(ask: Ask) -> tuple[State | None, list[Row], list[Row], list[Row]]:
            there = await ask(tables.IS_THERE, (self._account, mailbox))
            present = await self._present.read(mailbox, EVERYTHING, ask, facts=True) if there else None
            where = self._account, mailbox, moment
            removed = await ask(tables.REMOVED_SINCE, (*where, moment))
            return present, removed, await ask(tables.LATE, where), await ask(tables.FLIPPED, where)

        self._database.check()
        present, removed, late, flipped = await self._database.shard.at_one_moment(reading)
        return await asyncio.to_thread(_state_at, present, [TailRow(*row) for row in removed], late, flipped, moment)

    async def _ask(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        return await self._database.ask(statement, parameters)

    async def _learn_sets(self) -> None:
        """Learns the sets of keywords that the rows may have."""
        rows = await self._ask(tables_of_sets.SINCE, (self._account, self._keyword_sets.highest))
        self._keyword_sets.learn([(row[0], row[1]) for row in rows])


def with_counters(mailbox: Mailbox, state: State) -> Mailbox:
    """*mailbox* with what its messages, in *state*, add up to."""
    there = flags_of(EVERYTHING, state.flags, state.tail)
    sizes = [row.size for row in facts_of(EVERYTHING, state.fact_blocks, state.flags, state.tail)]
    return replace(
        mailbox,
        uidnext=state.uidnext,
        highestmodseq=state.highestmodseq,
        messages=len(there),
        unseen=sum(not word & SEEN for _, word, _ in there),
        deleted=sum(bool(word & DELETED) for _, word, _ in there),
        size=sum(sizes),
    )


def _state(rows: Sequence[TailRow], modseq: ModSeq, uidnext: Uid) -> State:
    """The state of a mailbox that has these messages."""
    flags, facts = folded({}, {}, rows)
    return State(uidnext, modseq, flags, {number: KnownFacts(block, SLOT_MASK) for number, block in facts.items()}, ())


def _state_at(
    present: State | None, removed: Iterable[TailRow], late: Sequence[Row], flipped: Sequence[Row], moment: int
) -> State:
    """The state at *moment*: what is there since then, and what was *removed* since then, with the flags of then."""
    rows: dict[Uid, TailRow] = {}
    if present is not None:
        there = flags_of(EVERYTHING, present.flags, present.tail)
        facts = facts_of(EVERYTHING, present.fact_blocks, present.flags, present.tail)
        for (uid, word, _), fact in zip(there, facts, strict=True):
            if fact.saved <= moment:
                rows[uid] = TailRow(uid, word, AT, *fact[1:])
    rows.update((row.uid, row) for row in removed if row.uid not in rows)
    for first, last in late:
        for uid in _between(rows, first, last):
            del rows[uid]
    for first, last, difference in flipped:
        for uid in _between(rows, first, last):
            rows[uid] = rows[uid]._replace(flags=rows[uid].flags ^ difference)
    return _state(list(rows.values()), AT, Uid(max(rows, default=0) + 1))


def _between(uids: Collection[Uid], first: int, last: int) -> list[Uid]:
    """Those of *uids* from *first* to *last*."""
    if last - first < len(uids):
        return [uid for uid in map(Uid, range(first, last + 1)) if uid in uids]
    return [uid for uid in uids if first <= uid <= last]


def _mailbox(
    number: int, name: str, uidvalidity: int, mailboxid: str, special_use: str | None, *, selectable: bool
) -> Mailbox:
    validity = UidValidity(uidvalidity)
    return Mailbox(
        MailboxId(number), name, validity, Uid(1), ModSeq(1), 0, 0, 0, 0, 0, mailboxid, special_use, selectable
    )
