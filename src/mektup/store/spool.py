"""Receives a message: keeps it in memory while it is small, in a temporary file when it is large.

Turns a bare LF into CRLF, because IMAP's lines end in CRLF, and changes nothing else. The file has no name, so it
disappears whatever happens. The messages of one APPEND share a file.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from mmap import ACCESS_READ, ALLOCATIONGRANULARITY, mmap
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from types import TracebackType
from typing import BinaryIO, Self, cast

from mektup.message.scan import Octets
from mektup.message.transfer import with_crlf
from mektup.store import system
from mektup.store.faults import Faults, fault_of_os_error
from mektup.terms.limits import MIB

MEMORY_BYTES = 1 * MIB
"""A larger message goes to a file."""


PROCESS_BYTES = 64 * MIB
"""What all spools of a process may hold in memory together; beyond it, a spool goes to its file at once."""


class SpoolMemory:
    """Counts the octets that the spools of a process hold in memory."""

    __slots__ = ("_most", "held")

    def __init__(self, most: int = PROCESS_BYTES) -> None:
        self._most = most
        self.held = 0

    def take(self, octets: int) -> bool:
        """Counts *octets* more, and returns true; false if that would be too many."""
        if self.held + octets > self._most:
            return False
        self.held += octets
        return True

    def give_back(self, octets: int) -> None:
        """Counts *octets* less."""
        self.held -= octets


class SpoolFile:
    """A file without a name, created when needed, that several spools use one after the other."""

    __slots__ = ("_directory", "_file")

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._file: BinaryIO | None = None

    def at_end(self) -> tuple[BinaryIO, int]:
        """The file, and the offset of the next spool, from which the file can be mapped. Raises OSError."""
        if self._file is None:
            self._file = cast(BinaryIO, TemporaryFile(dir=self._directory))
        end = self._file.seek(0, os.SEEK_END)
        return self._file, self._file.seek(-(-end // ALLOCATIONGRANULARITY) * ALLOCATIONGRANULARITY)

    def close(self) -> None:
        """Closes the file; may be called twice."""
        if self._file is not None:
            with suppress(OSError):  # a full disk may be reported only here
                self._file.close()
            self._file = None


class Stretch:
    """Octets in a file. Each slice is read from the file when it is asked for."""

    __slots__ = ("_file", "_size", "_start")

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size = file, start, size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, which: slice) -> bytes:
        """Raises OSError."""
        start, stop, _ = which.indices(self._size)
        octets = system.read_at(self._file.fileno(), max(0, stop - start), self._start + start)
        if len(octets) < stop - start:
            raise OSError(errno.EIO, "A file ends too early")
        return octets


class Spool:
    """Takes a message in pieces with ``write``, and returns it whole with ``octets``. A context manager.

    *limit*: the most octets of the stored message; None for no limit. *directory*: for the file of a large message;
    None for the system's temporary directory. *faults*: receives faults of that file. *memory*: a message up to this
    many octets stays in memory, as long as *budget*, which spools of a process share, has room. *shared*: a file that
    large messages share; its owner closes it after the spools. *unchanged*: a bare LF stays, for octets that are not
    the whole message yet.
    """

    __slots__ = (
        "_after_cr",
        "_budget",
        "_directory",
        "_error",
        "_faults",
        "_file",
        "_limit",
        "_map",
        "_memory",
        "_most_in_memory",
        "_shared",
        "_size",
        "_start",
        "_stored",
        "_unchanged",
        "too_big",
    )

    def __init__(
        self,
        *,
        limit: int | None = None,
        directory: Path | None = None,
        memory: int = MEMORY_BYTES,
        faults: Faults | None = None,
        shared: SpoolFile | None = None,
        budget: SpoolMemory | None = None,
        unchanged: bool = False,
    ) -> None:
        self._unchanged = unchanged
        self._limit = limit
        self._budget = budget if budget is not None else SpoolMemory()
        self._shared = shared
        self._start = 0
        self._most_in_memory = memory
        self._directory = directory
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self._map: mmap | None = None
        self._size = 0
        self._stored = 0
        self._after_cr = False
        self._faults = faults
        self._error: OSError | None = None
        self.too_big = False
        """Whether the message is over the limit. Then the spool has dropped its octets, and ignores more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_unchanged(self) -> bool:
        """Whether bare LFs stay."""
        return self._unchanged

    @property
    def in_memory(self) -> int:
        """How many octets the spool holds in memory."""
        return len(self._memory)

    @property
    def size(self) -> int:
        """The size in octets as received, before a bare LF became CRLF."""
        return self._size

    def write(self, octets: bytes | memoryview) -> None:
        """Takes the next octets. Never raises: ``too_big`` and ``octets`` report what went wrong."""
        self._size += len(octets)
        if self.too_big or self._error is not None or not octets:
            return
        piece = bytes(octets) if self._unchanged else self._with_crlf(bytes(octets))
        self._stored += len(piece)
        if self._limit is not None and self._stored > self._limit:
            self.too_big = True
            self.close()
            return
        try:
            self._keep(piece)
        except OSError as error:
            self._error = error
            self.close()

    def _with_crlf(self, octets: bytes) -> bytes:
        after_cr, self._after_cr = self._after_cr, octets.endswith(b"\r")
        first = b""
        if after_cr and octets.startswith(b"\n"):  # a CRLF was split between two pieces
            first, octets = b"\n", octets[1:]
        return first + with_crlf(octets)

    def _keep(self, piece: bytes) -> None:
        if self._file is None:
            fits = len(self._memory) + len(piece) <= self._most_in_memory
            if fits and self._budget.take(len(piece)):
                self._memory += piece
                return
            if self._shared is not None:
                self._file, self._start = self._shared.at_end()
            else:
                self._file = cast(BinaryIO, TemporaryFile(dir=self._directory))
            self._file.write(self._memory)
            self._forget()
        self._file.write(piece)

    def _forget(self) -> None:
        self._budget.give_back(len(self._memory))
        self._memory = bytearray()

    def octets(self) -> Octets:
        """The message, with CRLF at the end of every line; valid until ``close``.

        Raises FaultRefused where the disk was full or failed.
        """
        if self._file is not None and self._map is None:
            try:
                self._file.flush()
                self._map = mmap(self._file.fileno(), self._stored, access=ACCESS_READ, offset=self._start)
            except OSError as error:
                self._error = error
            except ValueError as error:  # the file is shorter than the message
                self._error = OSError(errno.EIO, str(error))
        if self._error is not None:
            fault = fault_of_os_error(self._error, self._directory or gettempdir())
            if self._faults is not None:
                self._faults.happened(fault)
            raise fault.refusal() from self._error
        return self._map if self._map is not None else bytes(self._memory)

    def unmapped(self) -> bytes | Stretch:
        """The message as ``octets`` gave it, for a caller that only stores it: needs no mapping of the file."""
        self._unmap()
        return bytes(self._memory) if self._file is None else Stretch(self._file, self._start, self._stored)

    def _unmap(self) -> None:
        if self._map is not None:
            with suppress(BufferError):  # something still uses the mapping, which ends when that is done
                self._map.close()
            self._map = None

    def close(self) -> None:
        """Frees memory and file; may be called twice."""
        self._forget()
        self._unmap()
        if self._file is not None and self._shared is None:
            with suppress(OSError):  # a full disk may be reported only here
                self._file.close()
            self._file = None
