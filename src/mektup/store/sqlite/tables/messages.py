"""Writes messages: append, STORE, COPY, MOVE and EXPUNGE, each with the counters of its mailbox.

Each runs in one transaction, reads its messages in slices so that memory stays bounded, and takes a modseq only when it
knows that something changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby

from mektup.store.arrival import internaldate
from mektup.store.columns import Row
from mektup.store.interface import Appended, Copied, Expunged, FlagOrder, FlagsStored, Incoming
from mektup.store.rules.counters import DELETED, SEEN
from mektup.store.rules.flag_changes import (
    FEW_SHOWN,
    NONE,
    changed_since,
    changes_flag,
    gained,
    keywords_given,
    store_in_turn,
    uids_of,
)
from mektup.store.rules.flag_history import told_with_differences
from mektup.store.rules.keyword_sets import KEYWORD_SHIFT, SYSTEM_MASK, Flags, Names
from mektup.store.rules.mailbox_names import no_such_target
from mektup.store.rules.refusals import message_is_gone, require_not_too_big
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import content, header_fields, mailboxes, metadata, past, retained
from mektup.store.sqlite.tables.boxes import OpenBox, close_box, open_box
from mektup.store.sqlite.tables.chunk_compression import Packing
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.store.sqlite.tables.uids import Query, slices
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.names import INBOX
from mektup.terms.numbers import MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Run, Uids

_FLAGS = Query("m.flags, m.modseq")
_COPIED = Query("m.flags, m.size, m.content, m.arrived, m.zone, m.internaldate")
_REMOVED = Query("m.flags, m.size, m.content")
_EXPUNGED = Query("m.flags, m.size, m.content", condition=f"AND m.flags & {DELETED} <> 0")
_INSERT = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def _runs(ascending: list[int]) -> tuple[Run, ...]:
    return NumberSet.of_sorted(ascending).runs


def _keywords_of(words: Iterable[int], keyword_sets: SqliteKeywordSets) -> list[str]:
    return [name for word in sorted(words) for name in keyword_sets.keywords(word)]


def _open_target(cursor: Cursor, name: str) -> OpenBox:
    target = mailboxes.find(cursor, name)
    if target is None or not target.selectable:
        raise no_such_target()
    return open_box(cursor, target.id)


# Append


@dataclass(frozen=True, slots=True)
class Adding:
    """Adds new messages to the mailbox *box* during a change."""

    change: Change
    box: OpenBox
    keyword_sets: SqliteKeywordSets
    packing: Packing
    limits: Limits

    def add(self, uid: int, number: int, message: Incoming, *, arrived: int, saved: int) -> None:
        """Stores *message* as *uid*, and its content as *number*; *arrived* is for one without internal date.

        Raises Refused(TOOBIG, LIMIT).
        """
        arrival, box = message.arrival, self.box
        require_not_too_big(arrival.size, self.limits)
        flags = Flags.of(message.flags)
        word = self.keyword_sets.word(self.change, flags)
        if flags.keywords:
            box.use_keywords(self.keyword_sets.keywords(word), self.limits)
        cursor, modseq = self.change.cursor, self.change.modseq
        content.add(cursor, number, arrival, self.packing)
        date = arrived if message.internaldate is None else message.internaldate
        shown = internaldate(date, message.zone)
        row = box.id, uid, word, modseq, number, arrival.size, date, message.zone, shown, saved
        cursor.execute(_INSERT, row)
        box.count(word, arrival.size, uid, 1)


def append(
    change: Change,
    mailbox: MailboxId,
    messages: Sequence[Incoming],
    keyword_sets: SqliteKeywordSets,
    packing: Packing,
    limits: Limits,
) -> Appended:
    """See ``interface.Account.append``."""
    change.keeps_names = True
    box = open_box(change.cursor, mailbox)
    now = change.moment
    uids = box.name_uids(len(messages))
    numbers = change.name_contents(len(messages)) if messages else ()
    adding = Adding(change, box, keyword_sets, packing, limits)
    for uid, number, message in zip(uids, numbers, messages, strict=True):
        adding.add(uid, number, message, arrived=now, saved=now)
    arrived_as: Uids = NumberSet.span(uids.start, uids.stop - 1)
    if messages:
        close_box(change, box, [(change.modseq, arrived_as, 0)])
    return Appended(box.uidvalidity, arrived_as, change.modseq if messages else box.highestmodseq)


def replace_message(
    change: Change,
    mailbox: MailboxId,
    uid: Uid,
    target: MailboxId,
    message: Incoming,
    keyword_sets: SqliteKeywordSets,
    packing: Packing,
    limits: Limits,
) -> Appended:
    """See ``interface.Account.replace``. The old message goes first, so that only what is added in all counts."""
    if not remove(change, mailbox, NumberSet.span(uid, uid)).uids:
        raise message_is_gone()
    return append(change, target, [message], keyword_sets, packing, limits)


# Flags

LONG_RUN = 64
"""A run of at least so many UIDs is queried as a range, which is faster than a list."""

LISTED_UIDS = 5000
"""The most UIDs in the list of a statement."""

CASES = 100
"""The most flag words that a statement maps to other ones."""


def store_flags_in_turn(
    change: Change, mailbox: MailboxId, orders: Sequence[FlagOrder], keyword_sets: SqliteKeywordSets, limits: Limits
) -> list[FlagsStored]:
    """See ``interface.Account.store_flags_in_turn``. For few messages: all are in memory; each is written once."""
    box = open_box(change.cursor, mailbox)
    words: dict[Uid, int] = {}
    modseqs: dict[Uid, ModSeq] = {}
    for rows in slices(
        change.cursor, _FLAGS, mailbox, NumberSet(chain.from_iterable(order.uids.runs for order in orders))
    ):
        for uid, word, modseq in rows:
            words[uid], modseqs[uid] = word, modseq
    before = words.copy()
    stored, altered = store_in_turn(change, box, words, modseqs, orders, keyword_sets, limits, change.take)
    if altered:
        change.cursor.executemany(
            "UPDATE messages SET flags = ?, modseq = ? WHERE mailbox = ? AND uid = ?",
            [(words[uid], modseqs[uid], mailbox, uid) for uid in altered],
        )
        touched, left = told_with_differences(stored, before, words, modseqs)
        past.note_left_sets(change, left)
        close_box(change, box, touched)
    return stored


def mend_flags(change: Change) -> int:
    """Removes the keywords of messages whose flag word names a lost set; returns the number of these messages.

    The numbers of lost sets are not used again, because sessions may remember them.
    """
    lost = f"flags > {SYSTEM_MASK} AND flags >> {KEYWORD_SHIFT} NOT IN (SELECT id FROM keyword_sets)"
    found = change.cursor.execute(f"SELECT mailbox, uid, flags FROM messages WHERE {lost} ORDER BY mailbox, uid")
    rows = found.fetchall()
    # what is kept is only shown, and nobody is told of it
    change.cursor.execute(f"UPDATE retained SET flags = flags & {SYSTEM_MASK} WHERE {lost}")
    if not rows:
        return 0
    change.cursor.execute(
        f"UPDATE messages SET flags = flags & {SYSTEM_MASK}, modseq = ? WHERE {lost}", (change.modseq,)
    )
    change.cursor.execute(
        "INSERT INTO keyword_sets VALUES (?, '') ON CONFLICT (names) DO UPDATE SET id = max(id, excluded.id)",
        (max(word for _, _, word in rows) >> KEYWORD_SHIFT,),
    )
    for mailbox, some in groupby(rows, lambda row: MailboxId(row[0])):
        by_difference: dict[int, list[int]] = {}
        for _, uid, word in some:
            by_difference.setdefault(word ^ (word & SYSTEM_MASK), []).append(uid)
        touched = [(change.modseq, uids_of(uids), differing) for differing, uids in by_difference.items()]
        close_box(change, open_box(change.cursor, mailbox), touched)
    return len(rows)


def store_flags(
    change: Change,
    mailbox: MailboxId,
    order: FlagOrder,
    unchanged_since: ModSeq | None,
    keyword_sets: SqliteKeywordSets,
    limits: Limits,
) -> FlagsStored:
    """See ``interface.Account.store_flags``."""
    failed = NONE
    if unchanged_since is not None:
        failed = changed_since(chain.from_iterable(slices(change.cursor, _FLAGS, mailbox, order.uids)), unchanged_since)
        order = replace(order, uids=order.uids - failed)
    if len(order.uids) <= FEW_SHOWN:
        (stored,) = store_flags_in_turn(change, mailbox, [order], keyword_sets, limits)
    else:
        stored = _store_many(change, mailbox, order, keyword_sets, limits)
    return replace(stored, failed=failed) if failed else stored


@dataclass(frozen=True, slots=True)
class _Some:
    """Some messages of a mailbox, with an SQL condition that selects them."""

    uids: Uids
    where: str
    parameters: tuple[int | str, ...]

    def count(self, cursor: Cursor, flag: int) -> tuple[int, int]:
        """The number of messages with the system *flag*, and the number of all."""
        having, there = cursor.execute(
            f"SELECT sum(flags & {flag} <> 0), count(*) FROM messages WHERE {self.where}", self.parameters
        ).get
        return having or 0, there


def _pieces(mailbox: MailboxId, uids: Uids) -> Iterator[_Some]:
    short: list[Run] = []
    for first, last in uids.runs:
        if last - first + 1 < LONG_RUN:
            short.append((first, last))
        else:
            run: Uids = NumberSet.span(first, last)
            yield _Some(run, "mailbox = ? AND uid BETWEEN ? AND ?", (mailbox, first, last))
    listed: Uids = NumberSet(short)
    for some in listed.slices(LISTED_UIDS):
        numbers = f"[{','.join(map(str, some))}]"
        yield _Some(some, "mailbox = ? AND uid IN (SELECT value FROM json_each(?))", (mailbox, numbers))


def _store_many(
    change: Change, mailbox: MailboxId, order: FlagOrder, keyword_sets: SqliteKeywordSets, limits: Limits
) -> FlagsStored:
    """A STORE of many messages: SQLite changes them, without a Python object for each."""
    box = open_box(change.cursor, mailbox)
    operand = Flags.of(order.flags)
    touched: dict[int, Uids] = {}
    keywords: Names = ()
    for some in _pieces(mailbox, order.uids):
        box.unseen -= _gained(change.cursor, some, SEEN, order.change, operand)
        box.deleted += _gained(change.cursor, some, DELETED, order.change, operand)
        for word, parameters in _new_words(change, some, order.change, operand, keyword_sets):
            for differing, uids in _rewrite(change, some, word, parameters, _only_difference(order.change, operand)):
                touched[differing] = touched.get(differing, NONE) | uids
    changed: Uids = NumberSet(chain.from_iterable(uids.runs for uids in touched.values()))
    if changed:
        keywords = keywords_given(box, order, operand, keyword_sets, limits)
        close_box(change, box, [(change.modseq, uids, differing) for differing, uids in touched.items()])
    return FlagsStored(
        modseq=change.modseq if changed else box.highestmodseq,
        changed=changed,
        previous=box.highestmodseq,
        failed=NONE,
        flags=None,
        keywords=keywords,
    )


def _gained(cursor: Cursor, some: _Some, flag: int, how: FlagChange, operand: Flags) -> int:
    """How many more of *some* will have the system *flag*."""
    return gained(flag, how, operand, *some.count(cursor, flag)) if changes_flag(flag, how, operand) else 0


def _new_words(
    change: Change, some: _Some, how: FlagChange, operand: Flags, keyword_sets: SqliteKeywordSets
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """SQL for the new flag word of a message, with parameters; with keywords, one piece for some old words each."""
    if how is FlagChange.REPLACE:
        yield "?", (keyword_sets.word(change, operand),)
    elif not operand.keywords:
        yield ("flags | ?" if how is FlagChange.ADD else "flags & ~?"), (operand.system,)
    else:
        words = change.cursor.execute(f"SELECT DISTINCT flags FROM messages WHERE {some.where}", some.parameters)
        cases = [(old, keyword_sets.changed_word(change, old, how, operand)) for (old,) in words.fetchall()]
        differing = [pair for pair in cases if pair[0] != pair[1]]
        for start in range(0, len(differing), CASES):
            part = differing[start : start + CASES]
            yield f"CASE flags {'WHEN ? THEN ? ' * len(part)}ELSE flags END", tuple(chain.from_iterable(part))


def _only_difference(how: FlagChange, operand: Flags) -> int | None:
    """How the word of each message that changes differs from its old one; None where they differ differently."""
    one = how is not FlagChange.REPLACE and not operand.keywords and operand.system.bit_count() == 1
    return operand.system if one else None


def _rewrite(
    change: Change, some: _Some, word: str, parameters: tuple[int, ...], only_difference: int | None
) -> Sequence[tuple[int, Uids]]:
    """Sets the flag words of *some* to the SQL expression *word*.

    Returns the messages whose word changed, by how it differs from the old one; *only_difference*, where it is known.
    """
    if only_difference is not None:
        changed = _rewrite_alike(change, some, word, parameters)
        return ((only_difference, changed),) if changed else ()
    given = f"SELECT flags AS old, {word} AS new, uid FROM messages WHERE {some.where}"
    asked = f"SELECT {past.FLIPPED.format('old', 'new')} AS differing, old, uid FROM ({given}) WHERE old <> new"
    bound = (*parameters, *some.parameters)
    kinds = change.cursor.execute(f"SELECT DISTINCT differing, old FROM ({asked})", bound).fetchall()
    past.note_left_sets(change, {old for differing, old in kinds if differing > SYSTEM_MASK})
    ways = {differing for differing, _ in kinds}
    if len(ways) > 1:
        found = _by_difference(change.cursor, asked, bound)
        _rewrite_alike(change, some, word, parameters)
        return found
    return [(way, _rewrite_alike(change, some, word, parameters)) for way in ways]


def _by_difference(cursor: Cursor, asked: str, bound: tuple[int | str, ...]) -> Sequence[tuple[int, Uids]]:
    uids: dict[int, list[int]] = {}
    for differing, _, uid in cursor.execute(asked, bound).fetchall():
        uids.setdefault(differing, []).append(uid)
    return [(differing, uids_of(ascending)) for differing, ascending in uids.items()]


def _rewrite_alike(change: Change, some: _Some, word: str, parameters: tuple[int, ...]) -> Uids:
    cursor, where = change.cursor, f"{some.where} AND flags <> {word}"
    differ = f"SELECT EXISTS(SELECT 1 FROM messages WHERE {where})"
    if not cursor.execute(differ, (*some.parameters, *parameters)).get:
        return NONE
    # OR FAIL, because else SQLite keeps a journal to undo this statement alone, and we only undo transactions
    cursor.execute(
        f"UPDATE OR FAIL messages SET flags = {word}, modseq = ? WHERE {where}",
        (*parameters, change.modseq, *some.parameters, *parameters),
    )
    if cursor.connection.changes() == len(some.uids):
        return some.uids
    found = cursor.execute(
        f"SELECT uid FROM messages WHERE {some.where} AND modseq = ? ORDER BY uid", (*some.parameters, change.modseq)
    )
    return uids_of([uid for (uid,) in found.fetchall()])


# Copy and move


def copy(
    change: Change, mailbox: MailboxId, uids: Uids, target: str, keyword_sets: SqliteKeywordSets, limits: Limits
) -> Copied:
    """See ``interface.Account.copy``."""
    source, to = open_box(change.cursor, mailbox), _open_target(change.cursor, target)
    sources: list[int] = []
    first = to.uidnext
    # only messages that exist now: a copy into the same mailbox must not copy its own copies
    for rows in slices(change.cursor, _COPIED, mailbox, uids & Uids.span(1, source.uidnext - 1)):
        sources += [row[0] for row in rows]
        _add_copies(change, to, rows, keyword_sets, limits)
        content.share(change.cursor, [row[3] for row in rows])
    copied = _copied(change, to, sources, first)
    if sources:
        close_box(change, to, [(change.modseq, copied.targets, 0)])
    return copied


def move(
    change: Change, mailbox: MailboxId, uids: Uids, target: str, keyword_sets: SqliteKeywordSets, limits: Limits
) -> Copied:
    """See ``interface.Account.move``."""
    source, to = open_box(change.cursor, mailbox), _open_target(change.cursor, target)
    if to.id == source.id:
        to = source
    sources: list[int] = []
    first = to.uidnext
    for rows in slices(change.cursor, _COPIED, mailbox, uids & Uids.span(1, source.uidnext - 1)):
        sources += [row[0] for row in rows]
        _take_out(change, source, rows, moved=True)
        _add_copies(change, to, rows, keyword_sets, limits)
    moved = _copied(change, to, sources, first)
    if sources:
        _note_expunged(change, source, moved.sources)
        close_box(change, to, [(change.modseq, moved.targets, 0)])
        if to is not source:
            close_box(change, source)
    return moved


def rename_inbox(change: Change, new: str, keyword_sets: SqliteKeywordSets, limits: Limits) -> None:
    """Creates the mailbox *new* and moves all messages of INBOX to it."""
    # RFC 9051 §6.3.6: INBOX itself and its inferiors stay
    inbox = mailboxes.mailbox(change.cursor, INBOX)
    made = mailboxes.create(change, new, None, limits)
    metadata.copy(change, inbox.id, made.id)
    move(change, inbox.id, Uids.span(1, inbox.uidnext - 1), new, keyword_sets, limits)


def _add_copies(change: Change, to: OpenBox, rows: list[Row], keyword_sets: SqliteKeywordSets, limits: Limits) -> None:
    to.use_keywords(_known_keywords_of(change.cursor, {row[1] for row in rows}, keyword_sets), limits)
    modseq, saved = change.modseq, change.moment
    copies = []
    for uid, (_, flags, size, number, arrived, zone, shown) in zip(to.name_uids(len(rows)), rows, strict=True):
        copies.append((to.id, uid, flags, modseq, number, size, arrived, zone, shown, saved))
        to.count(flags, size, uid, 1)
    change.cursor.executemany(_INSERT, copies)


def add_back(
    change: Change, mailbox: MailboxId, rows: Sequence[Row], keyword_sets: SqliteKeywordSets, limits: Limits
) -> tuple[UidValidity, Uids]:
    """Adds messages whose contents are already held: flags, content, size, arrived, zone, internaldate, saved.

    Returns UIDVALIDITY and the new UIDs. Raises Refused(NONEXISTENT, LIMIT).
    """
    box = open_box(change.cursor, mailbox)
    box.use_keywords(_known_keywords_of(change.cursor, {row[0] for row in rows}, keyword_sets), limits)
    uids = box.name_uids(len(rows))
    added = []
    for uid, (flags, number, size, arrived, zone, shown, saved) in zip(uids, rows, strict=True):
        added.append((mailbox, uid, flags, change.modseq, number, size, arrived, zone, shown, saved))
        box.count(flags, size, uid, 1)
    change.cursor.executemany(_INSERT, added)
    arrived_as: Uids = NumberSet.span(uids.start, uids.stop - 1)
    past.note_late(change, mailbox, arrived_as)
    close_box(change, box, [(change.modseq, arrived_as, 0)])
    return box.uidvalidity, arrived_as


def _known_keywords_of(cursor: Cursor, words: set[int], keyword_sets: SqliteKeywordSets) -> list[str]:
    for word in words:
        if not keyword_sets.known(word):
            keyword_sets.load_of(cursor, word)
    return _keywords_of(words, keyword_sets)


def _copied(change: Change, to: OpenBox, sources: list[int], first: int) -> Copied:
    return Copied(
        uidvalidity=to.uidvalidity,
        sources=uids_of(sources),
        targets=Uids.span(first, to.uidnext - 1),
        modseq=change.modseq if sources else to.highestmodseq,
    )


# Expunge


def expunge(change: Change, mailbox: MailboxId, uids: Uids | None) -> Expunged:
    """Removes messages with \\Deleted; see ``interface.Account.expunge``."""
    return _remove(change, mailbox, uids, _EXPUNGED)


def remove(change: Change, mailbox: MailboxId, uids: Uids) -> Expunged:
    """Removes *uids*; see ``interface.Account.remove``."""
    return _remove(change, mailbox, uids, _REMOVED)


def _remove(change: Change, mailbox: MailboxId, uids: Uids | None, query: Query) -> Expunged:
    box = open_box(change.cursor, mailbox)
    if uids is None:
        uids = Uids.span(1, box.uidnext - 1)
    gone: list[int] = []
    for rows in slices(change.cursor, query, mailbox, uids):
        gone += [row[0] for row in rows]
        _take_out(change, box, rows)
    removed = uids_of(gone)
    if removed:
        _note_expunged(change, box, removed)
        close_box(change, box)
    return Expunged(removed, change.modseq if removed else box.highestmodseq)


def _take_out(change: Change, box: OpenBox, rows: list[Row], *, moved: bool = False) -> None:
    for row in rows:
        box.count(row[1], row[2], row[0], -1)
    uids = [row[0] for row in rows]
    runs = _runs(uids)
    if moved:
        retained.note_moved(change, box.id, runs, len(uids))
    else:
        retained.release_or_keep(change, box.id, runs, [row[3] for row in rows], sum(row[2] for row in rows))
    change.cursor.executemany(
        "DELETE FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ?",
        [(box.id, first, last) for first, last in runs],
    )
    header_fields.drop(change.cursor, box.id, uids)


def _note_expunged(change: Change, box: OpenBox, uids: Uids) -> None:
    change.cursor.executemany(
        "INSERT INTO expunged VALUES (?, ?, ?, ?)", [(box.id, change.modseq, first, last) for first, last in uids.runs]
    )
