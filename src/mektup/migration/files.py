"""Makes a Source of a FileSource: its work is done in a thread, in slices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from itertools import islice
from typing import Final

from mektup.migration.source import CannotRead, FileSource, Head, Read, SourceMailbox, Tell
from mektup.store import files
from mektup.store.spool import Spool
from mektup.terms.sets import Uids

HEADS_AT_ONCE: Final = 2000
READ_AT_ONCE: Final = 100
READ_BYTES: Final = 2 * 1024 * 1024
"""A slice of read messages ends when it has so many octets."""


class OnDisk:
    """A ``Source`` in files, which can be followed: each run reads all that there is."""

    def __init__(self, source: FileSource) -> None:
        self._source = source

    async def mailboxes(self, tell: Tell) -> Sequence[SourceMailbox]:
        """See ``Source``, also for the other methods."""
        return await asyncio.to_thread(self._source.mailboxes, tell)

    async def heads(self, mailbox: SourceMailbox, tell: Tell) -> AsyncGenerator[Sequence[Head], None]:
        found = self._source.heads(mailbox, tell)
        while heads := await asyncio.to_thread(lambda: list(islice(found, HEADS_AT_ONCE))):
            yield heads

    async def read(
        self, mailbox: SourceMailbox, heads: Sequence[Head], spool: Callable[[], Spool]
    ) -> AsyncGenerator[Sequence[Read], None]:
        start = 0
        while start < len(heads):
            found = await asyncio.to_thread(self._read_some, mailbox, heads, start, spool)
            start += len(found)
            yield found

    def _read_some(
        self, mailbox: SourceMailbox, heads: Sequence[Head], start: int, spool: Callable[[], Spool]
    ) -> list[Read]:
        found: list[Read] = []
        octets = 0
        for head in islice(heads, start, start + READ_AT_ONCE):
            made = spool()
            found.append((head, self._filled(mailbox, head, made)))
            octets += made.size
            if octets >= READ_BYTES:
                break
        return found

    def _filled(self, mailbox: SourceMailbox, head: Head, made: Spool) -> Spool | CannotRead | None:
        try:
            if self._source.read(mailbox, head, made.write):
                return made
            problem = None
        except CannotRead as error:
            problem = error
        except OSError as error:
            problem = CannotRead(files.reason(error))
        made.close()
        return problem

    async def close(self) -> None:
        pass

    def use_mark(self, mark: bytes | None) -> None:
        """See ``Follows``, also for the other methods: files do not say what changed since a moment."""

    def gone(self) -> Uids | None:
        return None

    def mark(self, mailbox: SourceMailbox) -> bytes | None:
        return None

    def note_missing(self, marks: Mapping[str, bytes]) -> None:
        pass
