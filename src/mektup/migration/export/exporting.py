"""The exporter: writes an account, or one mailbox, to any target, while the server goes on.

An engine keeps a moment only for a while. A large mailbox is read at several moments, one after the other: each message
is written once, as it is when its turn comes, and messages that arrive meanwhile may or may not be there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from typing import Final

from mektup.migration.export.target import ExportedMailbox, ExportedMessage, MailboxWriter, Target, Tell
from mektup.migration.importing import Progress
from mektup.store import files
from mektup.store.interface import Account
from mektup.store.moments import KeptMessage, Moment
from mektup.store.rules.mailbox_names import require_mailbox
from mektup.terms.errors import Code, Refused
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.texts import Text

AT_ONCE: Final = 200
"""How many messages are read at a time."""

_OF_ONE_MESSAGE: Final = frozenset({Code.EXPUNGEISSUED, Code.CORRUPTION})
"""Refusals to read that concern one message: it was removed, or it is damaged."""


@dataclass(slots=True)
class Exported:
    """What an export has done so far."""

    mailboxes: int = 0
    messages: int = 0
    vanished: int = 0
    """Messages that were removed while the export ran."""
    problems: int = 0
    """What could not be written, or not as it is. Each was told."""


class Exporter:
    """One export of *account* to *target*; *name* is the only mailbox to write, None for all."""

    def __init__(
        self, account: Account, target: Target, name: str | None, progress: Progress, tell: Tell, result: Exported
    ) -> None:
        self._account, self._target = account, target
        self._name = None if name is None else mailbox_key(name)
        self._progress, self._tell_caller = progress, tell
        self.result = result

    def _tell(self, place: str, problem: Text) -> None:
        self.result.problems += 1
        self._tell_caller(place, problem)

    async def run(self) -> Exported:
        """Writes everything. Raises Refused(NONEXISTENT) where there is no such mailbox, and OSError.

        What was written before stays, and ``result`` has it.
        """
        mailboxes = await self._mailboxes()
        self._progress.begin(sum(messages for _, _, messages in mailboxes))
        for mailbox, number, _ in mailboxes:
            self._progress.mailbox(mailbox.name)
            await self._export(mailbox, number)
            self.result.mailboxes += 1
        await asyncio.to_thread(self._target.finish, [mailbox for mailbox, _, _ in mailboxes])
        return self.result

    async def _mailboxes(self) -> Sequence[tuple[ExportedMailbox, MailboxId, int]]:
        """The mailboxes to write, their IDs, and how many messages they have."""
        async with self._account.snapshot() as moment:
            state = moment.state
        there = [each for each in state.mailboxes if each.mailbox.selectable]
        if self._name is not None:
            there = [require_mailbox(next((each for each in there if each.mailbox.name == self._name), None))]
        return [
            (
                ExportedMailbox(
                    each.mailbox.name,
                    each.mailbox.uidvalidity,
                    each.mailbox.uidnext,
                    each.keywords,
                    each.mailbox.name in state.subscriptions,
                    each.mailbox.special_use,
                ),
                each.mailbox.id,
                each.mailbox.messages,
            )
            for each in there
        ]

    async def _export(self, mailbox: ExportedMailbox, number: MailboxId) -> None:
        try:
            writer = await asyncio.to_thread(self._target.mailbox, mailbox, self._tell)
        except FileExistsError as error:
            self._tell(mailbox.name, files.reason(error))
            return
        with ExitStack() as stack:
            stack.callback(writer.close)
            # no message that came later: its UID is not below the UIDNEXT that was written
            left: Uids = NumberSet.span(1, mailbox.uidnext - 1) if mailbox.uidnext > 1 else Uids()
            while left:
                async with self._account.snapshot() as moment:
                    left = await self._export_at(moment, writer, number, left)

    async def _export_at(self, moment: Moment, writer: MailboxWriter, number: MailboxId, uids: Uids) -> Uids:
        """Writes messages until the moment is over; returns the UIDs that are left."""
        written = False
        async with aclosing(moment.messages(number, uids)) as slices:
            while True:
                try:
                    some = await anext(slices)
                except StopAsyncIteration:
                    return Uids()
                except Refused as refused:
                    if refused.code is Code.UNAVAILABLE and written:
                        return uids
                    raise
                for start in range(0, len(some), AT_ONCE):
                    await self._write(moment, writer, some[start : start + AT_ONCE])
                uids = uids - NumberSet.span(Uid(1), some[-1].uid)
                written = True

    async def _write(self, moment: Moment, writer: MailboxWriter, messages: Sequence[KeptMessage]) -> None:
        """Writes *messages*, as many at a time as can be read together."""
        left = list(messages)
        try:
            async with aclosing(moment.contents([each.content for each in messages])) as slices:
                async for some in slices:
                    batch, left = left[: len(some)], left[len(some) :]
                    await self._write_read(moment, writer, batch, [octets for _, octets in some])
        except Refused as refused:
            if refused.code not in _OF_ONE_MESSAGE:
                raise
            await self._write_singly(moment, writer, left)

    async def _write_read(
        self, moment: Moment, writer: MailboxWriter, messages: Sequence[KeptMessage], octets: Sequence[bytes | None]
    ) -> None:
        small: list[tuple[ExportedMessage, bytes]] = []
        for message, held in zip(messages, octets, strict=True):
            if held is not None:
                small.append((self._exported(moment, message), held))
                continue
            await self._write_small(writer, small)
            small = []
            await self._write_singly(moment, writer, [message])
        await self._write_small(writer, small)

    def _exported(self, moment: Moment, message: KeptMessage) -> ExportedMessage:
        return ExportedMessage(message, moment.flag_names(message.word))

    async def _write_small(self, writer: MailboxWriter, messages: Sequence[tuple[ExportedMessage, bytes]]) -> None:
        if messages:
            await asyncio.to_thread(_write_all, writer, messages)
            self._done(len(messages))

    async def _write_singly(self, moment: Moment, writer: MailboxWriter, messages: Sequence[KeptMessage]) -> None:
        """Writes large messages, in pieces; and small ones where one of several cannot be read."""
        for message in messages:
            with ExitStack() as stack:
                stack.callback(writer.cancel)
                await asyncio.to_thread(writer.begin, self._exported(moment, message))
                try:
                    async with aclosing(moment.content(message.content)) as pieces:
                        async for piece in pieces:
                            await asyncio.to_thread(writer.write, piece)
                except Refused as refused:
                    if refused.code not in _OF_ONE_MESSAGE:
                        raise
                    if refused.code is Code.EXPUNGEISSUED:
                        self.result.vanished += 1
                    else:
                        self._tell(f"UID {message.uid}", refused.text)
                    self._progress.advance(1)
                    continue
                stack.pop_all()
            await asyncio.to_thread(writer.end)
            self._done(1)

    def _done(self, messages: int) -> None:
        self.result.messages += messages
        self._progress.advance(messages)


def _write_all(writer: MailboxWriter, messages: Sequence[tuple[ExportedMessage, bytes]]) -> None:
    for message, octets in messages:
        writer.begin(message)
        writer.write(octets)
        writer.end()
