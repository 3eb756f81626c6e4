"""The threads of an account's messages; the rules are in ``rules.threads``."""

from __future__ import annotations

import json
from typing import Final

import apsw

from mektup.store.rules import threads
from mektup.store.sqlite.file.cursor import Cursor

TABLE: Final = """
CREATE TABLE thread_keys (          -- the Message-IDs that mail has or refers to, see rules/threads.py
    id INTEGER PRIMARY KEY,         -- the key of a Message-ID
    thread INTEGER NOT NULL         -- the thread of messages that have it
);
"""
"""Since version 8."""

_THREAD: Final = "SELECT thread FROM thread_keys WHERE id = ?"
_REMEMBER: Final = "INSERT INTO thread_keys VALUES (?, ?)"
_KNOWN: Final = "SELECT id, thread FROM thread_keys WHERE id IN (SELECT value FROM json_each(?))"
_ONE_BY_ONE: Final = 4
"""So many keys are found more quickly by a statement for each than by one for all."""
_UPGRADED: Final = 1000
"""How many contents an upgrade reads at a time."""


def join(cursor: Cursor, message_id: str, references: list[str] | tuple[str, ...], digest: bytes) -> int:
    """The thread of a message that is being added; remembers its IDs."""
    keys = threads.keys_of(message_id, references)
    if len(keys) == 1:
        # most messages refer to no other; this is quicker than the general way
        thread: int | None = cursor.execute(_THREAD, keys).get
        if thread is None:
            (thread,) = keys
            cursor.execute(_REMEMBER, (thread, thread))
        return thread
    found = threads.joined(keys, _known(cursor, keys), digest)
    if found.unknown:
        cursor.executemany(_REMEMBER, [(key, found.thread) for key in found.unknown])
    return found.thread


def _known(cursor: Cursor, keys: list[int]) -> dict[int, int]:
    """The threads of those of *keys* that are known."""
    if len(keys) > _ONE_BY_ONE:
        return dict(cursor.execute(_KNOWN, (json.dumps(keys),)).fetchall())
    return {key: thread for key in keys if (thread := cursor.execute(_THREAD, (key,)).get) is not None}


def upgrade(connection: apsw.Connection) -> None:
    """Gives the messages of a file of version 7 their threads, in the order in which they arrived."""
    connection.execute("ALTER TABLE contents ADD COLUMN thread INTEGER NOT NULL DEFAULT 0")
    connection.execute(TABLE)
    cursor: Cursor = connection.cursor()
    asked = (
        "SELECT c.id, t.message_id, t.reference_ids, c.digest FROM contents AS c JOIN texts AS t ON t.content = c.id "
        "WHERE c.id > ? ORDER BY c.id LIMIT ?"
    )
    last = 0
    while rows := cursor.execute(asked, (last, _UPGRADED)).fetchall():
        joined = [(join(cursor, message_id, ids.split(), digest), each) for each, message_id, ids, digest in rows]
        cursor.executemany("UPDATE contents SET thread = ? WHERE id = ?", joined)
        last = rows[-1][0]
