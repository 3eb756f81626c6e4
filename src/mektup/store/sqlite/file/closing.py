"""What the process knows of a file between two openings, and the mark that it writes when it closes the file.

See ``tables.account_row`` for the purpose.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from mektup.store.sqlite.file.change import AccountRow, Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.errors import ENGINE_ERRORS
from mektup.terms.numbers import ModSeq


class Closing:
    """The closing of one account's file; does nothing for other files and for a database in memory."""

    def __init__(self, path: Path | None, account: AccountRow | None, seen: Callable[[ModSeq], None]) -> None:
        """*account* is for an account's file; *seen* receives, in any thread, modseqs that are used and on disk."""
        self._path = path
        self._account = None if path is None else account
        self._seen = seen
        self.is_vouched_for = False
        """Whether the file was checked for losses; before that, it gets no mark when it is closed."""
        self._file: tuple[int, int] | None = None
        """Device and inode, which differ for another file with the same name."""
        self._closed_at = 0
        """The modseq at which the file was last closed."""
        self.is_well_closed = False
        """Whether the file was closed properly before, and this process has not changed it since."""
        self._has_written = False

    @property
    def is_of_account(self) -> bool:
        """Whether the file is an account's."""
        return self._account is not None

    def is_gone(self, cursor: Cursor) -> bool:
        """Whether the account was removed."""
        try:
            return self._account is not None and self._account.last_closed(cursor) is None
        except ENGINE_ERRORS:
            return False

    def is_another(self, cursor: Cursor) -> bool:
        """Whether another file, or an older copy, has replaced the file that was open before. Raises OSError."""
        if self._account is None or self._path is None:
            return False
        status = os.stat(self._path)
        before, self._file = self._file, (status.st_dev, status.st_ino)
        if before not in (None, self._file):
            return True
        if not self.is_vouched_for:
            return False
        row = self._account.last_closed(cursor)
        self.is_well_closed = row is not None and row[0] == row[1]
        return row is not None and row[0] < self._closed_at

    def note_written(self, change: Change, *, is_synced: bool) -> None:
        """Records that *change* is committed, and on disk if *is_synced*."""
        self._has_written = True
        if is_synced:
            self.is_well_closed = False
            if change.is_first:
                self._seen(change.modseq)

    def close(self, connections: Sequence[apsw.Connection], *, well: bool) -> None:
        """Closes *connections*; closing the last one of a file checkpoints it. From any thread.

        *well* is false where their changes may not be on disk.
        """
        modseq = self._marked(connections[-1]) if well else None
        for connection in connections:
            connection.close()
        has_written, self._has_written = self._has_written, False
        if modseq is None:
            return
        self._closed_at = modseq
        # all changes are on disk if the last connection has removed the WAL
        if has_written and not os.path.exists(f"{self._path}-wal"):
            self._seen(modseq)

    def _marked(self, connection: apsw.Connection) -> ModSeq | None:
        if self._account is None or not self.is_vouched_for:
            return None
        cursor = connection.cursor()
        try:
            return self._account.mark_closed(cursor)
        except ENGINE_ERRORS:
            return None  # the only consequence is an unnecessary gap after the next boot
        finally:
            cursor.close(True)
