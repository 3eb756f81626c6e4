"""Notices of changed mailboxes, and what carries them from node to node.

A notice names an account, a mailbox and the modseq of the change. Many notices of a mailbox are as good as the newest
one, so a burst is one notice. A lost notice only delays an update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from mektup.terms.numbers import MAX_MODSEQ, AccountId, MailboxId

NoticeKey = tuple[AccountId, MailboxId]
Notices = dict[NoticeKey, int]
"""Changed mailboxes, and the modseq of the latest change; MAX_MODSEQ where it is not known."""

LOST: NoticeKey = (AccountId("*"), MailboxId(0))
"""Stands for notices that are lost. No account has this ID."""

ONLY_LOST: Notices = {LOST: MAX_MODSEQ}

NOTICES_PER_PAYLOAD = 100
"""Fits into a datagram of 16 KiB, and into the 8,000 octets that PostgreSQL allows for a notification."""


def add(notices: Notices, key: NoticeKey, modseq: int) -> None:
    """Adds a notice to *notices*, or raises the modseq of the one that is there."""
    notices[key] = max(notices.get(key, 0), modseq)


def packed(notices: Iterable[tuple[NoticeKey, int]]) -> bytes:
    """At most NOTICES_PER_PAYLOAD notices as octets."""
    return "\n".join(f"{account} {mailbox} {modseq}" for (account, mailbox), modseq in notices).encode("ascii")


def payloads(notices: Notices) -> list[bytes]:
    """All *notices*, packed."""
    items = list(notices.items())
    return [packed(items[first : first + NOTICES_PER_PAYLOAD]) for first in range(0, len(items), NOTICES_PER_PAYLOAD)]


def unpacked(payload: bytes) -> Iterator[tuple[NoticeKey, int]]:
    """The notices in *payload*; anything else in it is skipped."""
    for line in payload.decode("ascii", "replace").split("\n"):
        account, *numbers = line.split(" ")
        if account and len(numbers) == 2 and all(each.isdigit() and len(each) < 20 for each in numbers):
            mailbox, modseq = map(int, numbers)
            yield (AccountId(account), MailboxId(mailbox)), modseq


class CarrierDown(Exception):
    """A carrier cannot be reached. The text says why, without secrets."""


class Carrier(Protocol):
    """What carries notices from node to node. It has one connection at a time."""

    async def open(self, heard: Callable[[bytes], None], lost: Callable[[], None], ended: Callable[[], None]) -> None:
        """Connects; raises CarrierDown.

        From then on, until ``close``, *heard* is called with each payload of another node, *lost* where payloads were
        dropped, and *ended* when the connection is gone.
        """

    async def send(self, payloads: Sequence[bytes]) -> None:
        """Sends *payloads*, in one round trip; when it returns, the other end has them. Raises CarrierDown."""

    async def close(self) -> None:
        """Ends the connection, if there is one; never raises, and waits for nobody who does not answer."""
