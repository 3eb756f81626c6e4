"""Reads the mailboxes of a server. Where the connection breaks, it connects again and goes on with the next message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from typing import Final

from mektup.migration.imap import texts
from mektup.migration.imap.client import Client
from mektup.migration.imap.errors import CommandRefused, Lost, NotUnderstood
from mektup.migration.imap.fetched import Fetched, fetched, uid_set, vanished
from mektup.migration.imap.mailboxes import MailboxState, ServerMailbox, state_of
from mektup.migration.imap.responses import Message, Status, Untagged, Value
from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.texts import Text

BATCH: Final = 100
"""Messages that one FETCH asks for."""

PAUSES: Final = (1.0, 5.0, 15.0, 30.0)
"""Seconds before each new try to connect; after the last one the server counts as gone."""

STRIKES: Final = 2
"""How often the connection may break at the same message before that message is left out."""

MOST_IN_A_ROW: Final = 20
"""How many messages in a row may be left out before the server counts as broken."""

MOST_MESSAGES: Final = 20_000_000
"""Messages of a mailbox."""

MOST_OTHERS: Final = 100_000
"""Answers to one FETCH about messages that it did not ask for, such as flags that another client changed."""

ITEMS: Final = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"

EMPTY: Final[Uids] = NumberSet()


@dataclass(frozen=True, slots=True)
class Unfetched:
    """A message that the server has, but does not give."""

    uid: Uid
    reason: Text


@dataclass(frozen=True, slots=True)
class Gone:
    """A message that the server does not have any more."""

    uid: Uid


@dataclass(frozen=True, slots=True)
class Listing:
    """What a mailbox holds now, or what changed in it."""

    flags: dict[Uid, tuple[str, ...]]
    """By UID, ascending."""
    gone: Uids | None
    """The UIDs that were expunged; None where *flags* has all messages."""


class Reader:
    """The mailboxes of one user at a server. Call ``open`` before the methods that read a mailbox.

    *connect* makes a client that is logged in. All methods raise Lost when the server is gone for good, and
    CommandRefused where it says no.
    """

    def __init__(self, connect: Callable[[], Awaitable[Client]], pauses: Sequence[float] = PAUSES) -> None:
        self._connect = connect
        self._pauses = pauses
        self._client: Client | None = None
        self._mailbox: ServerMailbox | None = None
        self._state = MailboxState()
        self.reconnections = 0

    async def client(self) -> Client:
        """The client that is connected; connects for the first call. Raises as ``Client.connect``."""
        if self._client is None:
            self._client = await self._connect()
        return self._client

    async def close(self) -> None:
        """Logs out; may be called twice."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def open(self, mailbox: ServerMailbox) -> MailboxState:
        """Opens *mailbox* without changing anything in it. Raises CommandRefused; connects again where needed."""
        tried = 0
        while True:
            try:
                self._mailbox, self._state = mailbox, await self._examine(await self.client(), mailbox)
            except (Lost, NotUnderstood) as error:
                tried += 1
                if tried > len(self._pauses):
                    raise
                self._mailbox = None
                await self._again(error)
            else:
                return self._state

    async def _examine(self, client: Client, mailbox: ServerMailbox) -> MailboxState:
        modseqs = ("(CONDSTORE)",) if {"CONDSTORE", "QRESYNC"} & client.capabilities else ()
        items: dict[str, Value] = {}
        async for each in client.run("EXAMINE", mailbox.raw, *modseqs):
            if isinstance(each, Status):
                word, _, value = each.code.partition(" ")
                items[word] = value
            elif each.kind == "EXISTS" and each.number is not None:
                items["MESSAGES"] = str(each.number)
        return state_of(items)

    async def listing(self, since: int | None = None) -> Listing:
        """The flags of all messages; with *since*, a modseq of the server, only what changed after it."""
        for _ in self._pauses:
            try:
                return await self._listing(since)
            except Lost as error:
                await self._again(error)
        return await self._listing(since)

    async def _listing(self, since: int | None) -> Listing:
        client = await self.client()
        if since is None or not {"CONDSTORE", "QRESYNC"} & client.capabilities:
            return (await self._listed(client, "UID FETCH 1:* (UID FLAGS)"))[0]
        if await client.enable("QRESYNC"):
            # RFC 7162 §3.2.6
            listing, gone = await self._listed(client, f"UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE {since} VANISHED)")
            return Listing(listing.flags, gone)
        listing, _ = await self._listed(client, f"UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE {since})")
        return Listing(listing.flags, await self._missing(client))

    async def _listed(self, client: Client, command: str) -> tuple[Listing, Uids]:
        flags: dict[Uid, tuple[str, ...]] = {}
        gone: list[tuple[int, int]] = []
        same: dict[tuple[str, ...], tuple[str, ...]] = {}
        async for each in client.run(command):
            if isinstance(each, Untagged) and each.kind == "VANISHED":
                gone.extend(vanished(each).runs)
            elif isinstance(each, Untagged) and each.kind == "FETCH":
                one = fetched(each)
                if one.uid is not None and one.flags is not None:
                    # few messages have flags of their own
                    flags[one.uid] = same.setdefault(one.flags, one.flags)
            if len(flags) + len(gone) > MOST_MESSAGES:
                raise NotUnderstood(texts.TOO_MANY_MESSAGES.of(count=MOST_MESSAGES))
        return Listing(dict(sorted(flags.items())), None), NumberSet(gone)

    async def _missing(self, client: Client) -> Uids:
        """All UIDs that no message has, up to the highest."""
        here: list[tuple[int, int]] = []
        command = "UID SEARCH RETURN (ALL) ALL" if "ESEARCH" in client.capabilities else "UID SEARCH ALL"
        for each in await client.gather(command):
            if each.kind == "SEARCH":
                here.extend(run for value in each.values for run in uid_set(str(value)).runs)
            elif each.kind == "ESEARCH" and "ALL" in each.values:
                here.extend(uid_set(str(each.values[each.values.index("ALL") + 1])).runs)
        all_of_them: Uids = NumberSet.span(1, max(1, (self._state.uidnext or 2**32) - 1))
        return all_of_them - NumberSet(here)

    async def messages(self, uids: Uids) -> AsyncGenerator[Fetched | Unfetched | Gone, None]:
        """The messages *uids*, each as soon as it came; what the server does not give, and what it does not have.

        They come mostly in order, but a server may order BATCH messages otherwise. The caller closes the spools.
        Raises Lost after several tries to connect, and where many messages in a row
        cannot be had.
        """
        remaining, careful, strikes, in_a_row = uids, EMPTY, 0, 0
        while remaining:
            batch = _first(careful, 1) if careful else _first(remaining, BATCH)
            done: list[Uid] = []
            try:
                async with aclosing(self._batch(batch)) as answers:
                    async for each in answers:
                        assert each.uid is not None
                        done.append(each.uid)
                        in_a_row = in_a_row + 1 if isinstance(each, Unfetched) else 0
                        yield each
                strikes = 0
                for uid in batch - NumberSet.of(done):
                    yield Gone(uid)
                done = list(batch)
            except CommandRefused as error:
                if len(batch) == 1:
                    yield Unfetched(batch.first, error.text)
                    done, in_a_row = [batch.first], in_a_row + 1
            except (Lost, NotUnderstood) as error:
                strikes = strikes + 1 if len(batch) == 1 and not done else 0
                if strikes >= STRIKES:
                    yield Unfetched(batch.first, error.text)
                    done, strikes, in_a_row = [batch.first], 0, in_a_row + 1
                await self._again(error)
            if in_a_row >= MOST_IN_A_ROW:
                raise Lost(texts.NOTHING_COMES.of(count=in_a_row))
            remaining -= NumberSet.of(done)
            careful = (careful or batch) & remaining

    async def _batch(self, batch: Uids) -> AsyncGenerator[Fetched | Unfetched, None]:
        client = await self.client()
        unsent: Uids = batch
        others = 0
        async with aclosing(client.run(f"UID FETCH {bytes(batch).decode()} {ITEMS}", messages=True)) as answers:
            async for each in answers:
                if not isinstance(each, Untagged) or each.kind != "FETCH":
                    continue
                one = fetched(each)
                if one.uid is None or one.uid not in unsent:
                    # told of a change of flags, or sent twice
                    others += 1
                    if isinstance(one.message, Message):
                        one.message.spool.close()
                    if others > MOST_OTHERS:
                        raise NotUnderstood(texts.UNASKED_ANSWERS.of(count=MOST_OTHERS))
                elif one.message is not None:
                    unsent -= NumberSet.of([one.uid])
                    yield one
        if unsent:
            for uid in await self._existing(client, unsent):
                yield Unfetched(uid, texts.NOT_SENT)

    async def _existing(self, client: Client, uids: Uids) -> list[Uid]:
        answers = await client.gather(f"UID FETCH {bytes(uids).decode()} (UID)")
        found = [fetched(each).uid for each in answers if each.kind == "FETCH"]
        return sorted(uid for uid in set(found) if uid is not None and uid in uids)

    async def _again(self, error: Lost | NotUnderstood) -> None:
        """Connects again and opens the same mailbox. Raises Lost if that fails, or if it is another mailbox by now."""
        last: Lost | NotUnderstood = error
        for pause in self._pauses:
            await self._drop()
            await asyncio.sleep(pause)
            try:
                client = await self.client()
                self.reconnections += 1
                if self._mailbox is not None:
                    state = await self._examine(client, self._mailbox)
                    if state.uidvalidity != self._state.uidvalidity:
                        raise Lost(texts.CHANGED_MEANWHILE.of(mailbox=self._mailbox.shown))
                return
            except (Lost, NotUnderstood) as another:
                last = another
        await self._drop()
        raise last

    async def _drop(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


def _first(uids: Uids, count: int) -> Uids:
    return NumberSet.of_sorted(islice(uids, count))
