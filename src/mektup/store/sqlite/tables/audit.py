"""Checks in the background whether a few of the messages that were just read are still as they were stored.

A message's digest is stored with it. Checking it at each read would take longer than the read. So now and then, a
thread reads some recently read messages again; this finds bits that changed on the disk in mail that is in use. The
operator is told. Clients still get the message, because most of it is right.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.tables import content
from mektup.terms.errors import Refused
from mektup.terms.numbers import ContentId, MailboxId, Uid
from mektup.terms.sets import NumberSet, Uids

ROUND_SECONDS: Final = 0.25
"""The time from the first read message to its check; messages read meanwhile are not checked."""

ROUND_MESSAGES: Final = 8
ROUND_BYTES: Final = 4 * 1024 * 1024
"""The most octets of a round; a single larger message is checked whole."""


class Audit:
    """The audit of one account. For the event loop's thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: tuple[MailboxId, Uids] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None
        self._is_off = database.in_memory

    def note(self, mailbox: MailboxId, uids: Uids) -> None:
        """Says that *uids* were just read whole. Costs very little."""
        if self._read is None and not self._is_off:
            self._read = mailbox, uids
            self._timer = asyncio.get_running_loop().call_later(ROUND_SECONDS, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._work = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        assert self._read is not None
        mailbox, uids = self._read
        try:
            changed = await self._database.read_long(_changed, mailbox, _some(uids))
            for uid in changed:
                self._database.note_damage(
                    f"message {uid} of mailbox {mailbox} has changed on the disk: its digest does not match", lasts=True
                )
        except Refused:
            pass  # the fault is already recorded, or the account was closed
        finally:
            self._read = self._work = None

    async def close(self) -> None:
        """Ends the audit."""
        self._is_off = True
        if self._timer is not None:
            self._timer.cancel()
        if self._work is not None:
            await asyncio.wait((self._work,))


def _some(uids: Uids) -> Uids:
    if len(uids) <= ROUND_MESSAGES:
        return uids
    return uids.at(NumberSet.of(random.sample(range(1, len(uids) + 1), ROUND_MESSAGES)))


def _changed(cursor: Cursor, mailbox: MailboxId, uids: Uids) -> list[Uid]:
    """The messages of *uids* whose octets do not match their digest."""
    changed: list[Uid] = []
    octets = 0
    with moment(cursor):
        for uid in uids:
            found = cursor.execute(
                "SELECT c.id, c.size, c.digest FROM messages AS m JOIN contents AS c ON c.id = m.content "
                "WHERE m.mailbox = ? AND m.uid = ?",
                (mailbox, uid),
            ).get
            if found is None:
                continue  # it was expunged meanwhile
            number, size, digest = found
            octets += size
            if octets > max(ROUND_BYTES, size):
                break
            if content.digest_of(content.read(cursor, ContentId(number), 0, size)) != digest:
                changed.append(uid)
    return changed
