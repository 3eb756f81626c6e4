"""FETCH of one account: rows and lines of messages, from the state of their mailbox and from their contents.

What never changes is known after the first time, so the contents are asked for together with the flags; else their
numbers have to be read first.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from mektup.store.columns import AnyColumn, Form, Lines, Row
from mektup.store.objects import Placed
from mektup.store.postgres.account_database import AsksAccount
from mektup.store.postgres.change import Params
from mektup.store.postgres.fetch_columns import Asked, Slice, Values, lines_of
from mektup.store.postgres.message_calls import HEADER_IS_PACKED, REST_IS_PACKED, unpacked
from mektup.store.postgres.states import ReadsStates, State
from mektup.store.postgres.tables import message_reads
from mektup.store.rules.refusals import message_is_gone
from mektup.store.state_blocks import BLOCK_BITS, facts_of, flags_of
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import KIB
from mektup.terms.numbers import NO_MODSEQ, ContentId, MailboxId, Uid
from mektup.terms.sets import NumberSet, Uids

BLOCKS: Final = 64
"""How many blocks of a mailbox are read at a time."""

PIECE_BYTES: Final = 256 * KIB
"""The size of the pieces in which a message is streamed."""

MOST_OCTETS: Final = 2**31 - 2
"""More than any message has."""


class Fetching:
    """The methods of an ``interface.Account`` that read messages."""

    def __init__(self, database: AsksAccount, states: ReadsStates) -> None:
        self._database = database
        self._account = database.account
        self._states = states

    async def fetch(
        self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]
    ) -> AsyncGenerator[list[Row], None]:
        """See ``interface.Account``, also for the other methods."""
        asked = Asked(columns)
        rest: Uids = uids if uids else NumberSet.span(1, 1)
        while rest:
            part = _beginning(rest)
            state, contents = await self._read(mailbox, part, asked)
            for some in asked.slices(_messages(state, part & uids, asked)):
                contents = await self._contents(some, asked, contents)
                there = some.with_contents(contents) if asked.values else some
                if there.flags:
                    yield asked.rows(there, contents)
            if part.last >= state.uidnext:
                return
            rest = rest - part

    async def lines(
        self, mailbox: MailboxId, uids: Uids, form: Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[Lines, None]:
        asked = Asked([piece for piece in form.pieces if piece is not None and not isinstance(piece, bytes)])
        rest = uids
        while rest:
            part = _beginning(rest)
            rest = rest - part
            try:
                state, contents = await self._read(mailbox, part, asked)
            except Refused as refused:
                if refused.code is not Code.NONEXISTENT:
                    raise
                yield part | rest, None, NO_MODSEQ
                return
            messages = _messages(state, part, asked)
            if len(messages.flags) < len(part):
                yield part, None, NO_MODSEQ
                continue
            for some in asked.slices(messages):
                contents = await self._contents(some, asked, contents)
                told, lines = some.uids, None
                if not asked.values or contents.keys() >= set(some.contents):
                    lines = lines_of(form, asked.made(some, contents), list(_numbers(told, number)))
                yield told, lines, NO_MODSEQ if lines is None else some.modseq

    async def _read(self, mailbox: MailboxId, uids: Uids, asked: Asked) -> tuple[State, Mapping[int, Values]]:
        """The state of *uids*, and contents of the first of them, if the node knows their numbers."""
        first = None
        if asked.values and (known := self._states.known(mailbox, uids)) is not None:
            first = next(asked.slices(_messages_known(known, uids, asked)), None)
        if first is None:
            return await self._states.read(mailbox, uids, self._database.ask, facts=asked.needs_facts), {}
        contents: dict[int, Values] = {}

        async def ask(statement: str, parameters: Params) -> list[Row]:
            self._database.check()
            questions = ((statement, parameters), self._question(first, asked))
            rows, brought = await self._database.shard.ask_all(questions)
            contents.update(_by_content(brought, asked))
            return rows

        return await self._states.read(mailbox, uids, ask, facts=asked.needs_facts), contents

    async def _contents(self, some: Slice, asked: Asked, there: Mapping[int, Values]) -> Mapping[int, Values]:
        """What is wanted of the contents of *some* messages; *there* is what was brought already."""
        if not asked.values or there.keys() >= set(some.contents):
            return there
        return _by_content(await self._database.ask(*self._question(some, asked)), asked)

    def _question(self, some: Slice, asked: Asked) -> tuple[str, Sequence[Any]]:
        return message_reads.contents(asked.values), (self._account, message_reads.array_of(sorted(set(some.contents))))

    async def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        # PostgreSQL computes places in octets as int
        at, stop = min(max(start, 0), MOST_OCTETS), min(stop, MOST_OCTETS)
        first = True
        while first or at < stop:
            end = min(stop, at + PIECE_BYTES)
            parameters = {"account": self._account, "content": content, "start": at, "stop": max(end, at)}
            found = await self._database.ask(message_reads.PIECE, parameters)
            if not found:
                raise message_is_gone()
            size, header_size, packed, name, header, rest = found[0]
            first, stop = False, min(stop, size)
            if name is not None and stop > header_size:
                async for piece in self._database.large.read(Placed(name, rest), size, at, stop):
                    yield piece
                return
            end = min(end, stop)
            if at >= end:
                return
            yield b"".join(_piece(at, end, size, header_size, packed, header, rest))
            at = end


def _beginning(uids: Uids) -> Uids:
    """Those of *uids* that are in the first blocks."""
    end = (((uids.first >> BLOCK_BITS) + BLOCKS) << BLOCK_BITS) - 1
    return uids & NumberSet.span(uids.first, end)


def _messages(state: State, uids: Uids, asked: Asked) -> Slice:
    """The messages of *uids*. Raises KeyError where their facts are needed and not known."""
    flags = flags_of(uids, state.flags, state.tail)
    if not asked.needs_facts:
        return Slice(flags)
    there: Uids = NumberSet.of_sorted([row[0] for row in flags])
    return Slice(flags, facts_of(there, state.fact_blocks, state.flags, state.tail))


def _messages_known(state: State, uids: Uids, asked: Asked) -> Slice:
    """Like ``_messages``; none where their facts are not known."""
    try:
        return _messages(state, uids, asked)
    except KeyError:
        return Slice(())


def _by_content(rows: Iterable[Row], asked: Asked) -> Mapping[int, Values]:
    return {row[0]: dict(zip(asked.values, row[1:], strict=True)) for row in rows}


def _numbers(uids: Uids, number: Callable[[Uid], int]) -> Iterator[int]:
    return chain.from_iterable(
        range(begun, begun + last - first + 1) for first, last in uids.runs for begun in (number(Uid(first)),)
    )


def _piece(
    start: int, stop: int, size: int, header_size: int, packed: int, header: bytes | None, rest: bytes | None
) -> Iterator[bytes]:
    """The octets from *start* to *stop* of a message, of which *header* and *rest* are as PIECE reads them."""
    if header is not None and start < header_size:
        if packed & HEADER_IS_PACKED:
            yield unpacked(header, header_size)[start:stop]
        else:
            yield header[: min(stop, header_size) - start]
    if rest is not None and stop > header_size:
        first = max(start - header_size, 0)
        if packed & REST_IS_PACKED:
            yield unpacked(rest, size - header_size)[first : stop - header_size]
        else:
            yield rest[: stop - header_size - first]
