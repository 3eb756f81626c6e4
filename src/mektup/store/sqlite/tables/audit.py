"""Whether messages are still what was stored: looked at behind the answers, a few of those that were just read.

A message's digest is kept with it. To compare it each time that the message is read would take longer than the reading.
So now and then some of the messages that somebody has read are read once more, in a thread, and a bit that has changed
on the disk is found where mail is in use. Whoever runs the server is told; the message is given out as it is, since
most of it is right.
"""

from __future__ import annotations

import asyncio
import random
from hashlib import blake2b
from typing import Final

from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.tables import content
from mektup.store.sqlite.tables.changes import moment
from mektup.terms.errors import Refused
from mektup.terms.numbers import ContentId, MailboxId, Uid
from mektup.terms.sets import NumberSet, Uids

ROUND_SECONDS: Final = 0.25
"""From the first message that is read to the look at it; what is read meanwhile is passed over."""

ROUND_MESSAGES: Final = 8
ROUND_BYTES: Final = 4 * 1024 * 1024
"""How much is looked at in a round at most, but that a message which is larger is looked at whole."""


class Audit:
    """Of one account. For the event loop's thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: tuple[MailboxId, Uids] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None
        self._is_off = database.in_memory

    def note(self, mailbox: MailboxId, uids: Uids) -> None:
        """These were just read, whole. Costs next to nothing."""
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
                    f"message {uid} of mailbox {mailbox} is not what was stored; its digest is another", lasts=True
                )
        except Refused:
            pass  # it is noted as a fault already, or the account has ended
        finally:
            self._read = self._work = None

    async def close(self) -> None:
        """Ends."""
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
    """Those of *uids* of which the octets have another digest than they had."""
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
                continue  # it has gone since
            number, size, digest = found
            octets += size
            if octets > max(ROUND_BYTES, size):
                break
            told = blake2b(digest_size=len(digest))
            for piece in content.read(cursor, ContentId(number), 0, size):
                told.update(piece)
            if told.digest() != digest:
                changed.append(uid)
    return changed
