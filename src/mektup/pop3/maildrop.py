"""INBOX as one POP3 session sees it: a snapshot, taken at login.

RFC 1939 §5 asks for a lock, so that numbers and sizes do not change during a session. Here they do not change because
each number stands for a UID, which always means the same message. So other sessions may use the mailbox meanwhile
(docs/decisions/0002). A message that they remove keeps its number, and requests for it are refused.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

from mektup.pop3 import texts
from mektup.store.columns import Column
from mektup.store.interface import Account, Mailbox
from mektup.terms.errors import ClientError, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.names import INBOX
from mektup.terms.numbers import ContentId, Uid
from mektup.terms.sets import Uids

WINDOW_BYTES = 1024 * 1024
"""How many octets of a large message are asked of the store at a time."""


class Maildrop:
    """Messages numbered from 1, with marks for those retrieved or deleted in this session."""

    def __init__(self, account: Account, mailbox: Mailbox, uids: array[int], sizes: array[int]) -> None:
        """Use ``open_maildrop``."""
        self._account = account
        self._mailbox = mailbox
        self._uids = uids
        self._sizes = sizes
        self._retrieved: set[int] = set()
        self._deleted: set[int] = set()

    def stat(self) -> tuple[int, int]:
        """The number of messages and their octets, without those marked as deleted."""
        octets = sum(self._sizes) - sum(self._sizes[number - 1] for number in self._deleted)
        return len(self._uids) - len(self._deleted), octets

    def numbers(self) -> Iterator[int]:
        """The numbers of the messages that are not marked as deleted."""
        return (number for number in range(1, len(self._uids) + 1) if number not in self._deleted)

    def require(self, number: int) -> None:
        """Raises ClientError when there is no message *number*, or it is marked as deleted."""
        if not 1 <= number <= len(self._uids):
            raise ClientError(texts.NO_SUCH_MESSAGE.of(count=len(self._uids)))
        if number in self._deleted:
            raise ClientError(texts.MARKED_AS_DELETED.of(number=number))

    def size(self, number: int) -> int:
        """The octets of the message, exactly as RETR sends it, without the stuffed dots."""
        return self._sizes[number - 1]

    def unique_id(self, number: int) -> str:
        """The permanent unique-id: UID and UIDVALIDITY, eight hexadecimal digits of each.

        This is the default form of Dovecot. So a mailbox that is migrated from there with its UIDs keeps its
        unique-ids, and clients need not fetch everything again.
        """
        return f"{self._uids[number - 1]:08x}{self._mailbox.uidvalidity:08x}"

    async def content(self, number: int, enough: Callable[[], bool] = lambda: False) -> AsyncIterator[bytes]:
        """The octets of a message, in pieces of bounded size; a large one is read only until *enough* is true.

        Raises Refused if the message was removed since login.
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
            raise Refused(None, texts.MESSAGE_GONE.of(number=number))
        return found

    def retrieved(self, number: int) -> None:
        """Marks the message as retrieved: it was sent as a whole."""
        self._retrieved.add(number)

    def delete(self, number: int) -> None:
        """Marks the message as deleted."""
        self._deleted.add(number)

    def undelete_all(self) -> None:
        """Removes the marks of deleted messages."""
        self._deleted.clear()

    async def update(self) -> None:
        """The UPDATE state: removes the marked messages, in one transaction (RFC 1939 §6).

        Also sets \\Seen on the retrieved messages that stay, as Dovecot does: a message that was fetched to one device
        should not be new on another. This is done here and not at each RETR, for two reasons. A client whose session
        broke off may not have kept the message. And one write for a whole session makes it cheap to fetch thousands of
        messages.
        """
        if self._deleted:
            await self._account.remove(self._mailbox.id, self._uids_of(self._deleted))
        if seen := self._retrieved - self._deleted:
            # no error for the client: it would say that nothing was removed
            with suppress(Refused):
                await self._account.store_flags(
                    self._mailbox.id, self._uids_of(seen), FlagChange.ADD, frozenset({"\\Seen"})
                )

    def _uids_of(self, numbers: set[int]) -> Uids:
        return Uids.of(Uid(self._uids[number - 1]) for number in numbers)


async def open_maildrop(account: Account) -> Maildrop:
    """Takes a snapshot of *account*'s INBOX. Raises Refused."""
    # Only IMAP sessions claim \\Recent, so that a login by POP3 writes nothing.
    selection = await account.select(INBOX, claim_recent=False)
    uids, sizes = array("I"), array("Q")
    async for rows in account.fetch(selection.mailbox.id, selection.uids, (Column.SIZE,)):
        for uid, size in rows:
            uids.append(uid)
            sizes.append(size)
    return Maildrop(account, selection.mailbox, uids, sizes)
