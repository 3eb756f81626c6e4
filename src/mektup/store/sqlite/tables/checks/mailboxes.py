"""Each mailbox against its messages: counters, UIDs, modseqs, keywords, runs; and the mailboxes of the account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mektup.store.rules.consistency import (
    Counters,
    Finding,
    Kind,
    finding,
    gaps_below,
    missing_mailboxes,
    wrong_counters,
    wrong_gaps,
    wrong_names,
)
from mektup.store.rules.counters import DELETED, SEEN
from mektup.store.rules.keyword_sets import KEYWORD_SHIFT, SYSTEM_MASK
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.store.sqlite.tables.metadata import LOST
from mektup.store.sqlite.tables.quota import WRONG
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId
from mektup.terms.sets import NumberSet

_COUNTED = f"""
SELECT count(*), ifnull(sum(flags & {SEEN} = 0), 0), ifnull(sum(flags & {DELETED} <> 0), 0), ifnull(sum(size), 0),
       ifnull(sum(uid >= ?2), 0), ifnull(min(uid), 1), ifnull(max(uid), 0), ifnull(max(modseq), 0)
FROM messages WHERE mailbox = ?1
"""

_EXISTING = """
SELECT min(uid), max(uid) FROM (
    SELECT uid, uid - row_number() OVER (ORDER BY uid) AS run FROM messages WHERE mailbox = ?
) GROUP BY run ORDER BY run
"""
"""In a run of UIDs, the UID minus the row number is constant; it ascends from run to run."""

_NOT_IN_A_RUN = """
SELECT m.uid FROM messages AS m WHERE m.mailbox = ?1 AND m.uid > ifnull((
    SELECT last FROM touched WHERE mailbox = ?1 AND modseq = m.modseq AND first <= m.uid ORDER BY first DESC LIMIT 1
), 0)
"""


@dataclass(frozen=True, slots=True)
class _Told:
    """A mailbox as its row tells it."""

    id: MailboxId
    name: str
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    recent_from: int
    keywords: str
    runs: int
    created: int
    changed: int
    messages: int
    unseen: int
    deleted: int
    size: int
    recent: int

    @property
    def counters(self) -> Counters:
        return Counters(self.messages, self.unseen, self.deleted, self.size, self.recent)


def _row(cursor: Cursor, mailbox: MailboxId) -> _Told | None:
    row: tuple[Any, ...] | None = cursor.execute(
        "SELECT id, name, uidvalidity, uidnext, highestmodseq, recent_from, keywords, runs, created, changed, "
        "messages, unseen, deleted, size, recent FROM mailboxes WHERE id = ?",
        (mailbox,),
    ).get
    return None if row is None else _Told(*row)


def ids(cursor: Cursor) -> list[MailboxId]:
    """All mailboxes."""
    return [MailboxId(number) for (number,) in cursor.execute("SELECT id FROM mailboxes ORDER BY id").fetchall()]


def size(cursor: Cursor) -> tuple[int, int]:
    """The number of messages in all mailboxes, and their octets."""
    found: tuple[int, int] = cursor.execute("SELECT ifnull(sum(messages), 0), ifnull(sum(size), 0) FROM mailboxes").get
    return found


def mailbox(cursor: Cursor, number: MailboxId) -> Iterator[Finding]:
    """What a mailbox tells against its messages; nothing where it was removed meanwhile."""
    with moment(cursor):
        told = _row(cursor, number)
        if told is None:
            return
        *counted, lowest, highest, modseq = cursor.execute(_COUNTED, (number, told.recent_from)).get
        yield from wrong_counters(told.name, told.counters, Counters(*counted))
        if told.uidnext <= highest or lowest < 1:
            yield Finding(Kind.UIDNEXT, told.name, f"UIDNEXT {told.uidnext}, UIDs {lowest} to {highest}")
        yield from _modseqs(cursor, told, modseq)
        yield from _keywords(cursor, told)
        dates = cursor.execute(
            "SELECT uid FROM messages WHERE mailbox = ? AND internaldate IS NOT internal_date(arrived, zone)", (number,)
        )
        yield from finding(Kind.DATE, told.name, "UID", (uid for (uid,) in dates))
        yield from _runs(cursor, told, max(told.uidnext, highest + 1))


def _modseqs(cursor: Cursor, told: _Told, of_messages: int) -> Iterator[Finding]:
    (of_account,) = cursor.execute("SELECT modseq FROM account").fetchall()[0]
    of_runs = [
        cursor.execute(f"SELECT ifnull(max(modseq), 0) FROM {table} WHERE mailbox = ?", (told.id,)).get
        for table in ("touched", "expunged")
    ]
    lower = max(of_messages, *of_runs)
    if told.highestmodseq < lower:
        yield Finding(Kind.MODSEQ, told.name, f"HIGHESTMODSEQ {told.highestmodseq}, used {lower}")
    highest = max(told.highestmodseq, lower, told.created, told.changed)
    if highest > of_account:
        yield Finding(Kind.MODSEQ, told.name, f"account {of_account}, used {highest}")


def _keywords(cursor: Cursor, told: _Told) -> Iterator[Finding]:
    used = cursor.execute(
        f"SELECT DISTINCT names FROM (SELECT DISTINCT flags >> {KEYWORD_SHIFT} AS number FROM messages "
        "WHERE mailbox = ?) JOIN keyword_sets ON id = number",
        (told.id,),
    ).fetchall()
    listed = {name.lower() for name in told.keywords.split()}
    names = dict.fromkeys(name for (names,) in used for name in names.split() if name.lower() not in listed)
    yield from finding(Kind.KEYWORDS, told.name, "not listed:", names)
    lost = cursor.execute(
        f"SELECT uid FROM messages WHERE mailbox = ? AND (flags < 0 OR flags > {SYSTEM_MASK} "
        f"AND flags >> {KEYWORD_SHIFT} NOT IN (SELECT id FROM keyword_sets))",
        (told.id,),
    )
    yield from finding(Kind.FLAGS, told.name, "UID", (uid for (uid,) in lost))


def _runs(cursor: Cursor, told: _Told, uidnext: int) -> Iterator[Finding]:
    runs = cursor.execute("SELECT count(*) FROM touched WHERE mailbox = ?", (told.id,)).get
    if runs != told.runs:
        yield Finding(Kind.CHANGED_RUNS, told.name, f"runs {told.runs}, counted {runs}")
    missing = cursor.execute(_NOT_IN_A_RUN, (told.id,))
    yield from finding(Kind.CHANGED_RUNS, told.name, "UID", (uid for (uid,) in missing))
    beyond = "SELECT first, last FROM touched WHERE mailbox = ?1 AND (first < 1 OR last < first OR last >= ?2)"
    wrong = cursor.execute(beyond, (told.id, uidnext))
    yield from finding(Kind.CHANGED_RUNS, told.name, "UIDs", (f"{first}:{last}" for first, last in wrong))
    beyond = "SELECT first, last FROM expunged WHERE mailbox = ?1 AND (first < 1 OR last < first OR last >= ?2)"
    wrong = cursor.execute(beyond, (told.id, uidnext))
    yield from finding(Kind.EXPUNGED_RUNS, told.name, "UIDs", (f"{first}:{last}" for first, last in wrong))
    existing = cursor.execute(_EXISTING, (told.id,)).fetchall()
    expunged = cursor.execute(
        "SELECT first, last FROM expunged WHERE mailbox = ?1 AND first BETWEEN 1 AND last AND last < ?2",
        (told.id, uidnext),
    ).fetchall()
    yield from wrong_gaps(told.name, gaps_below(uidnext, existing), NumberSet(expunged))


def tree(cursor: Cursor, limits: Limits) -> Iterator[Finding]:
    """The mailboxes and subscriptions of the account: names, levels, and numbers that must be above all others."""
    with moment(cursor):
        names = frozenset(name for (name,) in cursor.execute("SELECT name FROM mailboxes").fetchall())
        subscribed = [name for (name,) in cursor.execute("SELECT name FROM subscriptions").fetchall()]
        yield from finding(Kind.TREE, "", "missing:", missing_mailboxes(names))
        yield from wrong_names([*sorted(names), *subscribed], limits)
        twice = "SELECT mailboxid FROM mailboxes GROUP BY mailboxid HAVING count(*) > 1"
        yield from finding(Kind.NUMBERS, "", "MAILBOXID", (each for (each,) in cursor.execute(twice)))
        for name, told, used in _numbers(cursor):
            if told < used:
                yield Finding(Kind.NUMBERS, "", f"{name} {told}, used {used}")


def _numbers(cursor: Cursor) -> Iterator[tuple[str, int, int]]:
    """Numbers of the account that must not be below those in use: the name, what is told, and what is used."""
    validity, content, modseq, closed = cursor.execute("SELECT uidvalidity, content, modseq, closed FROM account").get
    yield "UIDVALIDITY", validity, cursor.execute("SELECT ifnull(max(uidvalidity), 0) FROM mailboxes").get
    used = (
        "SELECT max(ifnull((SELECT max(id) FROM contents), 0), ifnull((SELECT max(content) FROM messages), 0), "
        "ifnull((SELECT max(content) FROM retained), 0))"
    )
    yield "content", content, cursor.execute(used).get
    yield "modseq", modseq, closed
    sequence = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'mailboxes'").get or 0
    yield "mailbox", sequence, cursor.execute("SELECT ifnull(max(id), 0) FROM mailboxes").get


def log(cursor: Cursor) -> Iterator[Finding]:
    """The account's log: tombstones, their floor, and the modseqs of mailboxes and subscriptions."""
    with moment(cursor):
        modseq, floor = cursor.execute("SELECT modseq, log_floor FROM account").get
        if floor > modseq:
            yield Finding(Kind.LOG, "", f"floor {floor}, modseq {modseq}")
        for name, wrong in (
            ("tombstone", "SELECT modseq FROM tombstones WHERE modseq > ?1 OR modseq <= ?2"),
            ("tombstone of mailbox", "SELECT mailbox FROM tombstones WHERE mailbox IN (SELECT id FROM mailboxes)"),
            (
                "tombstone of subscription",
                "SELECT name FROM tombstones WHERE mailbox = 0 AND name IN (SELECT name FROM subscriptions)",
            ),
            ("subscription", "SELECT name FROM subscriptions WHERE changed > ?1"),
            ("mailbox", "SELECT name FROM mailboxes WHERE created > changed"),
        ):
            bound = (modseq, floor)[: 2 if "?2" in wrong else 1 if "?1" in wrong else 0]
            rows = cursor.execute(wrong, bound)
            yield from finding(Kind.LOG, "", name, (each for (each,) in rows))


def quota(cursor: Cursor) -> Iterator[Finding]:
    """The account's own limits. The usage is the sum of the counters, which ``mailbox`` checks."""
    yield from finding(Kind.QUOTA, "", "", (str(resource) for (resource,) in cursor.execute(WRONG)))


def metadata(cursor: Cursor) -> Iterator[Finding]:
    """Metadata, of mailboxes and of the account."""
    with moment(cursor):
        lost = cursor.execute(f"SELECT entry FROM metadata WHERE {LOST}")
        yield from finding(Kind.METADATA, "", "", (entry for (entry,) in lost))
        later = cursor.execute("SELECT entry FROM metadata WHERE modseq > (SELECT modseq FROM account)")
        yield from finding(Kind.METADATA, "", "modseq of", (entry for (entry,) in later))
