"""SQLite's settings: of each connection, and of the WAL, its checkpoints and its size."""

from __future__ import annotations

import apsw

from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.schema import PAGE_BYTES

NEAR_BUSY_MS = 2
"""How long the loop itself waits for another process's commit, which usually takes less; then a thread waits."""

FAR_BUSY_MS = 10_000

NEAR_CACHE_KIB = 256
FAR_CACHE_KIB = 4096

CHECKPOINT_PAGES = 1000
"""The pages in the WAL at which a checkpoint moves them into the file."""

RESTART_PAGES = 4 * CHECKPOINT_PAGES
"""The pages at which writers wait for the checkpoint, so that the WAL can start over; it cannot while they write."""

RESTART_BUSY_MS = 50
"""How long writers wait for readers of the WAL: a search may read for many seconds."""

USUAL_WAL_BYTES = (RESTART_PAGES + CHECKPOINT_PAGES) * PAGE_BYTES
"""The size that the WAL of an open file may keep: its size under load before it starts over.

SQLite overwrites it. A truncated WAL would grow again under the next load, and each sync of a growing file takes about
twice as long. Closing the file removes the WAL; an idle file is closed soon (``open_files``).
"""


def apply(connection: apsw.Connection, busy_ms: int, cache_kib: int) -> None:
    """Applies the settings of every connection. Raises apsw's errors."""
    connection.set_busy_timeout(busy_ms)
    # else SQLite plans a statement again whenever a bound value may matter, which costs more than running it
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.execute(
        "PRAGMA synchronous = NORMAL; PRAGMA fullfsync = ON; PRAGMA temp_store = MEMORY; "
        f"PRAGMA cache_size = {-cache_kib}; PRAGMA journal_size_limit = {USUAL_WAL_BYTES}"
    )


def checkpoint(cursor: Cursor, mode: int) -> None:
    """Moves the WAL into the file, by a connection with FAR_BUSY_MS. Raises apsw's errors."""
    connection = cursor.connection
    if mode != apsw.SQLITE_CHECKPOINT_PASSIVE:
        connection.set_busy_timeout(RESTART_BUSY_MS)
    try:
        connection.wal_checkpoint(mode=mode)
    finally:
        connection.set_busy_timeout(FAR_BUSY_MS)


def keep_wal(connection: apsw.Connection) -> None:
    """Says that closing *connection*, even as the last one of the file, moves nothing and removes no file."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


def close_without_checkpoint(connection: apsw.Connection) -> None:
    """Closes *connection*, which ends its transaction; from any thread.

    The WAL and the WAL-index stay, because this process has descriptors of them: of a removed WAL-index it would read
    the same state for ever, and it would sync a removed WAL.
    """
    keep_wal(connection)
    connection.close(True)
