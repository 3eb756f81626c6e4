"""Messages, written: append, STORE, COPY, MOVE and EXPUNGE, each with the counters of its mailbox.

All of these run inside one transaction, walk their messages in slices so that memory stays bounded,
and take a modseq only once they know that something changes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NoReturn

from mektup.store.interface import Appended, Copied, Expunged, FlagsStored, Incoming, Row
from mektup.store.sqlite import content, mailboxes
from mektup.store.sqlite.content import Packing
from mektup.store.sqlite.cursor import Cursor
from mektup.store.sqlite.database import Change
from mektup.store.sqlite.keywords import Flags, KeywordSets
from mektup.store.sqlite.uids import Query, slices
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange, SystemFlag
from mektup.terms.limits import Limits
from mektup.terms.numbers import MAX_UINT32, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Run, Uids

SEEN, DELETED = int(SystemFlag.SEEN), int(SystemFlag.DELETED)

_FLAGS = Query("m.flags, m.modseq")
_COPIED = Query("m.flags, m.size, m.content, m.arrived, m.zone, m.internaldate")
_REMOVED = Query("m.flags, m.size, m.content")
_EXPUNGED = Query("m.flags, m.size, m.content", condition=f"AND m.flags & {DELETED} <> 0")
_INSERT = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

_EPOCH = datetime(1970, 1, 1)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@lru_cache(1024)
def internaldate(seconds: int, zone: int) -> bytes:
    """A date-time of RFC 9051 §9, quotes included: *seconds* since 1970 UTC, shown *zone* minutes east of it."""
    at = _EPOCH + timedelta(seconds=seconds + zone * 60)
    sign, (hours, minutes) = "+" if zone >= 0 else "-", divmod(abs(zone), 60)
    date = f"{at.day:2}-{_MONTHS[at.month - 1]}-{at.year:04}"
    return f'"{date} {at.hour:02}:{at.minute:02}:{at.second:02} {sign}{hours:02}{minutes:02}"'.encode()


# Not by way of Uids, an alias that costs a microsecond each time it is called.
_NONE: Uids = NumberSet()


def _set(ascending: list[int]) -> Uids:
    return NumberSet.of_sorted(ascending) if ascending else _NONE


def _runs(ascending: list[int]) -> tuple[Run, ...]:
    return NumberSet.of_sorted(ascending).runs


@dataclass(slots=True)
class _Box:
    """A mailbox under change: what it was, and what its counters gain."""

    id: MailboxId
    uidvalidity: UidValidity
    uidnext: int
    highestmodseq: ModSeq
    recent_from: int
    keywords: str
    messages: int = 0
    unseen: int = 0
    deleted: int = 0
    size: int = 0
    recent: int = 0

    def count(self, flags: int, size: int, uid: int, by: int) -> None:
        """A message came, for *by* 1, or went, for -1."""
        self.messages += by
        self.size += by * size
        if not flags & SEEN:
            self.unseen += by
        if flags & DELETED:
            self.deleted += by
        if uid >= self.recent_from:
            self.recent += by

    def name_uids(self, count: int) -> range:
        """The UIDs of *count* messages to come. Raises Refused(LIMIT) where there are no more."""
        first = self.uidnext
        self.uidnext += count
        if self.uidnext > MAX_UINT32:
            raise Refused(Code.LIMIT, "No UIDs are left in the mailbox")
        return range(first, self.uidnext)

    def use_keywords(self, names: Iterable[str], limits: Limits) -> None:
        """Adds those that were not used here before. Raises Refused(LIMIT)."""
        used = self.keywords.split()
        there = {name.lower() for name in used}
        new = [name for name in dict.fromkeys(names) if name.lower() not in there]
        if new:
            used += new
            if len(used) > limits.keywords_per_mailbox:
                raise Refused(Code.LIMIT, f"A mailbox has at most {limits.keywords_per_mailbox} keywords")
            if max(map(len, new)) > limits.keyword_bytes:
                raise Refused(Code.LIMIT, f"A keyword has at most {limits.keyword_bytes} octets")
            self.keywords = " ".join(used)


def _open(cursor: Cursor, mailbox: MailboxId) -> _Box:
    row = cursor.execute(
        "SELECT uidvalidity, uidnext, highestmodseq, recent_from, keywords FROM mailboxes WHERE id = ? AND selectable",
        (mailbox,),
    ).get
    if row is None:
        raise mailboxes.no_such_mailbox()
    return _Box(mailbox, *row)


def _keywords_of(words: Iterable[int], keyword_sets: KeywordSets) -> list[str]:
    return [name for word in sorted(words) for name in keyword_sets.keywords(word)]


def _open_target(cursor: Cursor, name: str) -> _Box:
    target = mailboxes.find(cursor, name)
    if target is None or not target.selectable:
        _refuse_target()
    return _open(cursor, target.id)


def _refuse_target() -> NoReturn:
    # RFC 9051 §6.4.7: unless it is certain that it cannot be made, TRYCREATE
    raise Refused(Code.TRYCREATE, "There is no such mailbox to copy to; it could be created")


def _close(change: Change, box: _Box) -> None:
    change.cursor.execute(
        "UPDATE mailboxes SET highestmodseq = ?, uidnext = ?, keywords = ?, messages = messages + ?, "
        "unseen = unseen + ?, deleted = deleted + ?, size = size + ?, recent = recent + ? WHERE id = ?",
        (
            change.modseq,
            box.uidnext,
            box.keywords,
            box.messages,
            box.unseen,
            box.deleted,
            box.size,
            box.recent,
            box.id,
        ),
    )
    change.touched.add(box.id)


# Coming


def append(
    change: Change,
    mailbox: MailboxId,
    messages: Sequence[Incoming],
    keyword_sets: KeywordSets,
    packing: Packing,
    limits: Limits,
) -> Appended:
    """See ``interface.Account.append``."""
    box = _open(change.cursor, mailbox)
    now = int(time.time())
    uids = box.name_uids(len(messages))
    for uid, message in zip(uids, messages, strict=True):
        arrival = message.arrival
        if arrival.size > limits.message_bytes:
            raise Refused(Code.TOOBIG, f"A message has at most {limits.message_bytes} octets")
        flags = Flags.of(message.flags)
        word = keyword_sets.word(change, flags)
        if flags.keywords:
            box.use_keywords(keyword_sets.keywords(word), limits)
        number = content.add(change.cursor, arrival, packing)
        arrived = now if message.internaldate is None else message.internaldate
        change.cursor.execute(
            _INSERT,
            (
                mailbox,
                uid,
                word,
                change.modseq,
                number,
                arrival.size,
                arrived,
                message.zone,
                internaldate(arrived, message.zone),
                now,
            ),
        )
        box.count(word, arrival.size, uid, 1)
    if messages:
        _close(change, box)
    return Appended(
        box.uidvalidity, Uids.span(uids.start, uids.stop - 1), change.modseq if messages else box.highestmodseq
    )


# Flags

FEW_SHOWN = 64
"""How many messages' flags a STORE tells of itself."""


def store_flags(
    change: Change,
    mailbox: MailboxId,
    uids: Uids,
    how: FlagChange,
    flags: frozenset[str],
    unchanged_since: ModSeq | None,
    keyword_sets: KeywordSets,
    limits: Limits,
) -> FlagsStored:
    """See ``interface.Account.store_flags``."""
    box = _open(change.cursor, mailbox)
    operand = Flags.of(flags)
    words: dict[int, int] = {}
    changed: list[int] = []
    failed: list[int] = []
    after: list[tuple[Uid, int, ModSeq]] | None = [] if len(uids) <= FEW_SHOWN else None
    for rows in slices(change.cursor, _FLAGS, mailbox, uids):
        if unchanged_since is not None:
            failed += [uid for uid, _, modseq in rows if modseq > unchanged_since]
            rows = [row for row in rows if row[2] <= unchanged_since]
        for old in {row[1] for row in rows}:
            if old not in words:
                words[old] = keyword_sets.changed_word(change, old, how, operand)
        different = [row for row in rows if words[row[1]] != row[1]]
        if different:
            changed += [row[0] for row in different]
            _rewrite(change, box, rows, different, words)
        if after is not None:
            after += [(uid, words[old], modseq if words[old] == old else change.modseq) for uid, old, modseq in rows]
    if changed:
        if operand.keywords and how is not FlagChange.REMOVE:
            box.use_keywords(_keywords_of(words.values(), keyword_sets), limits)
        _close(change, box)
    return FlagsStored(
        modseq=change.modseq if changed else box.highestmodseq,
        changed=_set(changed),
        previous=box.highestmodseq,
        failed=_set(failed),
        flags=after,
    )


def _rewrite(change: Change, box: _Box, rows: list[Row], different: list[Row], words: dict[int, int]) -> None:
    """Gives the rows of *different* their new words: an UPDATE for each old word and run.

    An UPDATE finds its rows by the old word, so it may run over all *rows* where these lie closer together. One
    cannot catch what another made, as a word that a STORE made is not changed by it again.
    """
    for old in {row[1] for row in different}:
        new = words[old]
        affected = [row[0] for row in different if row[1] == old]
        runs = _runs(affected)
        if len(runs) > 1:
            runs = min(_runs([row[0] for row in rows]), runs, key=len)
        change.cursor.executemany(
            "UPDATE messages SET flags = ?, modseq = ? WHERE mailbox = ? AND uid BETWEEN ? AND ? AND flags = ?",
            [(new, change.modseq, box.id, first, last, old) for first, last in runs],
        )
        if (old ^ new) & SEEN:
            box.unseen += len(affected) if old & SEEN else -len(affected)
        if (old ^ new) & DELETED:
            box.deleted += len(affected) if new & DELETED else -len(affected)


# Copying


def copy(
    change: Change, mailbox: MailboxId, uids: Uids, target: str, keyword_sets: KeywordSets, limits: Limits
) -> Copied:
    """See ``interface.Account.copy``."""
    source, to = _open(change.cursor, mailbox), _open_target(change.cursor, target)
    sources: list[int] = []
    first = to.uidnext
    # Those there are now: a copy into the same mailbox must not go on to copy its copies.
    for rows in slices(change.cursor, _COPIED, mailbox, uids & Uids.span(1, source.uidnext - 1)):
        sources += [row[0] for row in rows]
        _add_copies(change, to, rows, keyword_sets, limits)
        content.share(change.cursor, [row[3] for row in rows])
    if sources:
        _close(change, to)
    return _copied(change, to, sources, first)


def move(
    change: Change, mailbox: MailboxId, uids: Uids, target: str, keyword_sets: KeywordSets, limits: Limits
) -> Copied:
    """See ``interface.Account.move``."""
    source, to = _open(change.cursor, mailbox), _open_target(change.cursor, target)
    if to.id == source.id:
        to = source
    sources: list[int] = []
    first = to.uidnext
    for rows in slices(change.cursor, _COPIED, mailbox, uids & Uids.span(1, source.uidnext - 1)):
        sources += [row[0] for row in rows]
        _take_out(change, source, rows)
        _add_copies(change, to, rows, keyword_sets, limits)
    if sources:
        _note_expunged(change, source, _set(sources))
        _close(change, to)
        if to is not source:
            _close(change, source)
    return _copied(change, to, sources, first)


def rename_inbox(change: Change, new: str, keyword_sets: KeywordSets, limits: Limits) -> None:
    """Moves all messages of INBOX to the mailbox *new*, which is made."""
    # RFC 9051 §6.3.6: INBOX itself stays, and so do the mailboxes below it
    inbox = mailboxes.mailbox(change.cursor, mailboxes.INBOX)
    mailboxes.create(change, new, None, limits)
    move(change, inbox.id, Uids.span(1, inbox.uidnext - 1), new, keyword_sets, limits)


def _add_copies(change: Change, to: _Box, rows: list[Row], keyword_sets: KeywordSets, limits: Limits) -> None:
    words = {row[1] for row in rows}
    if not all(map(keyword_sets.known, words)):
        keyword_sets.load(change.cursor)
    to.use_keywords(_keywords_of(words, keyword_sets), limits)
    now = int(time.time())
    copies = []
    for uid, (_, flags, size, number, arrived, zone, shown) in zip(to.name_uids(len(rows)), rows, strict=True):
        copies.append((to.id, uid, flags, change.modseq, number, size, arrived, zone, shown, now))
        to.count(flags, size, uid, 1)
    change.cursor.executemany(_INSERT, copies)


def _copied(change: Change, to: _Box, sources: list[int], first: int) -> Copied:
    return Copied(
        uidvalidity=to.uidvalidity,
        sources=_set(sources),
        targets=Uids.span(first, to.uidnext - 1),
        modseq=change.modseq if sources else to.highestmodseq,
    )


# Going


def expunge(change: Change, mailbox: MailboxId, uids: Uids | None) -> Expunged:
    """Removes those with \\Deleted; see ``interface.Account.expunge``."""
    return _remove(change, mailbox, uids, _EXPUNGED)


def remove(change: Change, mailbox: MailboxId, uids: Uids) -> Expunged:
    """Removes *uids*; see ``interface.Account.remove``."""
    return _remove(change, mailbox, uids, _REMOVED)


def _remove(change: Change, mailbox: MailboxId, uids: Uids | None, query: Query) -> Expunged:
    box = _open(change.cursor, mailbox)
    if uids is None:
        uids = Uids.span(1, box.uidnext - 1)
    gone: list[int] = []
    for rows in slices(change.cursor, query, mailbox, uids):
        gone += [row[0] for row in rows]
        _take_out(change, box, rows)
        content.release(change.cursor, [row[3] for row in rows])
    removed = _set(gone)
    if removed:
        _note_expunged(change, box, removed)
        _close(change, box)
    return Expunged(removed, change.modseq if removed else box.highestmodseq)


def _take_out(change: Change, box: _Box, rows: list[Row]) -> None:
    for row in rows:
        box.count(row[1], row[2], row[0], -1)
    change.cursor.executemany(
        "DELETE FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ?",
        [(box.id, first, last) for first, last in _runs([row[0] for row in rows])],
    )


def _note_expunged(change: Change, box: _Box, uids: Uids) -> None:
    change.cursor.executemany(
        "INSERT INTO expunged VALUES (?, ?, ?, ?)", [(box.id, change.modseq, first, last) for first, last in uids.runs]
    )
