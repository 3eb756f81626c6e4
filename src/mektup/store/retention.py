"""Expunged messages that are kept for a while: how many there are, and bringing them back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from mektup.terms.numbers import ModSeq, Uid, UidValidity
from mektup.terms.sets import Uids

DELETED_MAIL: Final = ""
"""The mailbox of all messages that can be brought back, see ``interface.Account.deleted_mail``."""

ROW_BYTES: Final = 200
"""What a kept message counts beside its octets, for the limit of all of them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How much is kept of the expunged messages of an account. Copies count as often as they were expunged."""

    messages: int
    octets: int
    oldest: int | None
    """When the one was removed that was removed first, in seconds since 1970 UTC; None where there is none."""


@dataclass(frozen=True, slots=True)
class DeletedMessage:
    """An expunged message that can be brought back."""

    number: Uid
    """Names it in this account; ascends in the order of removal, and is never given twice."""
    mailbox: str
    """Where it would come back to: the present name of its mailbox, or the last one of a mailbox that is deleted."""
    is_gone: bool
    """Whether that mailbox was deleted."""
    uid: Uid
    """Its old UID, which it does not get again."""
    removed: int
    """Seconds since 1970 UTC."""
    size: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back into one mailbox: the nth of *numbers* has the nth of *uids* there."""

    uidvalidity: UidValidity
    numbers: Uids
    uids: Uids


@dataclass(frozen=True, slots=True)
class RestoredAll:
    """What was brought back, by the name of the mailbox."""

    mailboxes: Mapping[str, Restored]
    modseq: ModSeq


class AccountRetention(Protocol):
    """The expunged messages of an account that are kept for ``limits.expunged_seconds``.

    They are not part of any mailbox, and no quota counts them. A message that was moved is not among them.
    """

    async def kept(self) -> Kept:
        """How much is kept. Reads all rows."""

    def messages(self, after: int = 0) -> AsyncGenerator[list[DeletedMessage], None]:
        """The messages with numbers above *after*, ascending, in slices of bounded size."""

    async def restore(self, numbers: Uids, target: str | None = None, *, stay: bool = False) -> RestoredAll:
        """Brings messages back, all or none: with flags (not \\Deleted), dates and save dates, under new UIDs.

        Each comes back to the mailbox that it was in, under whatever name that has now; or to its last name, where a
        mailbox is made anew if there is none. With *target*, all go there. With *stay*, they are kept, too. Numbers
        that are not kept are ignored. Raises Refused(OVERQUOTA, LIMIT; TRYCREATE where there is no *target*).
        """

    async def forget(self, numbers: Uids) -> int:
        """Really removes these messages now, from the history of mailboxes, too; returns how many were kept."""
