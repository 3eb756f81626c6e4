"""The keys of a search that are about texts: asked of the shard, or tested on messages that are read.

A key that the columns of ``contents`` or the stored texts answer is one question for all messages that are open. Other
keys, and messages whose texts are not stored yet, are tested one by one: the messages are read in slices, and tested
in a thread. A message that is gone meanwhile matches nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from mektup.message.comparing import certain_part
from mektup.message.scan import Octets
from mektup.store.columns import AnyColumn, Column, HeaderColumn, Row
from mektup.store.message_texts import KnownMessage
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.tables import search_queries, text_queries
from mektup.store.postgres.tables.search_queries import MOST_KEYS, NOT_INDEXED, OF_STORED_TEXTS, Question
from mektup.store.rules.text_tests import matches, relevancy
from mektup.store.spool import MEMORY_BYTES, Spool
from mektup.store.state_search import StateColumns
from mektup.terms import search as terms
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId, ContentId, MailboxId, Uid
from mektup.terms.search import SearchKey
from mektup.terms.sets import NumberSet, Uids

SLICE_ROWS: Final = 500
"""The most messages that are read for tests at a time."""

SLICE_BYTES: Final = 4 * 1024 * 1024
"""The octets of messages at which a slice of them ends, where their texts are read."""

HEADER, OCTETS = "header of the message", "octets of the message"
_TEXTS: Final = frozenset({"headers", "body"})

EVERYTHING: Final = 2**62


class Mail(Protocol):
    """The messages of an account, as ``interface.Account`` reads them."""

    def fetch(self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]) -> AsyncGenerator[list[Row], None]:
        """See ``interface.Account``."""

    def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """See ``interface.Account``."""


Test = Callable[[SearchKey, KnownMessage, Limits], int]


def _matches(key: SearchKey, message: KnownMessage, limits: Limits) -> int:
    return int(matches(key, message, limits))


def _relevancy(key: SearchKey, message: KnownMessage, limits: Limits) -> int:
    assert isinstance(key, terms.Fuzzy)
    return relevancy(key, message, limits)


@dataclass(frozen=True, slots=True)
class TextSearch:
    """The keys of texts of one account."""

    database: AccountDatabase
    mail: Mail
    limits: Limits
    has_index: bool
    """Whether the shard has an index of the texts."""

    # Asked of the shard

    async def of_contents(self, state: StateColumns, uids: Uids, keys: Sequence[SearchKey]) -> Mapping[SearchKey, Uids]:
        """Which of *uids* match each of *keys*, which are all answered by columns of contents."""
        found, _ = await self._asked(state, uids, keys, search_queries.of_contents)
        return found

    async def of_texts(
        self, mailbox: MailboxId, state: StateColumns, uids: Uids, keys: Sequence[SearchKey]
    ) -> Mapping[SearchKey, Uids]:
        """Which of *uids* match each of *keys*, which are all answered by texts; those not stored yet are decoded."""
        found, unknown = await self._asked(state, uids, keys, self._question_of_texts)
        if unknown:
            tested = await self._tested(mailbox, state, dict.fromkeys(keys, unknown), _matches)
            found = {key: uids | _uids_of(tested[key]) for key, uids in found.items()}
        return found

    def _question_of_texts(self, account: AccountId, contents: Sequence[int], keys: Sequence[SearchKey]) -> Question:
        return search_queries.of_texts(account, contents, keys, by_index=self.has_index)

    async def _asked(
        self,
        state: StateColumns,
        uids: Uids,
        keys: Sequence[SearchKey],
        question: Callable[[AccountId, Sequence[int], Sequence[SearchKey]], Question],
    ) -> tuple[dict[SearchKey, Uids], Uids]:
        """Which of *uids* match each of *keys*, and those whose texts are not stored."""
        contents = sorted(set(state.contents_of(uids)))
        found: dict[SearchKey, Uids] = {}
        unknown: set[int] = set()
        for start in range(0, len(keys), MOST_KEYS):
            some = keys[start : start + MOST_KEYS]
            rows = await self.database.ask(*question(self.database.account, contents, some))
            unknown.update(content for content, bits in rows if bits == NOT_INDEXED)
            for at, key in enumerate(some):
                having = {content for content, bits in rows if bits != NOT_INDEXED and bits >> at & 1}
                found[key] = state.with_contents(having) & uids if having else NumberSet()
        return found, state.with_contents(unknown) & uids if unknown else NumberSet()

    # Tested

    async def tested(
        self, mailbox: MailboxId, state: StateColumns, uids: Uids, keys: Sequence[SearchKey]
    ) -> Mapping[SearchKey, Uids]:
        """Which of *uids* match each of *keys*."""
        wanted = dict.fromkeys(keys, uids)
        necessary = {key: part for key in keys if (part := _necessary(key)) is not None}
        if necessary:
            parts = list(dict.fromkeys(necessary.values()))
            found, unknown = await self._asked(state, uids, parts, self._question_of_texts)
            wanted |= {key: found[part] | unknown for key, part in necessary.items()}
        tested = await self._tested(mailbox, state, wanted, _matches)
        return {key: _uids_of(scores) for key, scores in tested.items()}

    async def relevancies(
        self, mailbox: MailboxId, state: StateColumns, uids: Uids, keys: Collection[terms.Fuzzy]
    ) -> Mapping[SearchKey, Mapping[Uid, int]]:
        """How well each of *uids* matches each of *keys*; those that do not match are left out."""
        return await self._tested(mailbox, state, dict.fromkeys(keys, uids & state.uids), _relevancy)

    async def _tested(
        self, mailbox: MailboxId, state: StateColumns, wanted: Mapping[SearchKey, Uids], test: Test
    ) -> Mapping[SearchKey, Mapping[Uid, int]]:
        """The results of *test* that are not 0, for the messages that are *wanted* for each key."""
        results: dict[SearchKey, dict[Uid, int]] = {key: {} for key in wanted}
        needs = frozenset(need for key in wanted for need in _needs(key))
        every: Uids = NumberSet(run for uids in wanted.values() for run in uids.runs)
        for some in _slices(state, every, reads_texts=bool(needs & (_TEXTS | {OCTETS}))):
            async with self._read(mailbox, state, some, needs) as messages:
                await asyncio.to_thread(_test_all, messages, wanted, test, self.limits, results)
        return results

    @asynccontextmanager
    async def _read(
        self, mailbox: MailboxId, state: StateColumns, uids: Uids, needs: frozenset[str]
    ) -> AsyncIterator[Mapping[Uid, KnownMessage]]:
        """The messages of *uids* that exist, with what *needs* names."""
        contents = dict(zip(uids, map(ContentId, state.contents_of(uids)), strict=True))
        columns = sorted(needs - {HEADER, OCTETS})
        rows = await self.database.ask(
            text_queries.read(columns), (self.database.account, sorted(set(contents.values())))
        )
        by_content = {row[0]: dict(zip(columns, row[1:], strict=True)) for row in rows}
        messages: dict[Uid, KnownMessage] = {}
        for uid, content in contents.items():
            values = by_content.get(content)
            if values is not None:
                headers, body = values.pop("headers", None), values.pop("body", None)
                stored = None if headers is None else (headers, body)
                messages[uid] = KnownMessage(self.limits, values, stored=stored)
        if HEADER in needs:
            await self._read_headers(mailbox, contents, messages)
        decoded = [uid for uid, each in messages.items() if (each.stored is None and needs & _TEXTS) or OCTETS in needs]
        large: list[Spool] = []
        try:
            await self._read_octets(mailbox, contents, messages, NumberSet.of_sorted(decoded), large)
            yield messages
        finally:
            for spool in large:
                spool.close()

    async def _read_headers(
        self, mailbox: MailboxId, contents: Mapping[Uid, ContentId], messages: dict[Uid, KnownMessage]
    ) -> None:
        headers = await self.headers(mailbox, NumberSet.of_sorted(messages), contents)
        for uid in list(messages):
            if uid in headers:
                messages[uid].header_octets = headers[uid]
            else:
                del messages[uid]

    async def headers(self, mailbox: MailboxId, uids: Uids, contents: Mapping[Uid, ContentId]) -> Mapping[Uid, bytes]:
        """The headers of the messages of *uids* that exist, as far as headers are parsed."""
        found: dict[Uid, bytes] = {}
        async with aclosing(self.mail.fetch(mailbox, uids, (HeaderColumn.SMALL, HeaderColumn.SIZE))) as slices:
            async for rows in slices:
                for uid, header, size in rows:
                    most = min(size, self.limits.header_bytes)
                    if header is None:
                        header = await self._joined(contents[uid], most)
                    if header is not None:
                        found[uid] = header[:most]
        return found

    async def _joined(self, content: ContentId, stop: int) -> bytes | None:
        """The first octets of a message, None where it is gone."""
        try:
            async with aclosing(self.mail.content(content, 0, stop)) as pieces:
                return b"".join([piece async for piece in pieces])
        except Refused as refused:
            if refused.code is Code.EXPUNGEISSUED:
                return None
            raise

    async def _read_octets(
        self,
        mailbox: MailboxId,
        contents: Mapping[Uid, ContentId],
        messages: dict[Uid, KnownMessage],
        uids: Uids,
        large: list[Spool],
    ) -> None:
        """Gives the messages of *uids* their octets; large ones are in spools that are added to *large*."""
        if not uids:
            return
        there: dict[Uid, Octets | None] = {}
        async with aclosing(self.mail.fetch(mailbox, uids, (Column.RAW,))) as slices:
            async for rows in slices:
                there.update(rows)
        for uid in uids:
            octets = there.get(uid)
            if octets is None and uid in there:
                spool = Spool(unchanged=True)
                large.append(spool)
                octets = spool.octets() if await spool_content(self.mail, contents[uid], spool) else None
            if octets is None:
                del messages[uid]
            else:
                messages[uid].octets = octets


async def spool_content(mail: Mail, content: ContentId, spool: Spool) -> bool:
    """Writes a message to *spool*; returns False where it is gone."""
    try:
        async with aclosing(mail.content(content, 0, EVERYTHING)) as pieces:
            async for piece in pieces:
                if spool.size + len(piece) <= MEMORY_BYTES:
                    spool.write(piece)
                else:
                    await asyncio.to_thread(spool.write, piece)
    except Refused as refused:
        if refused.code is Code.EXPUNGEISSUED:
            return False
        raise
    return True


def _test_all(
    messages: Mapping[Uid, KnownMessage],
    wanted: Mapping[SearchKey, Uids],
    test: Test,
    limits: Limits,
    results: Mapping[SearchKey, dict[Uid, int]],
) -> None:
    for uid, message in messages.items():
        for key, uids in wanted.items():
            if uid in uids:
                result = test(key, message, limits)
                if result:
                    results[key][uid] = result


def _slices(state: StateColumns, uids: Uids, *, reads_texts: bool) -> Iterator[Uids]:
    """*uids* in slices that are read at a time."""
    for some in uids.slices(SLICE_ROWS):
        if not reads_texts:
            yield some
            continue
        start, octets = 0, 0
        listed = list(some)
        for at, size in enumerate(state.sizes_of(some)):
            if octets and octets + size > SLICE_BYTES:
                yield NumberSet.of_sorted(listed[start:at])
                start, octets = at, 0
            octets += size
        yield NumberSet.of_sorted(listed[start:])


def _uids_of(scores: Mapping[Uid, int]) -> Uids:
    return NumberSet.of_sorted(sorted(scores))


def _necessary(key: SearchKey) -> SearchKey | None:
    """A key that stored texts answer, and that every message has which matches *key*; None where there is none."""
    if isinstance(key, terms.Compared) and isinstance(key.key, OF_STORED_TEXTS):
        return type(key.key)(certain_part(key.key.text))
    return None


def _needs(key: SearchKey) -> Collection[str]:
    """What a test of *key* looks at."""
    match key:
        case terms.Compared(terms.InBody() | terms.InText()):
            return {OCTETS, *_TEXTS}
        case terms.Compared() | terms.InHeader() | terms.Fuzzy(terms.InHeader()):
            return {HEADER}
        case terms.Fuzzy(terms.InAddress(field)):
            return {field.value}
        case terms.Fuzzy(terms.InSubject()):
            return {"subject"}
        case _:
            return _TEXTS
