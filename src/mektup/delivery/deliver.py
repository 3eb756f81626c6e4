"""The one way of incoming mail: by LMTP, or from the program that embeds a server.

``recipients`` finds the mailbox, and a ``Reception`` takes the octets of the message. ``Copies`` adds it to the
mailboxes of several recipients, once to each.

APPEND is not delivery. There the owner of the mailbox stores one or more messages, all or none, and the size and the
mailbox of each are checked before the client sends it. Both ways share ``store.spool`` and ``store.prepare``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mektup.delivery.recipients import Destination, Recipient, destination_of
from mektup.delivery.trace import ReturnPathRemover
from mektup.store.arrival import Arrival
from mektup.store.faults import Faults
from mektup.store.interface import Account, Incoming, Store
from mektup.store.prepare import prepare_in_turn
from mektup.store.spool import Spool, SpoolMemory
from mektup.terms.delivery import DeliveryRules
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import each_once, objection_to_flag
from mektup.terms.limits import Limits
from mektup.terms.names import INBOX
from mektup.terms.numbers import AccountId, MailboxId, Uid
from mektup.terms.texts import ABOUT, MESSAGE_TOO_BIG


class Reception:
    """Takes the octets of one message, then prepares it for any number of mailboxes. A context manager."""

    __slots__ = ("_limits", "_remover", "_spool", "_trace")

    def __init__(
        self,
        limits: Limits,
        *,
        trace: bytes = b"",
        directory: Path | None = None,
        faults: Faults | None = None,
        budget: SpoolMemory | None = None,
    ) -> None:
        """*trace*: the fields of a Trace, put before the message; its own Return-Path fields are then removed.

        *directory*, *faults* and *budget* are those of ``Spool``.
        """
        self._limits = limits
        # The limit is for what the client sends: the reply to LHLO announced it.
        limit = limits.message_bytes + len(trace)
        self._spool = Spool(limit=limit, directory=directory, faults=faults, budget=budget)
        self._remover = ReturnPathRemover() if trace else None
        self._trace = trace
        """What goes before the next octets of the message."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._spool.close()

    def write(self, octets: bytes) -> None:
        """Takes the next octets of the message. Never raises: ``arrival`` reports what went wrong."""
        if self._remover is not None:
            octets = self._trace + self._remover.take(octets)
            self._trace = b""
        self._spool.write(octets)

    async def arrival(self) -> Arrival:
        """The whole message, every line with CRLF at its end; valid until the end of the ``with`` block.

        Raises Refused(TOOBIG), and FaultRefused where the disk was full or failed.
        """
        if self._remover is not None and (rest := self._trace + self._remover.rest()):
            self._spool.write(rest)
        if self._spool.too_big:
            raise _too_big(self._limits)
        return await prepare_in_turn(self._spool.octets(), self._limits)


def require_size(octets: int, limits: Limits) -> None:
    """Raises Refused(TOOBIG) for a message of *octets*; for a sender that announces the size (RFC 1870 §6.1)."""
    if octets > limits.message_bytes:
        raise _too_big(limits)


def _too_big(limits: Limits) -> Refused:
    return Refused(Code.TOOBIG, MESSAGE_TOO_BIG.of(octets=limits.message_bytes))


def checked_flags(flags: Iterable[str], limits: Limits) -> frozenset[str]:
    """The flags for a message, each once. Raises Refused(CANNOT) that names a flag which is not allowed."""
    given = tuple(flags)
    for flag in given:
        objection = objection_to_flag(flag, limits.keyword_bytes)
        if objection:
            raise Refused(Code.CANNOT, ABOUT.of(place=repr(flag), problem=objection))
    return frozenset(each_once(given))


@dataclass(slots=True)
class Copy:
    """A copy of a message that is on disk."""

    mailbox: str
    """The mailbox's name."""
    uid: Uid
    recipients: list[Recipient]
    """Those who share it; the first one caused it."""


class Copies:
    """The copies of one message for several recipients: one in each mailbox, however many addresses lead there."""

    __slots__ = ("_message", "_rules", "_store", "_uncertain", "made")

    def __init__(self, arrival: Arrival, store: Store, rules: DeliveryRules) -> None:
        self._message = Incoming(arrival)
        self._store = store
        self._rules = rules
        self.made: dict[tuple[AccountId, MailboxId], Copy] = {}
        """The copies that are on disk."""
        self._uncertain: dict[tuple[AccountId, MailboxId], Refused] = {}
        """The refusals of copies that may be there nevertheless."""

    async def deliver(self, recipient: Recipient) -> Copy:
        """Delivers to *recipient*: a new copy, or the one that the mailbox has already.

        Raises Refused(NONEXISTENT, OVERQUOTA, LIMIT, UNAVAILABLE). Where it is not known whether the mailbox has a
        copy, the next recipient gets the same refusal: the mailbox must not get a second one.
        """
        return await self.deliver_to(await destination_of(recipient, self._store, self._rules), recipient)

    async def deliver_to(self, to: Destination, recipient: Recipient) -> Copy:
        """The same for a destination that is found already.

        Where the mailbox was deleted since, the message goes to INBOX if *to* allows that.
        """
        try:
            return await self._put(to.account, to.mailbox, to.name, recipient)
        except Refused as refusal:
            if refusal.code is not Code.NONEXISTENT or not to.or_inbox:
                raise
        return await self._put(to.account, await to.account.target(INBOX), INBOX, recipient)

    async def _put(self, account: Account, mailbox: MailboxId, name: str, recipient: Recipient) -> Copy:
        place = account.id, mailbox
        if place in self._uncertain:
            raise self._uncertain[place]
        sharing = self.made.get(place)
        if sharing is not None:
            sharing.recipients.append(recipient)
            return sharing
        try:
            appended = await account.append(mailbox, [self._message])
        except Refused as refusal:
            if refusal.uncertain:
                self._uncertain[place] = refusal
            raise
        copy = self.made[place] = Copy(name, appended.uids.first, [recipient])
        return copy
