"""INBOX as one POP3 session sees it: a snapshot, taken at login.

RFC 1939 §5 asks for a lock, so that numbers and sizes stay while a session lasts. Here they stay because they are
UIDs underneath, which mean one message for good: others may go on using the mailbox (docs/decisions/0002). A message
that they remove meanwhile keeps its number, and is refused when asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

from mektup.store.interface import Account, Column, Mailbox
from mektup.terms.errors import ClientError, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.names import INBOX
from mektup.terms.numbers import ContentId, Uid
from mektup.terms.sets import Uids

WINDOW_BYTES = 1024 * 1024
"""Of a large message, what is asked of the store at a time."""


class Maildrop:
    """Messages numbered from 1, and which of them were retrieved or marked as deleted in this session."""

    def __init__(self, account: Account, mailbox: Mailbox, uids: array[int], sizes: array[int]) -> None:
        """Use ``open_maildrop``."""
        self._account = account
        self._mailbox = mailbox
        self._uids = uids
        self._sizes = sizes
        self._retrieved: set[int] = set()
        self._deleted: set[int] = set()

    def stat(self) -> tuple[int, int]:
        """How many messages there are, and their octets, without those marked as deleted."""
        octets = sum(self._sizes) - sum(self._sizes[number - 1] for number in self._deleted)
        return len(self._uids) - len(self._deleted), octets

    def numbers(self) -> Iterator[int]:
        """Of the messages that are not marked as deleted."""
        return (number for number in range(1, len(self._uids) + 1) if number not in self._deleted)

    def require(self, number: int) -> None:
        """Raises ClientError when there is no message *number*, or it is marked as deleted."""
        if not 1 <= number <= len(self._uids):
            raise ClientError(f"No such message, there are {len(self._uids)}")
        if number in self._deleted:
            raise ClientError(f"Message {number} is marked as deleted")

    def size(self, number: int) -> int:
        """Octets, exactly as RETR sends them, but for the dots that are stuffed."""
        return self._sizes[number - 1]

    def unique_id(self, number: int) -> str:
        """The same for good: UID and UIDVALIDITY, eight hexadecimal digits of each.

        That is how Dovecot makes them unless told otherwise, so a mailbox that moves here with its UIDs keeps its
        unique-ids, and nobody has to fetch everything again.
        """
        return f"{self._uids[number - 1]:08x}{self._mailbox.uidvalidity:08x}"

    async def content(self, number: int, enough: Callable[[], bool] = lambda: False) -> AsyncIterator[bytes]:
        """The octets of a message, in pieces of bounded size; no more of a large one once *enough* says so.

        Raises Refused when it was removed since the session began.
        """
        raw, content = await self._find(number)
        if raw is not None:
            yield raw
            return
        size = self.size(number)
        for start in range(0, size, WINDOW_BYTES):
            if enough():
                return
            async for piece in self._account.content(content, start, min(start + WINDOW_BYTES, size)):
                yield piece

    async def _find(self, number: int) -> tuple[bytes | None, ContentId]:
        wanted = Uids.of([Uid(self._uids[number - 1])])
        found: tuple[bytes | None, ContentId] | None = None
        async for rows in self._account.fetch(self._mailbox.id, wanted, (Column.RAW, Column.CONTENT)):
            for _, raw, content in rows:
                found = raw, content
        if found is None:
            raise Refused(None, f"Message {number} is no longer there, another session removed it")
        return found

    def retrieved(self, number: int) -> None:
        """It was given out whole."""
        self._retrieved.add(number)

    def delete(self, number: int) -> None:
        """Marks it."""
        self._deleted.add(number)

    def undelete_all(self) -> None:
        """Takes off the marks."""
        self._deleted.clear()

    async def update(self) -> None:
        """The UPDATE state: removes what is marked, in one transaction (RFC 1939 §6).

        And sets \\Seen on what was retrieved and stays, as Dovecot does: who has fetched a message to one device
        does not want it shown as new on another. Only here, not at each RETR: a session that broke off may not have
        kept what it was sent, and one write for a whole session is what makes fetching thousands cheap.
        """
        if self._deleted:
            await self._account.remove(self._mailbox.id, self._uids_of(self._deleted))
        if seen := self._retrieved - self._deleted:
            # not worth an error, which would say that nothing was removed
            with suppress(Refused):
                await self._account.store_flags(
                    self._mailbox.id, self._uids_of(seen), FlagChange.ADD, frozenset({"\\Seen"})
                )

    def _uids_of(self, numbers: set[int]) -> Uids:
        return Uids.of(Uid(self._uids[number - 1]) for number in numbers)


async def open_maildrop(account: Account) -> Maildrop:
    """The snapshot of *account*'s INBOX as it is now. Raises Refused."""
    # \\Recent is left to IMAP's sessions: a login by POP3 writes nothing.
    selection = await account.select(INBOX, claim_recent=False)
    uids, sizes = array("I"), array("Q")
    async for rows in account.fetch(selection.mailbox.id, selection.uids, (Column.SIZE,)):
        for uid, size in rows:
            uids.append(uid)
            sizes.append(size)
    return Maildrop(account, selection.mailbox, uids, sizes)
