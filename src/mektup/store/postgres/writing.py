"""Writes messages. Each verb is worked out on what the node knows, and written by one call.

Where the call finds that something has changed meanwhile, the node reads it anew and tries again; after some tries, in
a transaction that holds the account's row while it looks. New messages need no look at all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Generic, TypeVar
from uuid import uuid4

from mektup.store.interface import Appended, Copied, Expunged, Incoming
from mektup.store.objects import Placed
from mektup.store.postgres import message_calls as calls
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.change import Change, Params, Row
from mektup.store.postgres.failures import StateChanged
from mektup.store.postgres.keywords import PostgresKeywordSets, Wanted
from mektup.store.postgres.lost_answers import answer_of
from mektup.store.postgres.message_calls import Packing, Parameters
from mektup.store.postgres.shard import LostAnswer
from mektup.store.postgres.states import State, States
from mektup.store.postgres.tables import keyword_sets as tables_of_sets
from mektup.store.postgres.tables import message_reads, message_writes
from mektup.store.postgres.values import is_storable
from mektup.store.quota import DefaultQuota
from mektup.store.rules.counters import DELETED
from mektup.store.rules.flag_changes import NONE, uids_of
from mektup.store.rules.keyword_sets import Flags
from mektup.store.rules.mailbox_names import no_such_mailbox, no_such_target
from mektup.store.rules.refusals import message_is_gone, require_not_too_big
from mektup.store.state_blocks import BLOCK_BITS, FactBlock, FactRow, FlagBlock, blocks_of, facts_of, flags_of
from mektup.store.state_changes import FOLD_ROWS, Put, StateChange
from mektup.terms.errors import Refused
from mektup.terms.limits import MIB, Limits
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import MAX_UINT32, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Uids

T = TypeVar("T")

TRIES: Final = 6
"""How often a change is worked out before the account's row is held meanwhile."""

CALLS: Final = 3
"""How often a write is called whose answer was lost, and which turned out not to be done."""

EVERY: Final[Uids] = NumberSet.span(1, MAX_UINT32)

LARGE_BYTES: Final = MIB
"""Messages of more octets are made ready in a thread."""


class MissingFacts(Exception):
    """A change needs the facts of messages that were not read."""


class MissingSets(Exception):
    """A change needs sets of keywords that are not stored. They are added by a call of their own, before the change.

    A set that a transaction adds is undone with it. So nobody may know it before the commit.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names)
        self.names = names


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """Nothing is to be written."""

    result: T


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """What is to be written."""

    statement: str
    parameters: Parameters
    finish: Callable[[Row], T]
    """Gets the row of the answer, after the commit."""


Plan = Callable[[State, Wanted], Done[T] | Call[T]]


class Writing:
    """The methods of an ``interface.Account`` that write messages."""

    def __init__(
        self,
        database: AccountDatabase,
        states: States,
        keyword_sets: PostgresKeywordSets,
        limits: Limits,
        quota: DefaultQuota,
        packing: Packing,
    ) -> None:
        self._database = database
        self._account = database.account
        self._states = states
        self._keyword_sets = keyword_sets
        self._limits = limits
        self._quota = quota
        self._packing = packing
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def moment(self) -> int:
        """The present second."""
        return self._database.moment

    @property
    def keeps_expunged(self) -> bool:
        """Whether expunged messages are kept for a while, and the history of flags with them."""
        return self._limits.expunged_seconds > 0

    async def close(self) -> None:
        """Waits for running work; may be called twice."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def whole(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of *work*, which goes on to its end where the caller is cancelled: a commit has to be told."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    # Append

    async def append(self, mailbox: MailboxId, messages: Sequence[Incoming]) -> Appended:
        """See ``interface.Account``, also for the other methods."""
        if not messages:
            uidvalidity, _, highestmodseq = await self._box(mailbox)
            return Appended(uidvalidity, NONE, highestmodseq)
        self._require_small(messages)
        words = await self.words(messages)
        size = sum([message.arrival.size for message in messages])
        parameters = self.begun(contents=len(messages), octets=size, messages=len(messages))
        parameters |= calls.grow(words, size, self.keywords_in_turn(words)) | {"mailbox": mailbox}
        async with self._placed(messages) as placed:
            parameters |= await self.added(messages, words, placed)
            (row,) = await self._call(message_writes.APPEND, parameters, mailbox)
        return self._appended(mailbox, row, len(messages))

    @asynccontextmanager
    async def _placed(self, messages: Sequence[Incoming]) -> AsyncIterator[Sequence[Placed | None]]:
        """Writes the objects of large *messages*; they go again where the block is refused."""
        large = self._database.large
        arrivals = [message.arrival for message in messages]
        placed = await large.place(self._database.shard.name, self._account, arrivals)
        try:
            yield placed
        except Refused as refused:
            if not refused.uncertain:
                large.not_committed(placed)
            raise

    def _appended(self, mailbox: MailboxId, row: Row, count: int) -> Appended:
        modseq, uidvalidity, first, tail = row
        self.told(mailbox, modseq, tail)
        return Appended(uidvalidity, NumberSet.span(first, first + count - 1), modseq)

    async def words(self, messages: Sequence[Incoming]) -> list[int]:
        """The flag words of new *messages*. Raises Refused(LIMIT)."""
        flags = [Flags.of(message.flags) for message in messages]
        return await self._with_sets(lambda wanted: [self._keyword_sets.word(wanted, each) for each in flags])

    def _require_small(self, messages: Sequence[Incoming]) -> None:
        for message in messages:
            require_not_too_big(message.arrival.size, self._limits)

    async def added(
        self, messages: Sequence[Incoming], words: Sequence[int], placed: Sequence[Placed | None] | None = None
    ) -> Parameters:
        """The parameters of ``add_1`` for new *messages* with these flag words; *placed*: the objects of large ones."""
        placed = [None] * len(messages) if placed is None else placed
        if sum([message.arrival.size for message in messages]) > LARGE_BYTES:
            return await asyncio.to_thread(calls.add, messages, words, self._packing, placed)
        return calls.add(messages, words, self._packing, placed)

    def keywords_in_turn(self, words: Iterable[int]) -> list[str]:
        """The keywords of these flag words, in the order of their first use."""
        return list(dict.fromkeys(name for word in words for name in self._keyword_sets.keywords(word)))

    async def replace(self, mailbox: MailboxId, uid: Uid, target: MailboxId, message: Incoming) -> Appended:
        """See ``interface.Account``."""
        self._require_small([message])
        words = await self.words([message])
        async with self._placed([message]) as placed:
            added = await self.added([message], words, placed)
            return await self._replace(mailbox, uid, target, message, words, added)

    async def _replace(
        self,
        mailbox: MailboxId,
        uid: Uid,
        target: MailboxId,
        message: Incoming,
        words: Sequence[int],
        added: Parameters,
    ) -> Appended:
        def plan(state: State, wanted: Wanted) -> Done[Appended] | Call[Appended]:
            uids: Uids = NumberSet.span(uid, uid)
            rows = self._rows(state, uids)
            if not rows:
                return Done(Appended(UidValidity(0), NONE, state.highestmodseq))
            change = opened(state)
            change.remove(uids)
            put = change.put()
            size = message.arrival.size
            parameters = self.begun(
                octets=size + put.size, contents=1, messages=0, **self._kept_numbers(rows, moved=False)
            )
            parameters |= self.checked(state, mailbox, uids) | calls.rewrite(put, ()) | self._removed(rows)
            parameters |= calls.grow(words, size, self.keywords_in_turn(words)) | added | {"target": target}

            def finish(row: Row) -> Appended:
                self.wrote(mailbox, state, put, row[0])
                self.told(mailbox, row[0])
                return self._appended(target, row, 1)

            return Call(message_writes.REPLACE, parameters, finish)

        replaced = await self.write(mailbox, NumberSet.span(uid, uid), plan, facts=True)
        if not replaced.uids:
            raise message_is_gone()
        return replaced

    # Copy and move

    async def copy(self, mailbox: MailboxId, uids: Uids, target: str) -> Copied:
        """See ``interface.Account``."""
        return await self._transfer(mailbox, uids, target, self._copying)

    async def move(self, mailbox: MailboxId, uids: Uids, target: str) -> Copied:
        """See ``interface.Account``."""
        return await self._transfer(mailbox, uids, target, self._moving)

    async def _transfer(
        self,
        mailbox: MailboxId,
        uids: Uids,
        target: str,
        how: Callable[[MailboxId, State, list[tuple[int, FactRow]]], tuple[str, Parameters, Callable[[ModSeq], None]]],
    ) -> Copied:
        key = mailbox_key(target)
        if not is_storable(key):
            raise no_such_target()

        def plan(state: State, wanted: Wanted) -> Done[Copied] | Call[Copied]:
            rows = self._rows(state, uids)
            sources = uids_of([facts.uid for _, facts in rows])
            if not rows:
                return Done(Copied(UidValidity(0), NONE, NONE, state.highestmodseq))
            statement, parameters, wrote = how(mailbox, state, rows)
            parameters |= self._arriving(rows) | self.checked(state, mailbox, uids) | {"target": key}

            def finish(row: Row) -> Copied:
                modseq, uidvalidity, first, to, tail = row
                wrote(modseq)
                self.told(to, modseq, tail)
                return Copied(uidvalidity, sources, NumberSet.span(first, first + len(rows) - 1), modseq)

            return Call(statement, parameters, finish)

        copied = await self.write(mailbox, uids, plan, facts=True)
        if copied.sources:
            return copied
        found = await self._database.ask(message_reads.TARGET, {"account": self._account, "name": key})
        if not found:
            raise no_such_target()
        return replace(copied, uidvalidity=found[0][0], modseq=found[0][1])

    def _arriving(self, rows: Sequence[tuple[int, FactRow]]) -> Parameters:
        """The messages that come to a target."""
        words = [word for word, _ in rows]
        names = self.keywords_in_turn(sorted(set(words)))
        return calls.grow(words, sum([facts.size for _, facts in rows]), names) | calls.copies(rows)

    def _copying(
        self, mailbox: MailboxId, state: State, rows: list[tuple[int, FactRow]]
    ) -> tuple[str, Parameters, Callable[[ModSeq], None]]:
        size = sum([facts.size for _, facts in rows])
        return message_writes.COPY, self.begun(octets=size, messages=len(rows)), lambda modseq: None

    def _moving(
        self, mailbox: MailboxId, state: State, rows: list[tuple[int, FactRow]]
    ) -> tuple[str, Parameters, Callable[[ModSeq], None]]:
        change = opened(state)
        change.remove(uids_of([facts.uid for _, facts in rows]))
        put = change.put()
        parameters = self.begun(**self._kept_numbers(rows, moved=True)) | calls.rewrite(put, ())
        parameters |= self._removed(rows, moved=True)

        def wrote(modseq: ModSeq) -> None:
            self.wrote(mailbox, state, put, modseq)
            self.told(mailbox, modseq)

        return message_writes.MOVE, parameters, wrote

    async def move_within(self, change: Change, mailbox: MailboxId, target: str) -> None:
        """Moves all messages of *mailbox* to *target* as a part of *change*, with its modseq."""
        await change.modseq()
        state = await self._states.read(mailbox, EVERY, change.ask, facts=True)
        rows = self._rows(state, EVERY)
        if not rows:
            return
        statement, parameters, _ = self._moving(mailbox, state, rows)
        parameters |= self._arriving(rows) | self.checked(state, mailbox, EVERY)
        parameters |= {"target": mailbox_key(target), "modseqs": 0, "token": uuid4()}
        await change.ask(statement, parameters)
        change.touched.add(mailbox)

    # Expunge

    async def expunge(self, mailbox: MailboxId, uids: Uids | None) -> Expunged:
        """See ``interface.Account``."""
        return await self._take_out(mailbox, EVERY if uids is None else uids, flag=DELETED)

    async def remove(self, mailbox: MailboxId, uids: Uids) -> Expunged:
        """See ``interface.Account``."""
        return await self._take_out(mailbox, uids, flag=0)

    async def _take_out(self, mailbox: MailboxId, uids: Uids, *, flag: int) -> Expunged:
        """Removes the messages of *uids* that have *flag*."""

        def plan(state: State, wanted: Wanted) -> Done[Expunged] | Call[Expunged]:
            there = flags_of(uids & NumberSet.span(1, state.uidnext - 1), state.flags, state.tail)
            gone = uids_of([uid for uid, word, _ in there if word & flag == flag])
            if not gone:
                return Done(Expunged(NONE, state.highestmodseq))
            rows = self._rows(state, gone)
            change = opened(state)
            change.remove(gone)
            put = change.put()
            parameters = self.begun(octets=put.size, messages=put.messages, **self._kept_numbers(rows, moved=False))
            parameters |= self.checked(state, mailbox, uids) | calls.rewrite(put, ()) | self._removed(rows)

            def finish(row: Row) -> Expunged:
                self.wrote(mailbox, state, put, row[0])
                self.told(mailbox, row[0])
                return Expunged(gone, row[0])

            return Call(message_writes.REMOVE, parameters, finish)

        return await self.write(mailbox, uids, plan, facts=False)

    # Fold

    def fold_later(self, mailbox: MailboxId) -> None:
        """Has the tail of *mailbox* folded into its blocks, behind the answers."""
        task = asyncio.create_task(self._fold(mailbox), name=f"fold {mailbox}")
        if not any(each.get_name() == task.get_name() for each in self._tasks):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            task.cancel()

    async def _fold(self, mailbox: MailboxId) -> None:
        with suppress(Refused):  # the fault was reported; who appends next tries again
            await self._fold_now(mailbox)

    async def _fold_now(self, mailbox: MailboxId) -> None:
        ((first, last),) = await self._database.ask(message_reads.IN_TAIL, self._of(mailbox))
        if first is None:
            return
        uids: Uids = NumberSet.span(first, last)

        def plan(state: State, wanted: Wanted) -> Done[None] | Call[None]:
            change = opened(state)
            change.fold({row.uid >> BLOCK_BITS for row in state.tail})
            put = change.put()
            if not put.folded:
                return Done(None)
            parameters = self.begun(modseqs=0) | self.checked(state, mailbox, NONE) | calls.rewrite(put, ())
            return Call(message_writes.FOLD, parameters, lambda row: self.wrote(mailbox, state, put, ModSeq(0)))

        await self.write(mailbox, uids, plan, facts=False)

    # What all of them share

    async def write(self, mailbox: MailboxId, uids: Uids, plan: Plan[T], *, facts: bool) -> T:
        """The result of the change that *plan* works out on the state of *uids*; *facts*: on all of their facts, too.

        Raises Refused.
        """
        if not uids:
            uids = NumberSet.span(1, 1)
        ask = self._database.ask
        state = self._states.known(mailbox, uids)
        is_fresh = False
        for _ in range(TRIES):
            if state is None:
                state, is_fresh = await self._states.read(mailbox, uids, ask, facts=facts), True
            try:
                step = await self._with_sets(partial(plan, state))
            except MissingFacts:
                state, facts = None, True
                continue
            if isinstance(step, Done):
                if is_fresh:
                    return step.result
                state = None
                continue
            try:
                (row,) = await self._call(step.statement, step.parameters, mailbox)
            except StateChanged:
                state = None
                continue
            return step.finish(row)

        async def held(change: Change) -> tuple[Done[T] | Call[T], Row]:
            state = await self._states.read(mailbox, uids, change.ask, facts=True)
            step = _worked(partial(plan, state))
            if isinstance(step, Done):
                return step, ()
            return step, (await change.ask(step.statement, {"token": uuid4(), **step.parameters}))[0]

        while True:
            try:
                (step, row), _ = await self._database.shard.change(self._account, self.moment, held)
            except MissingSets as missing:
                await self._add_sets(missing.names)
            except LostAnswer as lost:
                raise lost.refused from lost
            else:
                return step.result if isinstance(step, Done) else step.finish(row)

    async def _call(self, statement: str, parameters: Parameters, mailbox: MailboxId) -> list[Row]:
        """The answer of a call that writes, also where it was lost. Raises Refused, StateChanged."""
        self._database.check()
        with_token = {"token": uuid4(), **parameters}
        for left in reversed(range(CALLS)):
            try:
                return await self._database.shard.call(statement, with_token)
            except LostAnswer as lost:
                self._database.notifier.changed(self._account, mailbox, None)  # it may have been done
                answer = await answer_of(self._database, statement, with_token, lost)
                if answer is not None:
                    return [answer]
                if not left:
                    raise lost.refused.fault.refusal() from lost
        raise AssertionError("the last call returns or raises")

    async def _with_sets(self, work: Callable[[Wanted], T]) -> T:
        """The result of *work*, after all sets of keywords that it needs were added. Raises Refused."""
        while True:
            try:
                return _worked(work)
            except MissingSets as missing:
                await self._add_sets(missing.names)

    async def _add_sets(self, names: Sequence[str]) -> None:
        parameters: Params = (self._account, names, self._keyword_sets.highest)
        rows = await self._database.shard.call(tables_of_sets.ADD, parameters)
        self._keyword_sets.learn([(row[0], row[1]) for row in rows])

    def begun(self, **numbers: int) -> Parameters:
        """The parameters of ``begin_1``."""
        default = {resource.value: most for resource, most in self._quota.limits.items()}
        found = calls.begin(self._account, self.moment, **numbers, default=json.dumps(default))
        return found | calls.limits_of(self._limits)

    def _kept_numbers(self, rows: Sequence[tuple[int, FactRow]], *, moved: bool) -> dict[str, int]:
        """What removed messages take from the account's row."""
        if not self.keeps_expunged:
            return {"past_from": self.moment}
        return {"expunged": len(rows), "retained": calls.weight(rows, moved=moved)}

    def _removed(self, rows: Sequence[tuple[int, FactRow]], *, moved: bool = False) -> Parameters:
        not_before = self.moment + calls.KEPT_OBJECT_SECONDS
        return calls.remove(rows, keeps=self.keeps_expunged, moved=moved, not_before=not_before)

    def checked(self, state: State, mailbox: MailboxId, uids: Uids) -> Parameters:
        """That the blocks of *uids* are still those of *state*, and that nothing arrived that *uids* name."""
        below = uids & NumberSet.span(1, state.uidnext - 1)
        in_tail = {row.uid >> BLOCK_BITS for row in state.tail}
        few = [number for number in blocks_of(below) if number in state.flags or number in in_tail]
        checked = {number: state.flags[number].modseq if number in state.flags else ModSeq(0) for number in few}
        uidnext = state.uidnext if uids and uids.last >= state.uidnext else None
        return calls.check(checked, uidnext) | {"mailbox": mailbox}

    def _rows(self, state: State, uids: Uids) -> list[tuple[int, FactRow]]:
        """The flag words and the facts of the messages of *uids*. Raises MissingFacts."""
        there = flags_of(uids & NumberSet.span(1, state.uidnext - 1), state.flags, state.tail)
        found = uids_of([uid for uid, _, _ in there])
        try:
            facts = facts_of(found, state.fact_blocks, state.flags, state.tail)
        except KeyError as error:
            raise MissingFacts from error
        return [(row[1], fact) for row, fact in zip(there, facts, strict=True)]

    def wrote(self, mailbox: MailboxId, state: State, put: Put, modseq: ModSeq) -> None:
        """Remembers what was written, as of *modseq*."""
        flags = [
            FlagBlock.read(number, ModSeq(own if own > 0 else modseq + own), octets)
            for number, own, octets in zip(put.blocks, put.modseqs, put.flags, strict=True)
        ]
        facts = {
            number: FactBlock.read(number, octets) for number, octets in zip(put.fact_blocks, put.facts, strict=True)
        }
        self._states.written(mailbox, state, flags, facts)

    def told(self, mailbox: MailboxId, modseq: ModSeq, tail: int = 0) -> None:
        """Tells everybody of a committed change; *tail*: how many rows the mailbox's tail has."""
        self._database.notifier.changed(self._account, mailbox, modseq)
        if tail > FOLD_ROWS:
            self.fold_later(mailbox)

    def _of(self, mailbox: MailboxId) -> dict[str, Any]:
        return {"account": self._account, "mailbox": mailbox}

    async def _box(self, mailbox: MailboxId) -> tuple[UidValidity, Uid, ModSeq]:
        found = await self._database.ask(message_reads.BOX, self._of(mailbox))
        if not found:
            raise no_such_mailbox()
        uidvalidity, uidnext, highestmodseq = found[0]
        return uidvalidity, uidnext, highestmodseq


def opened(state: State) -> StateChange:
    """A change on top of *state*."""
    return StateChange(state.flags, state.fact_blocks, state.tail)


def _worked(work: Callable[[Wanted], T]) -> T:
    """The result of *work*. Raises MissingSets."""
    wanted = Wanted()
    try:
        result = work(wanted)
    finally:
        wanted.forget()
    if wanted.names:
        raise MissingSets(wanted.names)
    return result
