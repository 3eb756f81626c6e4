"""The ways in which something fails: the disk, a statement, or the memory of SQLite."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

import apsw

from reliability.disk.acts import Act

WRITING = frozenset({Act.WRITE, Act.SYNC, Act.TRUNCATE, Act.DELETE, Act.CREATE, Act.RENAME})
NEEDS_ROOM = frozenset({Act.WRITE, Act.CREATE, Act.RENAME})
OPENING = frozenset({Act.OPEN, Act.CREATE})
SYNCING = frozenset({Act.SYNC, Act.SYNC_DIRECTORY})


class Kind(Enum):
    """A kind of failure, with the operations that it makes fail, and how."""

    FULL = "full disk"
    FAILED = "I/O error when writing"
    NO_SYNC = "I/O error when syncing"
    FULL_AT_SYNC = "full disk found when syncing"
    UNREADABLE = "I/O error when reading"
    READ_ONLY = "read-only disk"
    FEW_FILES = "too many open files"
    NO_MEMORY = "no memory when writing"
    STATEMENT_FULL = "statement: full disk"
    STATEMENT_FAILED = "statement: I/O error"
    STATEMENT_MEMORY = "statement: no memory"
    HEAP = "SQLite's heap is used up"


DISK = {
    Kind.FULL: (NEEDS_ROOM, errno.ENOSPC),
    Kind.FAILED: (WRITING - SYNCING, errno.EIO),
    Kind.NO_SYNC: (SYNCING, errno.EIO),
    Kind.FULL_AT_SYNC: (SYNCING, errno.ENOSPC),
    Kind.UNREADABLE: (frozenset({Act.READ}), errno.EIO),
    Kind.READ_ONLY: (WRITING, errno.EROFS),
    Kind.FEW_FILES: (OPENING, errno.EMFILE),
    Kind.NO_MEMORY: (frozenset({Act.WRITE}), errno.ENOMEM),
}

STATEMENT: dict[Kind, Callable[[], Exception]] = {
    Kind.STATEMENT_FULL: lambda: apsw.FullError("no room, says the plan"),
    Kind.STATEMENT_FAILED: lambda: apsw.IOError("the disk fails, says the plan"),
    Kind.STATEMENT_MEMORY: lambda: apsw.NoMemError("out of memory, says the plan"),
}

HEAP_STEP = 3000
"""By so many octets more memory is left at each next point."""


@dataclass
class Plan:
    """Something fails at the operation number *point*, counted from 1; where it is *lasting*, so do the later ones."""

    kind: Kind
    point: int
    lasting: bool
    is_armed: bool = False
    met: int = 0
    """How many such operations there were."""
    failures: int = 0

    def __str__(self) -> str:
        return f"{self.kind.value}, point {self.point}{', lasting' if self.lasting else ''}"

    def trouble(self, act: Act, path: str) -> int:
        """For the layer."""
        if not self.is_armed or self.kind not in DISK:
            return 0
        acts, number = DISK[self.kind]
        return number if act in acts and self._fails() else 0

    def trace(self, cursor: apsw.Cursor, statement: str, bindings: object) -> bool:
        """For SQLite: called before each statement."""
        if self.is_armed and self.kind in STATEMENT and self._fails():
            raise STATEMENT[self.kind]()
        return True

    def _fails(self) -> bool:
        self.met += 1
        fails = self.met >= self.point if self.lasting else self.met == self.point
        self.failures += fails
        return fails

    @contextmanager
    def armed(self) -> Iterator[None]:
        """A block in which it happens."""
        self.is_armed = True
        if self.kind is Kind.HEAP:
            apsw.hard_heap_limit(apsw.memory_used() + self.point * HEAP_STEP)
        try:
            yield
        finally:
            self.is_armed = False
            if self.kind is Kind.HEAP:
                apsw.hard_heap_limit(0)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """A block in which new connections are traced."""

        def hook(connection: apsw.Connection) -> None:
            connection.exec_trace = self.trace

        if self.kind in STATEMENT:
            apsw.connection_hooks.append(hook)
        try:
            yield
        finally:
            if hook in apsw.connection_hooks:
                apsw.connection_hooks.remove(hook)
