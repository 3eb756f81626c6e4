"""What is known of a file from one opening to the next, and what is written in it when it is closed.

See ``recovery`` for what it is good for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.errors import ENGINE_ERRORS
from mektup.terms.numbers import ModSeq

Mark = Callable[[Cursor], ModSeq | None]
"""Writes that a file was closed well; see ``recovery.mark_closed``."""


class Closing:
    """Of one account's file; for any other file, and for none, it knows nothing and asks for nothing."""

    def __init__(self, path: Path | None, mark: Mark | None, seen: Callable[[ModSeq], None]) -> None:
        """*mark* is for an account's file; *seen* is told, from any thread, of modseqs that are given and on disk."""
        self._path = path
        self._mark = None if path is None else mark
        self._seen = seen
        self.is_vouched_for = False
        """Whether what may be lost of the file was looked into: until then it is not closed well, whatever happens."""
        self._file: tuple[int, int] | None = None
        """Device and inode: another of the same name is another file."""
        self._closed_at = 0
        """The modseq at which it was closed last."""
        self.is_well_closed = False
        """Whether the file was when it was opened, and this process has not changed it since."""
        self._has_written = False

    @property
    def is_of_account(self) -> bool:
        """Whether it is an account's file."""
        return self._mark is not None

    def is_gone(self, cursor: Cursor) -> bool:
        """Whether the account was removed."""
        try:
            return self.is_of_account and cursor.execute("SELECT 1 FROM account").get is None
        except ENGINE_ERRORS:
            return False

    def is_another(self, cursor: Cursor) -> bool:
        """Whether it is not the file that was open before, or an older copy was written over it. Raises OSError."""
        if self._mark is None or self._path is None:
            return False
        status = os.stat(self._path)
        before, self._file = self._file, (status.st_dev, status.st_ino)
        if before not in (None, self._file):
            return True
        if not self.is_vouched_for:
            return False
        row: tuple[int, int] | None = cursor.execute("SELECT modseq, closed FROM account").get
        self.is_well_closed = row is not None and row[0] == row[1]
        return row is not None and row[0] < self._closed_at

    def note_written(self, change: Change, *, is_synced: bool) -> None:
        """*change* is committed, and on disk if *is_synced*."""
        self._has_written = True
        if is_synced:
            self.is_well_closed = False
            if change.is_first:
                self._seen(change.modseq)

    def close(self, connections: Sequence[apsw.Connection], *, well: bool) -> None:
        """Closes them; the last of all to close a file checkpoints it. From any thread.

        Not *well*, where what they wrote may not be on disk.
        """
        modseq = self._marked(connections[-1]) if well else None
        for connection in connections:
            connection.close()
        has_written, self._has_written = self._has_written, False
        if modseq is None:
            return
        self._closed_at = modseq
        # all of it is on disk when the last to close it has removed the WAL
        if has_written and not os.path.exists(f"{self._path}-wal"):
            self._seen(modseq)

    def _marked(self, connection: apsw.Connection) -> ModSeq | None:
        if self._mark is None or not self.is_vouched_for:
            return None
        cursor = connection.cursor()
        try:
            return self._mark(cursor)
        except ENGINE_ERRORS:
            return None  # the next life of the machine leaves a gap that was not needed, no more
        finally:
            cursor.close(True)
