"""The messages of a mailbox and the changes since a modseq: the queries of SELECT, NOOP, IDLE and STATUS.

The UIDs of a mailbox are found without reading its messages: every UID below UIDNEXT that is not in a range of
``expunged`` exists. So the cost of opening depends on the expunged ranges, not on the messages. A process remembers
the result (``Known``), and updates it with the changes since its modseq.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar

from mektup.store.columns import Row
from mektup.store.interface import Changes, Mailbox, Selection, Touched
from mektup.store.memo import Memo
from mektup.store.rules.changes import NONE, UNKNOWN, Known, Since, selection
from mektup.store.rules.counters import SEEN
from mektup.store.rules.flag_index import EVERY, FlagIndex, followed
from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.store.sqlite.tables import changed_runs, mailboxes
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.store.sqlite.tables.uids import Query, read_slice, runs_since, slices
from mektup.terms.numbers import MailboxId, ModSeq, Uid
from mektup.terms.search import Part
from mektup.terms.sets import NumberSet, Uids

F = TypeVar("F", Uids, Sequence[Uid])

_FLAGS = Query("m.flags, m.modseq")
_UNSEEN = Query("", condition=f"AND m.flags & {SEEN} = 0")
_THERE = Query("")


def modseq(cursor: Cursor, mailbox: MailboxId) -> ModSeq:
    """The mailbox's highest modseq. Raises Refused(NONEXISTENT)."""
    found = cursor.execute("SELECT highestmodseq FROM mailboxes WHERE id = ? AND selectable", (mailbox,)).get
    if found is None:
        raise no_such_mailbox()
    return ModSeq(found)


def deleted(cursor: Cursor, mailbox: MailboxId) -> int:
    """How many messages of the mailbox have \\Deleted. Raises Refused(NONEXISTENT)."""
    found = cursor.execute("SELECT deleted FROM mailboxes WHERE id = ? AND selectable", (mailbox,)).get
    if found is None:
        raise no_such_mailbox()
    return int(found)


def _learn(cursor: Cursor, box: Mailbox, known: Known, most: int | None) -> Known | None:
    gone = _expunged(cursor, box.id, known.modseq, most)
    touched = NONE if known is UNKNOWN else changed_runs.since(cursor, box.id, known.modseq, most)
    if gone is None or touched is None:
        return None
    uids = known.uids_now(box.uidnext, gone)
    return Known(box.highestmodseq, box.uidnext, uids, _first_unseen(cursor, box, known, touched))


def _first_unseen(cursor: Cursor, box: Mailbox, known: Known, touched: Uids) -> Uid | None:
    if box.unseen == 0:
        return None
    changed, _ = read_slice(cursor, _UNSEEN, box.id, known.may_be_unseen(touched), 0)
    if changed:
        return Uid(changed[0][0])
    found, _ = read_slice(cursor, _UNSEEN, box.id, NumberSet.span(known.unseen_from, box.uidnext - 1), 0, 1)
    return Uid(found[0][0]) if found else None


def select(cursor: Cursor, name: str, known: Memo[MailboxId, Known], most: int | None = None) -> Selection | None:
    """Opens *name*; uses and updates what is *known*. Raises Refused(NONEXISTENT).

    None where the mailbox is not known and has more than *most* messages, or has more changes than that.
    """
    box, keywords = mailboxes.selectable(cursor, name)
    # before the moment of reading, so that what is known is not newer than what is read
    now = known.get(box.id) or UNKNOWN
    if most is not None and now is UNKNOWN and box.messages > most:
        return None
    if now.modseq != box.highestmodseq:
        with moment(cursor):
            box, keywords = mailboxes.selectable(cursor, name)
            learnt = _learn(cursor, box, now, most)
        if learnt is None:
            return None
        now = learnt
        known.put(box.id, now, now.uids.octets)
    return selection(box, now, keywords)


def claim_recent(change: Change, mailbox: MailboxId) -> Uid | None:
    """Claims all \\Recent messages for the caller; returns the first of their UIDs, None where there are none."""
    first, some = change.cursor.execute("SELECT recent_from, recent FROM mailboxes WHERE id = ?", (mailbox,)).get
    if not some:
        return None
    change.cursor.execute("UPDATE mailboxes SET recent_from = uidnext, recent = 0 WHERE id = ?", (mailbox,))
    return Uid(first)


def changes(
    cursor: Cursor, mailbox: MailboxId, since: Since, most: int | None = None, *, told: int | None = None
) -> Changes | None:
    """The differences from *since*; None for more than *most* rows. Raises Refused(NONEXISTENT).

    ``Changes.flags`` is None for more than *told* messages.
    """
    row = _state(cursor, mailbox)
    if since.is_now(row[0]):
        return Changes(row[0], row[1], NONE, NONE, NONE, (), NONE, tuple(row[2].split()))
    with moment(cursor):
        highest, uidnext, keywords = _state(cursor, mailbox)
        touched = changed_runs.since(cursor, mailbox, since.modseq, most)
        expunged = _expunged(cursor, mailbox, since.expunged, most)
        if touched is None or expunged is None:
            return None
        changed = since.flags_changed(touched, expunged)
        if most is not None and len(changed) > most:
            return None
        flags = None if told is not None and len(changed) > told else _flags(cursor, mailbox, changed)
    return since.told(highest, uidnext, keywords, changed, flags, expunged)


def _flags(cursor: Cursor, mailbox: MailboxId, uids: Uids) -> list[Row]:
    """UID, flag word and modseq of each existing message of *uids*, ascending."""
    return list(chain.from_iterable(slices(cursor, _FLAGS, mailbox, uids)))


def _expunged(cursor: Cursor, mailbox: MailboxId, since: ModSeq, most: int | None) -> Uids | None:
    """The UIDs expunged after *since*; None for more than *most* runs."""
    return runs_since(cursor, "expunged", mailbox, since, most)


def _state(cursor: Cursor, mailbox: MailboxId) -> tuple[ModSeq, Uid, str]:
    row: tuple[ModSeq, Uid, str] | None = cursor.execute(
        "SELECT highestmodseq, uidnext, keywords FROM mailboxes WHERE id = ? AND selectable", (mailbox,)
    ).get
    if row is None:
        raise no_such_mailbox()
    return row


def touched(cursor: Cursor, mailbox: MailboxId, since: ModSeq, most: int | None = None) -> Touched | None:
    """See ``interface.Account.touched``; None for more than *most* runs. Raises Refused(NONEXISTENT)."""
    if modseq(cursor, mailbox) <= since:
        return Touched(NONE, NONE, ())
    with moment(cursor):
        touched = changed_runs.since(cursor, mailbox, since, most)
        expunged = _expunged(cursor, mailbox, since, most)
        if touched is None or expunged is None:
            return None
        changed = touched - expunged
        are_few = most is not None and len(changed) <= most
        return Touched(changed, expunged, _flags(cursor, mailbox, changed) if are_few else None)


def highest_modseq(cursor: Cursor, mailbox: MailboxId, uids: Uids) -> ModSeq:
    """The highest modseq of *uids*; 0 where no message exists."""
    with moment(cursor):
        # from the latest change downwards, so the first match has the highest modseq
        for found, first, last in cursor.execute(
            "SELECT modseq, first, last FROM touched WHERE mailbox = ? ORDER BY modseq DESC", (mailbox,)
        ).fetchall():
            met = uids & NumberSet.span(first, last)
            if met and read_slice(cursor, _THERE, mailbox, met, 0)[0]:
                return ModSeq(found)
    return ModSeq(0)


def with_highest_modseq(
    cursor: Cursor, ask: Callable[[Cursor], F], mailbox: MailboxId, part: Part
) -> tuple[F, ModSeq | None]:
    """The UIDs that *ask* finds, and the highest modseq of *part*; None where it finds nothing. Read at one moment."""
    with moment(cursor):
        found = ask(cursor)
        return found, highest_modseq(cursor, mailbox, part.of(found)) if found else None


def learn_flags(
    cursor: Cursor, mailbox: MailboxId, known: FlagIndex, keyword_sets: SqliteKeywordSets, most: int | None = None
) -> FlagIndex | None:
    """The updated *known*; None where that needs more than *most* messages. Raises Refused(NONEXISTENT)."""
    found = changes(cursor, mailbox, Since(known.modseq, known.modseq, EVERY), most)
    if found is None or found.modseq == known.modseq:
        return None if found is None else known
    keyword_sets.load(cursor)
    return followed(known, found)
