"""Which messages exist: whether the unanswered operations explain each one that is there, and each that is gone."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from reliability.journal.account import DELETED, AccountJournal, shown
from reliability.journal.messages import Mailbox, Message
from reliability.journal.operations import (
    Append,
    Between,
    Date,
    Deliver,
    Expunge,
    Flags,
    Operation,
    Remove,
    Rename,
    Transfer,
    TreeOperation,
)
from reliability.journal.seen import SeenAccount, SeenMailbox

Key = tuple[int, int]
"""UIDVALIDITY and UID."""

MOST_UNANSWERED = 10
"""More unanswered operations in one account would take too long to combine."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A message that an operation has added, or may have added."""

    digest: str
    date: Date
    options: frozenset[Flags]
    mailboxes: frozenset[int]
    is_certain: bool
    why: str


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A message that no answered operation has added. Of one that is gone already, only the digest is known."""

    mailbox: int
    uid: int
    digest: str
    date: str | None
    flags: Flags | None


def explain_messages(
    journal: AccountJournal,
    seen: SeenAccount,
    tree_applied: frozenset[TreeOperation],
    validities: Mapping[int, int],
) -> list[str]:
    """The faults, one text each.

    *tree_applied* are the unanswered operations of the tree that were done. *validities* has the UIDVALIDITY for each
    number that the journal has for a mailbox.
    """
    return _Explanation(journal, seen, tree_applied, validities).faults()


class _Explanation:
    def __init__(
        self,
        journal: AccountJournal,
        seen: SeenAccount,
        tree_applied: frozenset[TreeOperation],
        validities: Mapping[int, int],
    ) -> None:
        self.journal = journal
        self.validities = validities
        self.there: Mapping[int, SeenMailbox] = {each.validity: each for each in seen.mailboxes.values()}
        self.names = {name: each.validity for name, each in seen.mailboxes.items()}
        self.unanswered = [
            each for each in journal.pending if isinstance(each, (Append, Deliver, Transfer, Expunge, Remove))
        ]
        self.unanswered += [
            _as_transfer(each, journal.names["INBOX"])
            for each in tree_applied
            if isinstance(each, Rename) and each.old == "INBOX"
        ]
        self.forced = {each for each in self.unanswered if each not in journal.pending}
        if len(self.unanswered) > MOST_UNANSWERED:
            raise ValueError(f"{len(self.unanswered)} unanswered operations of {journal.name}")

    def faults(self) -> list[str]:
        faults = list(self._lasting_faults())
        if faults:
            return faults
        fewest: list[str] | None = None
        for count in range(len(self.unanswered) + 1):
            for applied in itertools.combinations(self.unanswered, count):
                if not self.forced <= set(applied):
                    continue
                faults = list(self._misfits(applied))
                if not faults:
                    return []
                if fewest is None or len(faults) < len(fewest):
                    fewest = faults
        unanswered = "".join(f"; not answered: {operation}" for operation in self.unanswered)
        return [fault + unanswered for fault in fewest or []]

    # What holds whatever was done

    def _lasting_faults(self) -> Iterator[str]:
        for validity, there in self.there.items():
            known = self.journal.mailboxes.get(validity, Mailbox(validity))
            if not there.is_whole:
                continue
            for uid, message in there.messages.items():
                digest = known.digests.get(uid)
                if digest is not None and message.digest not in (None, digest):
                    yield f"UID {uid} of {there.name} is {message.digest}, and was {digest}: changed, or used twice"
                if uid not in known.messages and uid < known.settled:
                    yield f"UID {uid} of {there.name} came back"
                if (before := known.messages.get(uid)) is not None and not _fits_date(before.date, message.date):
                    yield f"UID {uid} of {there.name} has the date {message.date}, not {before.date}"

    @cached_property
    def newcomers(self) -> list[Newcomer]:
        found = []
        for validity, there in self.there.items():
            known = self.journal.mailboxes.get(validity, Mailbox(validity)).messages
            for uid, message in there.messages.items():
                if uid not in known:
                    digest = message.digest or "unread"
                    found.append(Newcomer(validity, uid, digest, message.date, message.flags))
        for validity, mailbox in self.journal.mailboxes.items():
            found += [
                Newcomer(validity, uid, message.digest, None, None)
                for uid, message in mailbox.messages.items()
                if not message.is_accounted
            ]
        return found

    # Who removes what

    @cached_property
    def _may_be_removed(self) -> dict[Operation, dict[Key, bool]]:
        """By unanswered operation: the messages that it removes, and whether it does so in any order."""
        return {each: dict(self._removals(each)) for each in self.unanswered}

    def _removals(self, operation: Operation) -> Iterator[tuple[Key, bool]]:
        match operation:
            case Transfer(source=validity, uids=uids, is_move=True) | Remove(mailbox=validity, uids=uids):
                yield from (((validity, uid), True) for uid in uids)
            case Expunge(mailbox=validity):
                # its mailbox may have been deleted before, and then nothing is known of it
                mailbox = self.journal.mailbox(validity)
                for uid in mailbox.messages:
                    removed = self.journal.is_expunged_by(operation, mailbox, uid)
                    if removed is not False:
                        yield (validity, uid), removed is True

    @cached_property
    def _removed_by_answered(self) -> set[Key]:
        """The messages that an answered operation may have removed."""
        return {key for each in self.journal.done for key, _ in self._removals(each)}

    def _misfits(self, applied: tuple[Operation, ...]) -> Iterator[str]:
        removers: dict[Key, list[Operation]] = {}
        certain: set[Key] = set()
        for operation in applied:
            for key, is_certain in self._may_be_removed[operation].items():
                removers.setdefault(key, []).append(operation)
                if is_certain:
                    certain.add(key)
        for validity, mailbox in self.journal.mailboxes.items():
            there = self.there.get(validity)
            if there is None or not there.is_whole:
                continue
            for uid, message in mailbox.messages.items():
                yield from self._presence_misfit(there, uid, message, (validity, uid), removers, certain)
        yield from _unmatched(self.newcomers, list(self._slots(applied, removers)))

    def _presence_misfit(
        self,
        there: SeenMailbox,
        uid: int,
        message: Message,
        key: Key,
        removers: dict[Key, list[Operation]],
        certain: set[Key],
    ) -> Iterator[str]:
        if uid in there.messages:
            if message.is_gone:
                yield f"UID {uid} of {there.name} is there, and it was said to be removed"
            elif key in certain:
                yield f"UID {uid} of {there.name} is there: half done"
        elif not message.remover_is_known and key not in removers and key not in self._removed_by_answered:
            yield f"UID {uid} of {there.name} is lost: {message.digest}, {shown(message.base.options)}"

    # Who adds what

    def _slots(self, applied: tuple[Operation, ...], removers: dict[Key, list[Operation]]) -> Iterator[Slot]:
        for claim in self.journal.claims:
            mailboxes = self._resolved(claim.mailboxes)
            if self.names["INBOX"] in mailboxes:
                mailboxes |= {self.names[each] for each in self._inbox_went_to(0) if each in self.names}
            is_certain = claim.is_certain and mailboxes <= self.there.keys()
            yield Slot(claim.digest, claim.date, claim.options, mailboxes, is_certain, "acknowledged without a UID")
        moved: dict[Key, list[Transfer]] = {}
        for operation in applied:
            match operation:
                case Append(messages=messages):
                    for sent in messages:
                        yield self._slot(operation, sent.digest, sent.date, frozenset({sent.flags}), operation.target)
                case Deliver(message=sent):
                    yield self._slot(operation, sent.digest, sent.date, frozenset({sent.flags}), "INBOX")
                case Transfer(is_move=True):
                    for uid in operation.uids:
                        moved.setdefault((operation.source, uid), []).append(operation)
                case Transfer():
                    yield from self._copies(operation, removers)
        for key, movers in moved.items():
            yield from self._moved(key, movers, removers)

    def _copies(self, operation: Transfer, removers: dict[Key, list[Operation]]) -> Iterator[Slot]:
        for uid in operation.uids:
            message = self.journal.mailboxes[operation.source].messages[uid]
            key = operation.source, uid
            stays = not message.is_gone and key not in removers and operation.source in self.there
            options = self._options(key, operation.began)
            yield self._slot(operation, message.digest, message.date, options, operation.target, is_certain=stays)

    def _moved(self, key: Key, movers: list[Transfer], removers: dict[Key, list[Operation]]) -> Iterator[Slot]:
        message = self.journal.mailboxes[key[0]].messages[key[1]]
        if message.remover_is_known:
            return
        only_moved = len(movers) == len(removers[key]) and key not in self._removed_by_answered and key[0] in self.there
        options = self._options(key, min(each.began for each in movers))
        slots = [
            self._slot(each, message.digest, message.date, options, each.target, is_certain=only_moved)
            for each in movers
        ]
        mailboxes = frozenset().union(*(slot.mailboxes for slot in slots))
        is_certain = all(slot.is_certain for slot in slots)
        yield Slot(message.digest, message.date, options, mailboxes, is_certain, slots[0].why)

    def _options(self, key: Key, since: int) -> frozenset[Flags]:
        mailbox = self.journal.mailboxes[key[0]]
        return mailbox.messages[key[1]].options_since(since, self.journal.stores_of(mailbox, key[1], since))

    def _slot(
        self,
        operation: Operation,
        digest: str,
        date: Date,
        options: frozenset[Flags],
        target: str,
        *,
        is_certain: bool = True,
    ) -> Slot:
        mailboxes = self._targets(target, operation.began)
        there = mailboxes & self.there.keys()
        expunged = any(DELETED in flags for flags in options) and self._is_expunged_since(mailboxes, operation.began)
        is_certain = is_certain and there == mailboxes and bool(there) and not expunged
        if isinstance(date, Between):
            date = Between(date.first, time.time())
        return Slot(digest, date, options, mailboxes, is_certain, f"added by {type(operation).__name__}")

    def _targets(self, name: str, since: int) -> frozenset[int]:
        """The mailboxes that an operation since then may have found under *name*."""
        found = self.journal.bound_since(name, since)
        if name in self.names:
            found.add(self.names[name])
        for each in self.journal.pending:
            # the mailbox may have got the name by a RENAME that was done and not answered
            if isinstance(each, Rename) and f"{name}/".startswith(f"{each.new}/"):
                found |= self.journal.bound_since(each.old + name[len(each.new) :], since)
        if name == "INBOX":
            found |= {self.names[each] for each in self._inbox_went_to(since) if each in self.names}
        return self._resolved(found)

    def _resolved(self, mailboxes: Iterable[int]) -> frozenset[int]:
        return frozenset(self.validities.get(each, each) for each in mailboxes)

    def _inbox_went_to(self, since: int) -> list[str]:
        """The mailboxes to which a RENAME of INBOX since then may have moved its messages."""
        return [
            each.new
            for each in (*self.journal.pending, *self.journal.done)
            if isinstance(each, Rename) and each.old == "INBOX" and (each.ended is None or each.ended > since)
        ]

    def _is_expunged_since(self, mailboxes: frozenset[int], began: int) -> bool:
        return any(
            isinstance(each, Expunge) and each.mailbox in mailboxes and (each.ended is None or each.ended > began)
            for each in (*self.journal.pending, *self.journal.done)
        )


def _as_transfer(operation: Rename, inbox: int) -> Transfer:
    return Transfer(
        client=operation.client,
        began=operation.began,
        source=inbox,
        uids=frozenset(operation.inbox),
        target=operation.new,
        is_move=True,
    )


def _unmatched(newcomers: list[Newcomer], slots: list[Slot]) -> Iterator[str]:
    """What is left after each newcomer got a slot."""
    digests = {each.digest for each in newcomers} | {each.digest for each in slots}
    for digest in sorted(digests):
        here = [each for each in newcomers if each.digest == digest]
        wanted = [each for each in slots if each.digest == digest]
        if not _match(here, wanted):
            came = [(each.mailbox, each.uid, each.date, shown([each.flags or frozenset()])) for each in here]
            places = [
                (sorted(each.mailboxes), each.date, shown(each.options), each.why, each.is_certain) for each in wanted
            ]
            yield f"message {digest} is at {came}, and should be at {places}"


def _match(newcomers: list[Newcomer], slots: list[Slot]) -> bool:
    if not newcomers:
        return not any(slot.is_certain for slot in slots)
    first, rest = newcomers[0], newcomers[1:]
    return any(
        _match(rest, slots[:place] + slots[place + 1 :]) for place, slot in enumerate(slots) if _fits(first, slot)
    )


def _fits(newcomer: Newcomer, slot: Slot) -> bool:
    if newcomer.mailbox not in slot.mailboxes:
        return False
    if newcomer.date is None:
        return True
    return _fits_date(slot.date, newcomer.date) and newcomer.flags in slot.options


def _fits_date(known: Date, shown_date: str) -> bool:
    if isinstance(known, str):
        return known == shown_date
    seconds = datetime.strptime(shown_date.strip(), "%d-%b-%Y %H:%M:%S %z").timestamp()
    return int(known.first) <= seconds <= known.last
