"""The journal of one account: operations in flight, and what the server has said."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reliability.journal.messages import Contradiction, Fact, Mailbox, Message, closure
from reliability.journal.operations import (
    Append,
    Create,
    Date,
    Delete,
    Deliver,
    Expunge,
    Flags,
    Operation,
    Remove,
    Rename,
    Store,
    Subscribe,
    Transfer,
    TreeOperation,
)

KEPT_LINES = 1000
"""How many of its last lines a journal keeps, to be printed with a fault."""

DELETED = "\\Deleted"


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that was acknowledged without its UID: it must be in one of *mailboxes*."""

    digest: str
    date: Date
    options: frozenset[Flags]
    mailboxes: frozenset[int]
    is_certain: bool = True
    """False if it may have been in another mailbox, which was deleted."""


class AccountJournal:
    """What is known of an account. Its methods may be called by several threads; ``lock`` is held meanwhile."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.RLock()
        self.mailboxes: dict[int, Mailbox] = {}
        """By UIDVALIDITY; also those deleted since the last comparison."""
        self.names: dict[str, int] = {}
        """The UIDVALIDITY of each mailbox. As long as that is not known, a number below 0 stands for it."""
        self.subscribed: set[str] = set()
        self.pending: list[Operation] = []
        """Begun and not answered."""
        self.done: list[Operation] = []
        """Answered OK since the last comparison."""
        self.claims: list[Claim] = []
        self.highest_validity = 0
        self.settled_validity = 0
        """The highest UIDVALIDITY at the last comparison; a new mailbox has a higher one."""
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.acknowledged = 0
        self._bound: list[tuple[int, str, int]] = []
        self._event = 0
        self.unknown = itertools.count(-1, -1)
        """Numbers for mailboxes whose UIDVALIDITY is not known."""

    # The life of an operation

    def begin(self, operation: Operation) -> None:
        """Notes that *operation* is about to be sent."""
        with self.lock:
            operation.began = self.event(f"begins {operation}")
            self.pending.append(operation)
            for validity in self._touched_by(operation):
                if validity in self.mailboxes:
                    self.mailboxes[validity].is_touched = True

    def refuse(self, operation: Operation, why: str) -> None:
        """Notes that the server refused *operation*, so it changed nothing."""
        with self.lock:
            self._end(operation, f"refused: {why}")

    def _finish(self, operation: Operation, answer: str) -> int:
        self._end(operation, answer)
        self.done.append(operation)
        self.acknowledged += 1
        return self._event

    def _end(self, operation: Operation, answer: str) -> None:
        self.pending.remove(operation)
        operation.ended = self.event(
            f"{type(operation).__name__} of {operation.client}, event {operation.began}: {answer}"
        )

    def event(self, line: str) -> int:
        """Adds a line; returns the number of the event."""
        self._event += 1
        self.lines.append(f"{self._event} {self.name} {threading.current_thread().name}: {line[:1000]}")
        return self._event

    # Answers

    def appended(self, operation: Append, validity: int, uids: Sequence[int]) -> None:
        """APPENDUID."""
        with self.lock:
            event = self._finish(operation, f"APPENDUID {validity} {uids}")
            if len(uids) != len(operation.messages):
                raise Contradiction(f"{len(uids)} UIDs for {len(operation.messages)} messages")
            for uid, sent in zip(uids, operation.messages, strict=True):
                self._arrived(validity, uid, sent.digest, sent.date, frozenset({sent.flags}), event)

    def transferred(self, operation: Transfer, validity: int, pairs: Mapping[int, int]) -> None:
        """COPYUID: the UID of each copy in the mailbox *validity*, by the UID of its original."""
        with self.lock:
            event = self._finish(operation, f"COPYUID {validity} {pairs}")
            source = self.mailboxes[operation.source]
            if surplus := pairs.keys() - operation.uids:
                raise Contradiction(f"COPYUID names {surplus}, which were not asked for")
            for uid, copy in pairs.items():
                original = source.messages[uid]
                options = original.options_since(operation.began, self.stores_of(source, uid, operation.began))
                self._arrived(validity, copy, original.digest, original.date, options, event)
                if operation.is_move:
                    if original.remover_is_known:
                        raise Contradiction(f"UID {uid} of mailbox {operation.source} was moved or removed twice")
                    original.is_gone = original.remover_is_known = True

    def delivered(self, operation: Deliver) -> None:
        """250 of LMTP for this recipient."""
        with self.lock:
            event = self._finish(operation, "250")
            sent = operation.message
            mailboxes = {self.names["INBOX"]}
            for each in self.done:
                if isinstance(each, Rename) and each.old == "INBOX" and (each.ended or event) > operation.began:
                    mailboxes |= self.bound_since(each.new, each.ended or event)
            claim = Claim(sent.digest, sent.date, frozenset({sent.flags}), frozenset(mailboxes))
            if not self._settle_claim_with_found(claim):
                self.claims.append(claim)

    def stored(self, operation: Store, failed: Iterable[int] = ()) -> None:
        """OK for STORE; *failed* are the UIDs of MODIFIED. Its FETCH lines were noted before with ``told``."""
        with self.lock:
            self._finish(operation, f"OK, failed {list(failed)}")
            mailbox = self.mailbox(operation.mailbox)
            for uid in operation.uids - set(failed):
                message = mailbox.messages.get(uid)
                if message is None or message.is_gone or self._may_be_removed(mailbox, uid, operation.began):
                    continue
                others = self.stores_of(mailbox, uid, operation.began)
                before = message.options_since(operation.began, others)
                expected = closure({operation.applied_to(flags) for flags in before}, set(others) - {operation})
                if not message.base.options & expected:
                    raise Contradiction(
                        f"STORE was acknowledged, but UID {uid} of mailbox {operation.mailbox} has "
                        f"{shown(message.base.options)}, not {shown(expected)}"
                    )

    def removed(self, operation: Operation, mailbox: int, uids: Iterable[int]) -> None:
        """OK for an EXPUNGE or a QUIT; *uids* are those that it certainly removed."""
        with self.lock:
            self._finish(operation, f"OK, removed {sorted(uids)}")
            for uid in uids:
                message = self.mailboxes[mailbox].messages[uid]
                message.is_gone = True

    def must_be_expunged(self, operation: Expunge) -> set[int]:
        """The messages that had the flag for deletion all the time since *operation* began."""
        with self.lock:
            mailbox = self.mailbox(operation.mailbox)
            return {uid for uid in mailbox.messages if self.is_expunged_by(operation, mailbox, uid) is True}

    def is_expunged_by(self, operation: Expunge, mailbox: Mailbox, uid: int) -> bool | None:
        """Whether *operation*, if it is done, removes the message; None if that depends on the order."""
        if operation.mailbox != mailbox.validity or (operation.uids is not None and uid not in operation.uids):
            return False
        message = mailbox.messages[uid]
        options = message.options_since(operation.began, self.stores_of(mailbox, uid, operation.began))
        marked = [DELETED in flags for flags in options]
        if all(marked) and message.facts[0].event <= operation.began:
            return True
        return None if any(marked) else False

    def changed_tree(self, operation: TreeOperation, validity: int = 0) -> None:
        """OK for a change of mailboxes or subscriptions; *validity* is that of a created mailbox, if it is known."""
        with self.lock:
            event = self._finish(operation, "OK")
            if isinstance(operation, Delete):
                doomed = self.names[operation.name]
                self.claims = [
                    replace(claim, mailboxes=claim.mailboxes - {doomed}, is_certain=False)
                    if doomed in claim.mailboxes
                    else claim
                    for claim in self.claims
                ]
                if doomed in self.mailboxes:
                    self.mailboxes[doomed].is_deleted = True
            self.names, self.subscribed = after(self.names, self.subscribed, operation, self.unknown)
            if isinstance(operation, Rename) and operation.old == "INBOX":
                self._inbox_was_renamed(operation)
            self._bound += [(event, name, found) for name, found in self.names.items()]
            if validity and isinstance(operation, Create):
                self.bind(operation.name, validity)

    def _inbox_was_renamed(self, operation: Rename) -> None:
        inbox, new = self.mailboxes[self.names["INBOX"]], self.names[operation.new]
        self.claims = [
            replace(claim, mailboxes=claim.mailboxes | {new}) if inbox.validity in claim.mailboxes else claim
            for claim in self.claims
        ]
        for uid in operation.inbox:
            message = inbox.messages[uid]
            if not message.remover_is_known:
                options = message.options_since(operation.began, self.stores_of(inbox, uid, operation.began))
                self.claims.append(Claim(message.digest, message.date, options, frozenset({new})))
                message.is_gone = message.remover_is_known = True

    # What the server says besides

    def bind(self, name: str, validity: int) -> None:
        """The UIDVALIDITY of a mailbox, told by a command that names it."""
        with self.lock:
            self.mailbox(validity)
            unknown = self.names.get(name, 0)
            if unknown < 0 and validity not in self.names.values():
                self.event(f"{name} has UIDVALIDITY {validity}")
                self.names[name] = validity
                self._bound = [
                    (event, each, validity if mailbox == unknown else mailbox) for event, each, mailbox in self._bound
                ]
                self.claims = [
                    replace(claim, mailboxes=claim.mailboxes - {unknown} | {validity})
                    if unknown in claim.mailboxes
                    else claim
                    for claim in self.claims
                ]

    def mailbox(self, validity: int) -> Mailbox:
        """The mailbox with that UIDVALIDITY."""
        with self.lock:
            self.highest_validity = max(self.highest_validity, validity)
            return self.mailboxes.setdefault(validity, Mailbox(validity))

    def numbers(self, validity: int, *, uidnext: int = 0, modseq: int = 0) -> None:
        """UIDNEXT and HIGHESTMODSEQ, as some answer told them."""
        with self.lock:
            mailbox = self.mailbox(validity)
            mailbox.uidnext = max(mailbox.uidnext, uidnext)
            mailbox.modseq = max(mailbox.modseq, modseq)

    def told(self, validity: int, uid: int, modseq: int, flags: Flags | None, by: Store | None = None) -> None:
        """A FETCH line with a modseq. Without *flags* it answers *by*, a STORE with .SILENT."""
        with self.lock:
            mailbox = self.mailbox(validity)
            mailbox.modseq = max(mailbox.modseq, modseq)
            message = mailbox.messages.get(uid)
            if message is None:
                return
            if flags is not None:
                options = frozenset({flags})
            elif by is not None:
                others = self.stores_of(mailbox, uid, by.began)
                before = message.options_since(by.began, others)
                options = closure({by.applied_to(each) for each in before}, set(others) - {by})
            else:
                return
            event = self.event(f"told UID {uid} of {validity}: modseq {modseq}, {shown(options)}")
            for fact in message.facts:
                if fact.modseq == modseq:
                    if not fact.options & options:
                        raise Contradiction(
                            f"UID {uid} of mailbox {validity} at modseq {modseq} has {shown(options)}, and had "
                            f"{shown(fact.options)}"
                        )
                    fact.options &= options
                    return
            message.facts.append(Fact(event, modseq, options))

    def vanished(self, validity: int, uids: Iterable[int]) -> None:
        """VANISHED: these were removed."""
        with self.lock:
            mailbox = self.mailbox(validity)
            gone = list(uids)
            self.event(f"told that {gone} of {validity} vanished")
            for uid in gone:
                if uid in mailbox.messages:
                    mailbox.messages[uid].is_gone = True
                elif uid >= mailbox.settled:
                    mailbox.early_gone.add(uid)

    def found(self, validity: int, uid: int, digest: str, date: str, modseq: int, flags: Flags) -> None:
        """A client read a message of which only the UID was known."""
        with self.lock:
            event = self.event(f"found UID {uid} of {validity}: {digest}, modseq {modseq}, {sorted(flags)}")
            mailbox = self.mailbox(validity)
            mailbox.use(uid, digest)
            if uid in mailbox.messages:
                self.told(validity, uid, modseq, flags)
                return
            if uid < mailbox.settled:
                raise Contradiction(f"UID {uid} of mailbox {validity} came back")
            message = Message(digest, date, [Fact(event, modseq, frozenset({flags}))], is_accounted=False)
            message.is_gone = uid in mailbox.early_gone
            mailbox.messages[uid] = message
            for claim in self.claims:
                if claim.digest == digest and any(each == validity or each < 0 for each in claim.mailboxes):
                    self.claims.remove(claim)
                    message.is_accounted = True
                    return

    # Inner

    def stores_of(self, mailbox: Mailbox, uid: int, since: int) -> list[Store]:
        """The STOREs of the message that were in flight at any time since the event *since*."""
        return [
            each
            for each in (*self.pending, *self.done)
            if isinstance(each, Store)
            and each.mailbox == mailbox.validity
            and uid in each.uids
            and (each.ended is None or each.ended > since)
        ]

    def _may_be_removed(self, mailbox: Mailbox, uid: int, since: int) -> bool:
        """Whether an operation that removes the message was in flight at any time since the event *since*."""
        for each in (*self.pending, *self.done):
            if each.ended is not None and each.ended <= since:
                continue
            match each:
                case Transfer(source=validity, uids=uids, is_move=True) | Remove(mailbox=validity, uids=uids):
                    if validity == mailbox.validity and uid in uids:
                        return True
                case Expunge():
                    if self.is_expunged_by(each, mailbox, uid) is not False:
                        return True
                case Delete(name=name) | Rename(old=name):
                    if mailbox.is_deleted or self.names.get(name) == mailbox.validity:
                        return True
        return False

    def bound_since(self, name: str, event: int) -> set[int]:
        """The mailboxes that had *name* at any time since *event*, as far as answers tell."""
        found: dict[str, int] = {}
        mailboxes = set()
        for at, each, validity in self._bound:
            if each == name:
                if at > event:
                    mailboxes.add(validity)
                else:
                    found[name] = validity
        return mailboxes | set(found.values())

    def settle(self) -> None:
        """Forgets what was only needed until a comparison."""
        with self.lock:
            self.pending.clear()
            self.done.clear()
            self.claims.clear()
            self.settled_validity = self.highest_validity
            self._event += 1
            self._bound = [(self._event, name, validity) for name, validity in self.names.items()]

    def _arrived(self, validity: int, uid: int, digest: str, date: Date, options: frozenset[Flags], event: int) -> None:
        mailbox = self.mailbox(validity)
        mailbox.use(uid, digest)
        mailbox.uidnext = max(mailbox.uidnext, uid + 1)
        mailbox.is_touched = True
        if (message := mailbox.messages.get(uid)) is None:
            if uid < mailbox.settled:
                raise Contradiction(f"UID {uid} of mailbox {validity} was given again")
            mailbox.messages[uid] = Message(digest, date, [Fact(event, 0, options)], is_gone=uid in mailbox.early_gone)
        else:
            message.is_accounted = True

    def _settle_claim_with_found(self, claim: Claim) -> bool:
        for validity in claim.mailboxes:
            mailbox = self.mailboxes.get(validity)
            for message in mailbox.messages.values() if mailbox else ():
                if not message.is_accounted and message.digest == claim.digest:
                    message.is_accounted = True
                    return True
        return False

    def _touched_by(self, operation: Operation) -> set[int]:
        match operation:
            case Append(target=target):
                return {self.names.get(target, 0)}
            case Deliver():
                return {self.names["INBOX"]}
            case Transfer(source=source, target=target):
                return {source, self.names.get(target, 0)}
            case Rename(old="INBOX"):
                return {self.names["INBOX"]}
            case _:
                return {mailbox} if (mailbox := getattr(operation, "mailbox", 0)) else set()


def after(
    names: Mapping[str, int], subscribed: Iterable[str], operation: TreeOperation, unknown: Iterator[int]
) -> tuple[dict[str, int], set[str]]:
    """The mailboxes and subscriptions when *operation* was done. A new mailbox takes a number from *unknown*."""
    names, subscribed = dict(names), set(subscribed)
    match operation:
        case Create(name=name):
            _create(names, name, unknown)
        case Delete(name=name):
            del names[name]
        case Rename(old="INBOX", new=new):
            _create(names, new, unknown)
        case Rename(old=old, new=new):
            _create(names, new.rpartition("/")[0], unknown)
            names = {
                new + name[len(old) :] if f"{name}/".startswith(f"{old}/") else name: names[name] for name in names
            }
        case Subscribe(name=name, is_wanted=True):
            subscribed.add(name)
        case Subscribe(name=name):
            subscribed.discard(name)
    return names, subscribed


def _create(names: dict[str, int], name: str, unknown: Iterator[int]) -> None:
    levels = name.split("/") if name else []
    for depth in range(1, len(levels) + 1):
        names.setdefault("/".join(levels[:depth]), next(unknown))


def shown(options: Iterable[Flags]) -> str:
    """Flags as text."""
    return " or ".join(sorted("(" + " ".join(sorted(flags)) + ")" for flags in options)) or "nothing"
