"""How SQLite is set: of each connection, and of the WAL, when it is moved into the file and how large it stays."""

from __future__ import annotations

import apsw

from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.schema import PAGE_BYTES

NEAR_BUSY_MS = 2
"""How long the loop itself waits for another process's commit, which takes less; then a thread waits."""

FAR_BUSY_MS = 10_000

NEAR_CACHE_KIB = 256
FAR_CACHE_KIB = 4096

CHECKPOINT_PAGES = 1000
"""Pages in the WAL at which they are moved into the file."""

RESTART_PAGES = 4 * CHECKPOINT_PAGES
"""Pages at which writers wait for the checkpoint, so that the WAL starts over: it never does while they go on."""

RESTART_BUSY_MS = 50
"""How long they wait for who still reads from the WAL: a search may for many seconds."""

USUAL_WAL_BYTES = (RESTART_PAGES + CHECKPOINT_PAGES) * PAGE_BYTES
"""What the WAL of a file that is open may keep: as much as it has under load before it starts over.

SQLite writes over it. A WAL that was made smaller grows again with the next load, and each sync of a file that grows
takes about twice as long. It goes when the file is closed, which one that rests is soon (``open_files``).
"""


def apply(connection: apsw.Connection, busy_ms: int, cache_kib: int) -> None:
    """Sets what every connection has. Raises what apsw raises."""
    connection.set_busy_timeout(busy_ms)
    # Else SQLite plans a statement anew each time that a bound value may matter, which costs more than to run it.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.execute(
        "PRAGMA synchronous = NORMAL; PRAGMA fullfsync = ON; PRAGMA temp_store = MEMORY; "
        f"PRAGMA cache_size = {-cache_kib}; PRAGMA journal_size_limit = {USUAL_WAL_BYTES}"
    )


def checkpoint(cursor: Cursor, mode: int) -> None:
    """Moves the WAL into the file, by a connection with FAR_BUSY_MS. Raises what apsw raises."""
    connection = cursor.connection
    if mode != apsw.SQLITE_CHECKPOINT_PASSIVE:
        connection.set_busy_timeout(RESTART_BUSY_MS)
    try:
        connection.wal_checkpoint(mode=mode)
    finally:
        connection.set_busy_timeout(FAR_BUSY_MS)
