"""The tables of an account's file and of the directory, and the upgrades from each older version.

Data that is read together is stored together. The rows of ``messages`` are small, so FLAGS of a whole mailbox scans
few pages. ENVELOPE is in ``contents``. The structures, and the texts for SEARCH and SORT, have their own tables. The
bytes are in ``chunks``, numbered so that any range is found without an index. ``mailboxes.highestmodseq`` and the
counters change in the same transaction as the rows that they count. The text index is filled in the background, see
``text_index``.
"""

from __future__ import annotations

from itertools import count

import apsw

from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.schema import Schema
from mektup.store.sqlite.tables import (
    access_lists,
    account_figures,
    account_log,
    addresses,
    adoption_keys,
    changed_runs,
    header_fields,
    metadata,
    past,
    quota,
    sharing,
    text_blocks,
    threads,
    trigrams,
)
from mektup.terms.names import DELIMITER, OTHER_USERS, PAST
from mektup.terms.numbers import MailboxId

CHUNK_BYTES = 256 * 1024
"""Octets in a chunk. The first chunk has only the header, or as much of it as fits, so that HEADER reads one row."""

CHUNK_BITS = 12
"""The low bits of a chunk's key, which number it in its content: enough for 1 GiB."""

ACCOUNT_TABLES = f"""
CREATE TABLE account (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL,
    modseq INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,   -- the highest ever used
    content INTEGER NOT NULL,       -- the highest contents.id ever used
    boot TEXT NOT NULL,             -- the machine's boot when the file was last opened, see recovery.py
    closed INTEGER NOT NULL DEFAULT -1,  -- the modseq when it was last closed properly, see account_row.py
    place TEXT NOT NULL DEFAULT '', -- the place of the file, see place.py
    log_floor INTEGER NOT NULL DEFAULT 0, -- the first modseq since which the log is complete, see account_log.py
    retained INTEGER NOT NULL DEFAULT 0,  -- the weight of all expunged messages that are kept, see retained.py
    past_from INTEGER NOT NULL DEFAULT 0  -- the moment since which the history is complete, see past.py
);
CREATE TABLE mailboxes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    uidvalidity INTEGER NOT NULL,
    uidnext INTEGER NOT NULL,
    highestmodseq INTEGER NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    unseen INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    recent INTEGER NOT NULL DEFAULT 0,
    mailboxid TEXT NOT NULL,
    special_use TEXT UNIQUE,
    selectable INTEGER NOT NULL DEFAULT 1,
    recent_from INTEGER NOT NULL DEFAULT 1,   -- the first UID that no session has claimed as \\Recent
    keywords TEXT NOT NULL DEFAULT '',        -- in order of first use, separated by spaces
    runs INTEGER NOT NULL DEFAULT 0,          -- the number of its rows in "touched"
    created INTEGER NOT NULL DEFAULT 0,       -- the modseq of its creation, see account_log.py
    changed INTEGER NOT NULL DEFAULT 0,       -- the modseq of the last change of its name or its attributes
    named INTEGER NOT NULL DEFAULT 0          -- the moment of that change, seconds since 1970 UTC
);
CREATE TABLE subscriptions (
    name TEXT PRIMARY KEY,
    changed INTEGER NOT NULL DEFAULT 0        -- the modseq at which it began
) WITHOUT ROWID;
CREATE TABLE keyword_sets (
    id INTEGER PRIMARY KEY,
    names TEXT NOT NULL UNIQUE                -- sorted by their folded spelling, separated by spaces
);
CREATE TABLE messages (
    mailbox INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    content INTEGER NOT NULL,
    size INTEGER NOT NULL,
    arrived INTEGER NOT NULL,       -- the internal date, seconds since 1970 UTC
    zone INTEGER NOT NULL,          -- minutes east of UTC
    internaldate BLOB NOT NULL,     -- arrived and zone as FETCH shows them
    saved INTEGER NOT NULL,         -- when it was added to this mailbox, seconds since 1970 UTC
    PRIMARY KEY (mailbox, uid)
) WITHOUT ROWID;
CREATE TABLE expunged (             -- every UID below a mailbox's uidnext is in messages or in one of these ranges
    mailbox INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (mailbox, modseq, first)
) WITHOUT ROWID;
{changed_runs.TABLE}
CREATE TABLE contents (
    id INTEGER PRIMARY KEY,         -- never used twice, as a session may still have one that was freed
    size INTEGER NOT NULL,
    header_size INTEGER NOT NULL,
    digest BLOB NOT NULL,
    envelope BLOB NOT NULL,
    thread INTEGER NOT NULL DEFAULT 0  -- see rules/threads.py
);
CREATE TABLE shared (               -- only contents that several rows of messages refer to
    content INTEGER PRIMARY KEY,
    copies INTEGER NOT NULL         -- the number of messages after the first
);
CREATE TABLE structures (
    content INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    bodystructure BLOB NOT NULL,
    layout BLOB NOT NULL
);
CREATE TABLE texts (                -- decoded; case-folded, except for the preview
    content INTEGER PRIMARY KEY,
    sent INTEGER,
    sent_zone INTEGER NOT NULL,
    subject TEXT NOT NULL,
    from_ TEXT NOT NULL,
    to_ TEXT NOT NULL,
    cc TEXT NOT NULL,
    bcc TEXT NOT NULL,
    base_subject TEXT NOT NULL,
    is_reply INTEGER NOT NULL,
    from_key TEXT NOT NULL,
    to_key TEXT NOT NULL,
    cc_key TEXT NOT NULL,
    display_from TEXT NOT NULL,
    display_to TEXT NOT NULL,
    message_id TEXT NOT NULL,
    reference_ids TEXT NOT NULL,    -- separated by spaces
    preview TEXT NOT NULL
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,         -- content << CHUNK_BITS | number
    octets BLOB NOT NULL,
    packed INTEGER NOT NULL         -- the kind of compression, see chunk_compression.py
);
{header_fields.TABLE}
"""

SEARCH_TABLES = f"""
CREATE INDEX messages_by_content ON messages (content);
CREATE TABLE freed (                -- contents that are removed, but not yet from the next two tables
    content INTEGER PRIMARY KEY
);
{text_blocks.TABLE}
{trigrams.TABLE}
"""
"""Since version 2."""

DIRECTORY_TABLES = """
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    folded TEXT NOT NULL UNIQUE,
    secrets TEXT NOT NULL,          -- a JSON object
    seen INTEGER NOT NULL DEFAULT 0, -- a modseq that its file has used, see seen.py
    hidden TEXT NOT NULL DEFAULT '' -- capabilities that are hidden from its clients, separated by spaces
) WITHOUT ROWID;
"""


UNFINISHED_TABLE = """
CREATE TABLE unfinished (           -- IDs of accounts that are being added or removed, whose files may exist
    id TEXT PRIMARY KEY
) WITHOUT ROWID;
"""
"""Since version 2."""


def _add_search(connection: apsw.Connection) -> None:
    connection.execute(SEARCH_TABLES)


def _add_touched(connection: apsw.Connection) -> None:
    cursor: Cursor = connection.cursor()
    cursor.execute(
        f"DROP INDEX messages_by_modseq; ALTER TABLE mailboxes ADD COLUMN runs INTEGER NOT NULL DEFAULT 0; "
        f"{changed_runs.TABLE}"
    )
    for (mailbox,) in cursor.execute("SELECT id FROM mailboxes").fetchall():
        changed_runs.build(cursor, MailboxId(mailbox))


def _add_header_fields(connection: apsw.Connection) -> None:
    connection.execute(header_fields.TABLE)


def _rebuild_index(connection: apsw.Connection) -> None:
    # before, a document had one message; and an older mektup cannot read chunks that are packed against texts
    connection.execute(f"{trigrams.FORGET_ALL}; DELETE FROM search_texts; DELETE FROM freed")


def _add_recovery(connection: apsw.Connection) -> None:
    # it is not certain that an older mektup closed the file properly; a gap costs little
    connection.execute(
        "ALTER TABLE account ADD COLUMN closed INTEGER NOT NULL DEFAULT -1; "
        "ALTER TABLE account ADD COLUMN place TEXT NOT NULL DEFAULT ''"
    )


def _add_log(connection: apsw.Connection) -> None:
    connection.execute(
        "ALTER TABLE account ADD COLUMN log_floor INTEGER NOT NULL DEFAULT 0; "
        "ALTER TABLE mailboxes ADD COLUMN created INTEGER NOT NULL DEFAULT 0; "
        "ALTER TABLE mailboxes ADD COLUMN changed INTEGER NOT NULL DEFAULT 0; "
        "ALTER TABLE subscriptions ADD COLUMN changed INTEGER NOT NULL DEFAULT 0; "
        f"{account_log.TABLE} UPDATE account SET log_floor = modseq"
    )


def _add_access(connection: apsw.Connection) -> None:
    connection.execute(access_lists.TABLE)
    # from now on these names mean mailboxes of other accounts
    _leave_namespace(connection.cursor(), OTHER_USERS)


def _leave_namespace(cursor: Cursor, first: str) -> None:
    """Renames own mailboxes whose first level is *first*."""
    taken = frozenset(name.partition(DELIMITER)[0] for (name,) in cursor.execute("SELECT name FROM mailboxes"))
    if first in taken:
        free = next(name for number in count(2) if (name := f"{first} {number}") not in taken)
        for table in ("mailboxes", "subscriptions"):
            cursor.execute(
                f"UPDATE {table} SET name = ?1 || substr(name, length(?2) + 1) WHERE name = ?2 OR name LIKE ?2 || '/%'",
                (free, first),
            )
        cursor.execute("UPDATE account SET log_floor = modseq; DELETE FROM tombstones")


def _add_sharing(connection: apsw.Connection) -> None:
    connection.execute(sharing.TABLE)


def _add_quota(connection: apsw.Connection) -> None:
    connection.execute(quota.TABLE)


def _add_metadata(connection: apsw.Connection) -> None:
    connection.execute(metadata.TABLE)


def _add_imported(connection: apsw.Connection) -> None:
    connection.execute(adoption_keys.TABLE)


def _add_retention(connection: apsw.Connection) -> None:
    cursor: Cursor = connection.cursor()
    if cursor.execute("SELECT 1 FROM pragma_table_info('touched') WHERE name = 'flipped'").get is None:
        cursor.execute(
            "ALTER TABLE touched ADD COLUMN moment INTEGER NOT NULL DEFAULT 0; "
            "ALTER TABLE touched ADD COLUMN flipped INTEGER NOT NULL DEFAULT 0"
        )
    cursor.execute(
        "ALTER TABLE account ADD COLUMN retained INTEGER NOT NULL DEFAULT 0; "
        "ALTER TABLE account ADD COLUMN past_from INTEGER NOT NULL DEFAULT 0; "
        "ALTER TABLE mailboxes ADD COLUMN named INTEGER NOT NULL DEFAULT 0; "
        f"{past.TABLES} UPDATE account SET past_from = unixepoch()"
    )
    _leave_namespace(cursor, PAST)


def _add_unfinished(connection: apsw.Connection) -> None:
    connection.execute(f"ALTER TABLE accounts ADD COLUMN seen INTEGER NOT NULL DEFAULT 0; {UNFINISHED_TABLE}")


def _add_hidden(connection: apsw.Connection) -> None:
    connection.execute("ALTER TABLE accounts ADD COLUMN hidden TEXT NOT NULL DEFAULT ''")


def _add_addresses(connection: apsw.Connection) -> None:
    connection.execute(addresses.TABLES)


def _add_figures(connection: apsw.Connection) -> None:
    connection.execute(account_figures.TABLES)


ACCOUNT = Schema(
    application_id=0x6D656B41,
    tables=ACCOUNT_TABLES
    + SEARCH_TABLES
    + account_log.TABLE
    + threads.TABLE
    + access_lists.TABLE
    + quota.TABLE
    + metadata.TABLE
    + adoption_keys.TABLE
    + past.TABLES,
    upgrades=(
        _add_search,
        _add_touched,
        _add_header_fields,
        _rebuild_index,
        _add_recovery,
        _add_log,
        threads.upgrade,
        _add_access,
        _add_quota,
        _add_metadata,
        _add_imported,
        _add_retention,
    ),
)
DIRECTORY = Schema(
    application_id=0x6D656B44,
    tables=DIRECTORY_TABLES
    + UNFINISHED_TABLE
    + sharing.TABLE
    + metadata.TABLE
    + addresses.TABLES
    + account_figures.TABLES,
    upgrades=(_add_unfinished, _add_sharing, _add_metadata, _add_hidden, _add_addresses, _add_figures),
)
