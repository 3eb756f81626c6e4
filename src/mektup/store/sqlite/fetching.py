"""FETCH of one account: reads rows or lines, in the loop or in a thread, and header fields from their blocks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, groupby, islice
from typing import Any

from mektup.store.columns import AnyColumn, Column, Form, HeaderFields, Lines, Row
from mektup.store.rules.header_blocks import MANY, MOST_CHOICES, Fields, are_many
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.loop_limits import FEW_CHUNKS
from mektup.store.sqlite.tables import content as contents
from mektup.store.sqlite.tables import header_fields
from mektup.store.sqlite.tables.audit import Audit
from mektup.store.sqlite.tables.changes import modseq
from mektup.store.sqlite.tables.fetch import (
    NO_MODSEQ,
    Columns,
    LinesQuery,
    choices_in,
    lines_query,
    query_for,
    read_lines,
    reads_messages,
)
from mektup.store.sqlite.tables.uids import read_slice
from mektup.terms.errors import Refused
from mektup.terms.numbers import ContentId, MailboxId, ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids


class Fetching:
    """The methods of an ``interface.Account`` that read the contents of messages."""

    def __init__(self, database: Database, audit: Audit) -> None:
        """*audit* is told which messages are read whole."""
        self._database = database
        self._audit = audit

    def fetch(self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]) -> AsyncGenerator[list[Row], None]:
        asked = tuple(columns)
        choices = [column for column in asked if isinstance(column, HeaderFields)]
        if 0 < len(choices) <= MOST_CHOICES and len(uids) >= MANY:
            return self._fetch_kept(mailbox, uids, asked, choices)
        return self._fetch(mailbox, uids, asked)

    async def _fetch(self, mailbox: MailboxId, uids: Uids, columns: Columns) -> AsyncGenerator[list[Row], None]:
        if Column.RAW in columns:
            self._audit.note(mailbox, uids)
        long = len(uids) > 1 and reads_messages(columns)
        query = query_for(columns, is_for_thread=long)
        ask = self._database.read_long if long else self._database.read
        rows, upto = await ask(read_slice, query, mailbox, uids, 0)
        if rows and not long and any(rows[0][at] is None for at, _ in choices_in(columns)):
            # the message has a large header, and selecting its fields takes long
            rows, upto = await self._database.read_long(read_slice, query_for(columns), mailbox, uids, 0)
        if not rows:
            await self._database.read(modseq, mailbox)  # refuses where the mailbox is gone
        while rows:
            yield rows
            if upto == uids.last:
                return
            if not long:
                await asyncio.sleep(0)  # lets other tasks run
            rows, upto = await ask(read_slice, query, mailbox, uids, upto)

    async def _fetch_kept(
        self, mailbox: MailboxId, uids: Uids, columns: Columns, choices: Sequence[HeaderFields]
    ) -> AsyncGenerator[list[Row], None]:
        """Like ``_fetch``, but reads header fields from blocks, and keeps blocks that are missing."""
        stored = tuple(column for column in columns if not isinstance(column, HeaderFields))
        async for rows in self._fetch(mailbox, uids, stored):
            some = [row[0] for row in rows]
            kept = {choice: await self._kept(mailbox, NumberSet.of_sorted(some), choice) for choice in choices}
            known = set(some).intersection(*kept.values())
            of_each = iter(rows)
            for is_known, group in groupby(some, known.__contains__):
                found = list(group)
                values: dict[AnyColumn, Iterable[Any]] = dict(
                    zip((Column.UID, *stored), zip(*islice(of_each, len(found)), strict=True), strict=True)
                )
                if is_known:
                    for choice, fields in kept.items():
                        values[choice] = [fields[uid] for uid in found]
                    yield list(zip(found, *(values[column] for column in columns), strict=True))
                else:
                    async for others in self._fetch(mailbox, NumberSet.of_sorted(found), columns):
                        yield others

    async def _kept(self, mailbox: MailboxId, uids: Uids, choice: HeaderFields) -> Fields:
        if not are_many(uids):
            return {}
        fields, missing = await self._database.read(header_fields.read, mailbox, uids, choice)
        if missing:
            blocks = await self._database.read_long(header_fields.make, mailbox, missing, query_for((choice,)))
            for block in blocks:
                fields.update(block.fields)
            put = partial(header_fields.put, mailbox=mailbox, blocks=blocks, choice=choice)
            with suppress(Refused):  # the disk is full, or another process writes for long
                await self._database.write(put, durable=False, long=True)
        return fields

    async def lines(
        self, mailbox: MailboxId, uids: Uids, form: Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[Lines, None]:
        query = lines_query(form)
        for some in uids.slices(query.rows):
            if len(some.runs) > 1 or len(query.choices) > MOST_CHOICES:
                yield some, None, NO_MODSEQ
                continue
            if query.reads_whole:
                self._audit.note(mailbox, some)
            if query.choices:
                lines, modseq = await self._lines_with_fields(mailbox, some, query, number(some.first))
            else:
                lines, modseq = await self._database.read(read_lines, query, mailbox, some, number(some.first))
            yield some, lines, modseq

    async def _lines_with_fields(
        self, mailbox: MailboxId, uids: Uids, query: LinesQuery, number: int
    ) -> tuple[bytes | None, ModSeq]:
        kept = [await self._kept(mailbox, uids, choice) for choice in query.choices]
        numbers = range(uids.first, uids.last + 1)
        if not all(fields.keys() >= set(numbers) for fields in kept):
            return None, NO_MODSEQ
        template, modseq = await self._database.read(read_lines, query, mailbox, uids, number)
        if template is None:
            return None, NO_MODSEQ
        chosen = zip(*(map(fields.__getitem__, numbers) for fields in kept), strict=True)
        return template % tuple(chain.from_iterable(chosen)), modseq

    async def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        spans = await self._database.read(contents.spans, content, start, stop)
        ask = self._database.read if len(spans) <= FEW_CHUNKS else self._database.read_long
        for chunk, first, last in spans:
            yield await ask(contents.piece, chunk, first, last)
