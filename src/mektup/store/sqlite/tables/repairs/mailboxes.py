"""Mends the mailboxes of an account and the numbers that the account keeps."""

from __future__ import annotations

import re

from mektup.store.rules.consistency import gaps_below, missing_mailboxes
from mektup.store.rules.counters import DELETED, SEEN
from mektup.store.rules.gaps import MODSEQ_GAP, OLD_CONTENT_GAP, OLD_MAILBOX_GAP, UID_GAP
from mektup.store.rules.keyword_sets import KEYWORD_SHIFT, SYSTEM_MASK
from mektup.store.rules.mailbox_names import new_mailboxid
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import account_log, changed_runs, header_fields, messages
from mektup.store.sqlite.tables.mailboxes import MailboxRows
from mektup.store.sqlite.tables.metadata import LOST
from mektup.store.sqlite.tables.quota import WRONG
from mektup.store.sqlite.tables.schema import ACCOUNT
from mektup.terms.numbers import ACCOUNT_ITSELF, MAX_UINT32, MailboxId
from mektup.terms.sets import NumberSet, Uids

_EXISTING = """
SELECT min(uid), max(uid) FROM (
    SELECT uid, uid - row_number() OVER (ORDER BY uid) AS run FROM messages WHERE mailbox = ?
) GROUP BY run ORDER BY run
"""

_COUNT = f"""
UPDATE mailboxes SET (messages, unseen, deleted, size, recent) = (
    SELECT count(*), ifnull(sum(flags & {SEEN} = 0), 0), ifnull(sum(flags & {DELETED} <> 0), 0),
           ifnull(sum(size), 0), ifnull(sum(uid >= mailboxes.recent_from), 0)
    FROM messages WHERE mailbox = mailboxes.id
), highestmodseq = ?2, uidnext = ?3, keywords = ?4 WHERE id = ?1
"""


_MODSEQS = (
    ("messages", "modseq"),
    ("touched", "modseq"),
    ("expunged", "modseq"),
    ("retained", "modseq"),
    ("mailboxes", "highestmodseq"),
    ("mailboxes", "changed"),
    ("mailboxes", "created"),
    ("account", "closed"),
)
"""Where modseqs are."""


def numbers(change: Change) -> None:
    """Raises the account's numbers above all that are in use, with a gap for those that are not in the file."""
    cursor = change.cursor
    used = max(cursor.execute(f"SELECT ifnull(max({column}), 0) FROM {table}").get for table, column in _MODSEQS)
    cursor.execute("UPDATE account SET modseq = ?1 + ?2 WHERE modseq < ?1", (used, MODSEQ_GAP))
    cursor.execute(
        "UPDATE account SET uidvalidity = max(uidvalidity, ifnull((SELECT max(uidvalidity) FROM mailboxes), 0))"
    )
    highest = (
        "max(ifnull((SELECT max(id) FROM contents), 0), ifnull((SELECT max(content) FROM messages), 0), "
        "ifnull((SELECT max(content) FROM retained), 0))"
    )
    cursor.execute(f"UPDATE account SET content = {highest} + ? WHERE content < {highest}", (OLD_CONTENT_GAP,))
    last = cursor.execute("SELECT ifnull(max(id), 0) FROM mailboxes").get
    cursor.execute(
        "UPDATE sqlite_sequence SET seq = ?1 + ?2 WHERE name = 'mailboxes' AND seq < ?1", (last, OLD_MAILBOX_GAP)
    )
    twice = "SELECT id FROM mailboxes AS m WHERE mailboxid IN (SELECT mailboxid FROM mailboxes WHERE id < m.id)"
    for (number,) in cursor.execute(twice).fetchall():
        cursor.execute(
            "UPDATE mailboxes SET mailboxid = ?, changed = ? WHERE id = ?", (new_mailboxid(), change.modseq, number)
        )
        change.touched.add(MailboxId(number))


def tree(change: Change) -> None:
    """Makes INBOX and the levels that are missing."""
    names = frozenset(name for (name,) in change.cursor.execute("SELECT name FROM mailboxes").fetchall())
    rows = MailboxRows(change)
    for name in missing_mailboxes(names):
        rows.insert(name)


def log(change: Change) -> None:
    """Forgets the log, so that every caller gets all mailboxes."""
    modseq = change.modseq
    change.cursor.execute("UPDATE mailboxes SET created = changed WHERE created > changed")
    change.cursor.execute("UPDATE subscriptions SET changed = ?1 WHERE changed > ?1", (modseq,))
    change.cursor.execute("DELETE FROM tombstones")
    account_log.clear(change)
    change.touched.add(ACCOUNT_ITSELF)


def metadata(change: Change) -> None:
    """Removes metadata that nobody can read, and counts the rest as changed where its modseq cannot be."""
    change.cursor.execute("UPDATE metadata SET modseq = ?1 WHERE modseq > ?1", (change.modseq,))
    change.cursor.execute(f"DELETE FROM metadata WHERE {LOST}")
    change.touched.add(ACCOUNT_ITSELF)


def quota(change: Change) -> None:
    """Removes limits that are none."""
    change.cursor.execute(f"DELETE FROM quota WHERE resource IN ({WRONG})")


def flags(change: Change) -> None:
    """Removes keywords that are lost."""
    for table in ("messages", "retained"):
        change.cursor.execute(f"UPDATE {table} SET flags = flags & {SYSTEM_MASK} WHERE flags < 0")
    messages.mend_flags(change)


def lookup(change: Change) -> None:
    """Makes the indexes anew."""
    for made, name in re.findall(r"(CREATE INDEX (\w+) [^;]+);", ACCOUNT.tables):
        change.cursor.execute(f"DROP INDEX IF EXISTS {name}")
        change.cursor.execute(made)
    change.cursor.execute("REINDEX")


def everything(cursor: Cursor) -> list[MailboxId]:
    """All mailboxes that hold messages."""
    rows = cursor.execute("SELECT id FROM mailboxes WHERE selectable ORDER BY id").fetchall()
    return [MailboxId(number) for (number,) in rows]


def recount(change: Change, mailbox: MailboxId) -> None:
    """Computes everything again that follows from the messages of *mailbox*, and counts all of them as changed.

    A message whose UID was expunged, or cannot be a UID, gets a new one, because clients have forgotten the old one.
    """
    cursor, modseq = change.cursor, change.modseq
    cursor.execute(
        "DELETE FROM expunged WHERE mailbox = ? AND (first < 1 OR last < first OR last >= ?)", (mailbox, MAX_UINT32)
    )
    expunged: Uids = NumberSet(
        cursor.execute("SELECT first, last FROM expunged WHERE mailbox = ?", (mailbox,)).fetchall()
    )
    uidnext = _uidnext(cursor, mailbox, expunged)
    existing: Uids = NumberSet(cursor.execute(_EXISTING, (mailbox,)).fetchall())
    uidnext = _give_new_uids(
        cursor, mailbox, (existing & expunged) | (existing - Uids.span(1, MAX_UINT32 - 1)), uidnext
    )
    gaps = gaps_below(uidnext, cursor.execute(_EXISTING, (mailbox,)).fetchall()) - expunged
    cursor.executemany(
        "INSERT INTO expunged VALUES (?, ?, ?, ?)", [(mailbox, modseq, first, last) for first, last in gaps.runs]
    )
    cursor.execute(
        "UPDATE messages SET modseq = ?, internaldate = ifnull(internal_date(arrived, zone), internaldate) "
        "WHERE mailbox = ?",
        (modseq, mailbox),
    )
    cursor.execute(_COUNT, (mailbox, modseq, uidnext, _keywords(cursor, mailbox)))
    changed_runs.rebuild(cursor, mailbox)
    change.touched.add(mailbox)


def _uidnext(cursor: Cursor, mailbox: MailboxId, expunged: Uids) -> int:
    """The next UID; with a gap where the stored one was used, as UIDs may be lost that only clients know."""
    told: int = cursor.execute("SELECT uidnext FROM mailboxes WHERE id = ?", (mailbox,)).get
    highest = cursor.execute(
        "SELECT ifnull(max(uid), 0) FROM messages WHERE mailbox = ? AND uid < ?", (mailbox, MAX_UINT32)
    ).get
    used = max(highest, expunged.last if expunged else 0)
    return told if used < told < MAX_UINT32 else min(used + 1 + UID_GAP, MAX_UINT32)


def _give_new_uids(cursor: Cursor, mailbox: MailboxId, uids: Uids, uidnext: int) -> int:
    """Gives messages new UIDs from *uidnext* on; returns the next UID."""
    for uid in uids:
        cursor.execute("UPDATE messages SET uid = ? WHERE mailbox = ? AND uid = ?", (uidnext, mailbox, uid))
        uidnext += 1
    header_fields.drop(cursor, mailbox, uids)
    return uidnext


def _keywords(cursor: Cursor, mailbox: MailboxId) -> str:
    """The listed keywords of a mailbox, and those of its messages that are not listed."""
    listed = str(cursor.execute("SELECT keywords FROM mailboxes WHERE id = ?", (mailbox,)).get).split()
    used = cursor.execute(
        f"SELECT names FROM keyword_sets WHERE id IN (SELECT DISTINCT flags >> {KEYWORD_SHIFT} FROM messages "
        "WHERE mailbox = ?) ORDER BY id",
        (mailbox,),
    ).fetchall()
    there = {name.lower() for name in listed}
    return " ".join(
        [*listed, *dict.fromkeys(name for (names,) in used for name in names.split() if name.lower() not in there)]
    )
