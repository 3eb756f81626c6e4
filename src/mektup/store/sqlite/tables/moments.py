"""What ``store.moments`` reads: the small state of an account, rows of messages, and octets by content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mektup.store.moments import AccountState, EntryOf, KeptMessage, MailboxState
from mektup.store.rules.account_names import account_is_gone
from mektup.store.rules.refusals import message_is_gone
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import access_lists, changed_runs, changes, mailboxes, quota
from mektup.store.sqlite.tables.chunk_compression import octets_of
from mektup.store.sqlite.tables.fetch import RAW_BYTES
from mektup.store.sqlite.tables.schema import CHUNK_BITS
from mektup.store.sqlite.tables.uids import SLICE_BYTES, Query, read_slice, runs_since
from mektup.terms.numbers import ACCOUNT_ITSELF, AccountId, ContentId, MailboxId, ModSeq, Uid
from mektup.terms.sets import Uids

_ROWS: Final = Query(
    "m.flags, m.modseq, m.content, m.size, m.arrived, m.zone, m.saved, c.digest",
    joins="CROSS JOIN contents AS c ON c.id = m.content",
)
_METADATA: Final = (
    "SELECT mailbox, user, entry, value FROM metadata WHERE value IS NOT NULL ORDER BY mailbox, user, entry"
)
_RAW: Final = (
    f"SELECT c.id, CASE WHEN c.size <= {RAW_BYTES} THEN CASE WHEN r.id IS NULL THEN {octets_of('h')} "
    f"ELSE CAST({octets_of('h')} || {octets_of('r')} AS BLOB) END END, h.id IS NULL "
    "FROM json_each(?) AS asked CROSS JOIN contents AS c ON c.id = asked.value "
    f"LEFT JOIN chunks AS h ON h.id = c.id << {CHUNK_BITS} LEFT JOIN chunks AS r ON r.id = c.id << {CHUNK_BITS} | 1"
)


def state(cursor: Cursor) -> tuple[AccountState, Mapping[int, str]]:
    """The small state, and the sets of keywords by number. Raises Refused(NONEXISTENT)."""
    row = cursor.execute("SELECT modseq, uidvalidity FROM account").get
    if row is None:
        raise account_is_gone()
    modseq, uidvalidity = row
    entries: dict[int, dict[EntryOf, bytes]] = {}
    for mailbox, user, entry, value in cursor.execute(_METADATA).fetchall():
        entries.setdefault(mailbox, {})[AccountId(user), entry] = value
    keywords = dict(cursor.execute("SELECT id, keywords FROM mailboxes").fetchall())
    there = [
        MailboxState(
            each, tuple(keywords[each.id].split()), access_lists.entries(cursor, each.id), entries.get(each.id, {})
        )
        for each in mailboxes.mailboxes(cursor)
    ]
    sets = dict(cursor.execute("SELECT id, names FROM keyword_sets").fetchall())
    own = entries.get(ACCOUNT_ITSELF, {})
    subscriptions, limits = mailboxes.subscriptions(cursor), quota.own_limits(cursor)
    return AccountState(modseq, uidvalidity, there, subscriptions, own, limits), sets


def touched(cursor: Cursor, mailbox: MailboxId, since: ModSeq) -> tuple[Uids, Uids]:
    """See ``store.moments.Moment``."""
    changes.modseq(cursor, mailbox)
    changed = changed_runs.since(cursor, mailbox, since)
    expunged = runs_since(cursor, "expunged", mailbox, since, None)
    assert changed is not None
    assert expunged is not None
    return changed - expunged, expunged


def messages(cursor: Cursor, mailbox: MailboxId, uids: Uids, after: Uid) -> tuple[Sequence[KeptMessage], Uid]:
    """The next slice of *uids* after the UID *after*, and the UID up to which it is complete."""
    rows, upto = read_slice(cursor, _ROWS, mailbox, uids, after)
    return [KeptMessage(*row) for row in rows], Uid(upto)


def contents(cursor: Cursor, asked: Sequence[ContentId]) -> list[tuple[ContentId, bytes | None]]:
    """The octets of the first few of *asked*. Raises Refused(EXPUNGEISSUED) where one of them is gone."""
    found: list[tuple[ContentId, bytes | None]] = []
    octets = 0
    rows: Any = cursor.execute(_RAW, (json.dumps(asked),))
    for (content, raw, is_gone), wanted in zip(rows, asked, strict=False):
        if is_gone or content != wanted:
            raise message_is_gone()
        found.append((ContentId(content), raw))
        octets += len(raw or b"")
        if octets >= SLICE_BYTES:
            return found
    if len(found) < len(asked):
        raise message_is_gone()
    return found
