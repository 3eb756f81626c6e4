"""Holds what a server shows of an account against its journal, when no operation can go on any more.

An operation that was not answered is done as a whole or not at all. So every combination of them is tried; if none
leads to what is shown, something was lost, came back, or is half done.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from reliability.journal.account import AccountJournal, after
from reliability.journal.existence import explain_messages
from reliability.journal.flag_changes import flag_faults
from reliability.journal.messages import Fact, Mailbox, Message
from reliability.journal.operations import Create, Delete, Rename, Subscribe, TreeOperation
from reliability.journal.seen import SeenAccount, SeenMailbox

MOST_REASONS = 20
"""How many reasons are given for a fault."""


def compare(journal: AccountJournal, seen: SeenAccount) -> list[str]:
    """The faults of *seen*, one text each. Without a fault the journal takes *seen* as what is stored now."""
    with journal.lock:
        applied, names, faults = _explain_tree(journal, seen)
        if not faults:
            validities = {number: seen.mailboxes[name].validity for name, number in names.items()}
            faults = explain_messages(journal, seen, applied, validities)
        faults += flag_faults(journal, seen)
        faults += [fault for mailbox in seen.mailboxes.values() for fault in _number_faults(journal, mailbox)]
        if not faults:
            adopt(journal, seen)
        return [f"{journal.name}: {fault}" for fault in faults[:MOST_REASONS]]


def _explain_tree(
    journal: AccountJournal, seen: SeenAccount
) -> tuple[frozenset[TreeOperation], dict[str, int], list[str]]:
    """The unanswered operations of the tree that were done, the names that they lead to, and the faults."""
    pending = [each for each in journal.pending if isinstance(each, (Create, Delete, Rename, Subscribe))]
    fewest: list[str] | None = None
    for count in range(len(pending) + 1):
        for applied in itertools.combinations(pending, count):
            names, subscribed = journal.names, journal.subscribed
            for operation in applied:
                names, subscribed = after(names, subscribed, operation, journal.unknown)
            faults = list(_tree_faults(journal, seen, names, subscribed))
            if not faults:
                return frozenset(applied), names, []
            if fewest is None or len(faults) < len(fewest):
                fewest = faults
    unanswered = "".join(f"; not answered: {operation}" for operation in pending)
    return frozenset(), {}, [fault + unanswered for fault in fewest or []]


def _tree_faults(
    journal: AccountJournal, seen: SeenAccount, names: dict[str, int], subscribed: set[str]
) -> Iterator[str]:
    for name in sorted(names.keys() - seen.mailboxes.keys()):
        yield f"mailbox {name} is lost"
    for name in sorted(seen.mailboxes.keys() - names.keys()):
        yield f"mailbox {name} is there, and should not be"
    for name in sorted(names.keys() & seen.mailboxes.keys()):
        validity = seen.mailboxes[name].validity
        if 0 < names[name] != validity:
            yield f"mailbox {name} has UIDVALIDITY {validity}, not {names[name]}"
        if names[name] < 0 and validity <= journal.settled_validity:
            yield f"new mailbox {name} has UIDVALIDITY {validity}, which was used before"
    if difference := subscribed ^ seen.subscribed:
        yield f"subscriptions differ: {sorted(difference)}"


def _number_faults(journal: AccountJournal, seen: SeenMailbox) -> Iterator[str]:
    about = f"mailbox {seen.name} ({seen.validity})"
    known = journal.mailboxes.get(seen.validity, Mailbox(seen.validity))
    if seen.uidnext < known.uidnext:
        yield f"UIDNEXT of {about} went back from {known.uidnext} to {seen.uidnext}"
    if seen.modseq < known.modseq:
        yield f"HIGHESTMODSEQ of {about} went back from {known.modseq} to {seen.modseq}"
    if not seen.is_whole:
        living = known.living()
        if (seen.uidnext, seen.modseq, seen.counters["MESSAGES"]) != (known.uidnext, known.modseq, len(living)):
            yield (
                f"{about} changed by itself: UIDNEXT {known.uidnext}, HIGHESTMODSEQ {known.modseq}, {len(living)} "
                f"messages became {seen.uidnext}, {seen.modseq}, {seen.counters['MESSAGES']}"
            )
        return
    for uid, message in seen.messages.items():
        if uid >= seen.uidnext:
            yield f"UID {uid} of {about} is not below UIDNEXT {seen.uidnext}"
        if message.modseq > seen.modseq:
            yield f"UID {uid} of {about} has modseq {message.modseq}, above HIGHESTMODSEQ {seen.modseq}"
    messages = seen.messages.values()
    counted = {
        "MESSAGES": len(messages),
        "UNSEEN": sum("\\Seen" not in message.flags for message in messages),
        "DELETED": sum("\\Deleted" in message.flags for message in messages),
        "SIZE": sum(message.size for message in messages),
    }
    if seen.counters != counted:
        yield f"counters of {about} are {seen.counters}, and a recount gives {counted}"


def adopt(journal: AccountJournal, seen: SeenAccount) -> None:
    """Takes *seen* as what is stored, also for a new journal."""
    known, journal.mailboxes = journal.mailboxes, {}
    journal.names = {name: mailbox.validity for name, mailbox in seen.mailboxes.items()}
    journal.subscribed = set(seen.subscribed)
    event = journal.event("compared: no fault")
    for there in seen.mailboxes.values():
        mailbox = journal.mailboxes[there.validity] = known.get(there.validity, Mailbox(there.validity))
        if not there.is_whole:
            continue
        mailbox.settled = mailbox.uidnext = there.uidnext
        mailbox.modseq = there.modseq
        mailbox.is_touched = False
        mailbox.early_gone.clear()
        before, mailbox.messages = mailbox.messages, {}
        for uid, shown in there.messages.items():
            digest = shown.digest or before[uid].digest
            mailbox.digests.setdefault(uid, digest)
            fact = Fact(event, shown.modseq, frozenset({shown.flags}))
            mailbox.messages[uid] = Message(digest, shown.date, [fact])
        journal.highest_validity = max(journal.highest_validity, there.validity)
    journal.settle()
