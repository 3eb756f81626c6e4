"""Whether the flags of each message follow from what was told, and from the STOREs that were not answered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from reliability.journal.account import AccountJournal, shown
from reliability.journal.messages import Fact, Mailbox, Message, closure
from reliability.journal.operations import Store
from reliability.journal.seen import SeenAccount, SeenMailbox, SeenMessage


def flag_faults(journal: AccountJournal, seen: SeenAccount) -> list[str]:
    """The faults, one text each."""
    faults: list[str] = []
    for there in seen.mailboxes.values():
        known = journal.mailboxes.get(there.validity)
        if known is None or not there.is_whole:
            continue
        for uid, message in there.messages.items():
            if (before := known.messages.get(uid)) is not None:
                stores = [each for each in journal.stores_of(known, uid, 0) if each.ended is None]
                faults += [f"UID {uid} of {there.name} {each}" for each in _faults_of(before, message, stores)]
                faults += [f"UID {uid} of {there.name} {each}" for each in _broken_chain(journal, known, uid)]
        faults += _half_done(journal, known, there)
    return faults


def _faults_of(known: Message, shown_now: SeenMessage, unanswered: list[Store]) -> Iterator[str]:
    base = known.base
    if shown_now.modseq < base.modseq:
        yield f"has modseq {shown_now.modseq}, and had {base.modseq}"
    elif not _follows(base, shown_now, unanswered):
        yield (
            f"has flags {shown([shown_now.flags])} at modseq {shown_now.modseq}, and had {shown(base.options)} at "
            f"{base.modseq}; not answered: {unanswered}"
        )


def _follows(base: Fact, shown_now: SeenMessage, stores: list[Store]) -> bool:
    if base.modseq == shown_now.modseq:
        return shown_now.flags in base.options
    if base.modseq and not stores:
        return False
    return shown_now.flags in closure(base.options, stores)


def _broken_chain(journal: AccountJournal, mailbox: Mailbox, uid: int) -> Iterator[str]:
    """Facts that do not follow from the ones before them."""
    stores = journal.stores_of(mailbox, uid, 0)
    facts = sorted(mailbox.messages[uid].facts, key=lambda fact: fact.modseq)
    for before, later in itertools.pairwise(facts):
        if not later.options & closure(before.options, stores):
            yield (
                f"was told with {shown(before.options)} at modseq {before.modseq}, then with {shown(later.options)} at "
                f"{later.modseq}, and nobody asked for that"
            )


def _half_done(journal: AccountJournal, mailbox: Mailbox, there: SeenMailbox) -> Iterator[str]:
    """Unanswered STOREs that have changed some of their messages, and others not."""
    for store in journal.pending:
        if not isinstance(store, Store) or store.is_conditional or store.mailbox != mailbox.validity:
            continue
        done, undone = set(), set()
        for uid in store.uids:
            known, now = mailbox.messages.get(uid), there.messages.get(uid)
            if known is None or now is None:
                continue
            others = [each for each in journal.stores_of(mailbox, uid, 0) if each.ended is None and each is not store]
            if not _follows(known.base, now, others):
                done.add(uid)
            elif known.base.modseq == now.modseq and known.base.event <= store.began:
                if store.applied_to(now.flags) != now.flags:
                    undone.add(uid)
        if done and undone:
            yield f"{store} is half done: {sorted(done)} of {there.name} have changed, and {sorted(undone)} have not"
