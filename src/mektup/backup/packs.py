"""Packs: files of objects, each named by the digest of its octets, and an index of each pack.

An object is a message, or a page of a list of messages. In a pack it has a header with its digest and lengths, so the
index can be made again from the pack. docs/backup-format.md has the layout.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final
from zlib import crc32

from mektup.backup import compression, texts
from mektup.backup.damage import Damage, damage_at, damage_in
from mektup.store import files, system
from mektup.store.arrival import DIGEST_BYTES
from mektup.terms.errors import Refused
from mektup.terms.texts import Text

MAGIC: Final = b"mkP1"
INDEX_MAGIC: Final = b"mkI1"
_HEADER: Final = struct.Struct(f"<4sBBH{DIGEST_BYTES}sQQ")
"""Magic, kind, encoding, 0, digest, octets, stored octets."""
_CRC: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct(f"<B{DIGEST_BYTES}sQ")
"""Kind, digest, offset of the header."""

HEADER_BYTES: Final = _HEADER.size + _CRC.size
PIECE_BYTES: Final = 256 * 1024
SYNC_BYTES: Final = 1024 * 1024
"""So many octets of a pack at most wait to be written to the disk.

A server that waits for its own small write waits for all that waits on the same file system: for those of a whole pack
a good part of a second, where users should not wait 50 ms.
"""

MOST_OCTETS: Final = 1 << 40

AS_IT_IS: Final = 0
COMPRESSED: Final = 1


class Kind(IntEnum):
    """What an object is."""

    MESSAGE = 1
    PAGE = 2


@dataclass(frozen=True, slots=True)
class Name:
    """The name of an object."""

    kind: Kind
    digest: bytes

    @property
    def key(self) -> bytes:
        """A short form, for sets of many."""
        return bytes((self.kind,)) + self.digest


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an object in a pack."""

    name: Name
    encoding: int
    size: int
    """Octets of the object."""
    stored: int
    """Octets in the pack, after the header."""
    offset: int
    """Where the header begins."""

    @property
    def end(self) -> int:
        """Where the next object begins."""
        return self.offset + HEADER_BYTES + self.stored


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """A block whose errors of the system name the file *path*, which those of writing do not."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def digest_of(octets: bytes) -> bytes:
    """The digest that names *octets*, the same as the store's (EMAILID)."""
    return blake2b(octets, digest_size=DIGEST_BYTES).digest()


class PackWriter:
    """A pack that is being written."""

    def __init__(self, path: Path) -> None:
        """Creates the file *path*. Raises OSError, Refused."""
        self.path = path
        self._file = open(files.make_empty(path), "wb")
        self._packer = compression.Packer()
        self._unsynced = 0
        """Octets that were written since the last time that all were on disk."""
        self.octets = 0
        """Octets of the whole objects in it."""
        self.entries: list[tuple[Name, int]] = []
        """The objects, and the offsets of their headers."""

    def add(self, name: Name, octets: bytes) -> None:
        """Adds an object. Raises OSError; then the pack is as before."""
        smaller = self._packer.packed(octets)
        is_smaller = len(smaller) < len(octets)
        stored = smaller if is_smaller else octets
        header = _header(name, COMPRESSED if is_smaller else AS_IT_IS, len(octets), len(stored))
        try:
            self._write(header)
            self._write(stored)
        except OSError:
            self._go_back()
            raise
        self._added(name, len(header) + len(stored))

    def stream(self, name: Name, size: int) -> Adding:
        """Begins to add an object of *size* octets, whose octets come in pieces."""
        return Adding(self, self._file, name, size)

    def copy(self, header: Header, pieces: Iterable[bytes]) -> None:
        """Adds an object from another pack: its *header* there, and its stored octets."""
        try:
            self._write(_header(header.name, header.encoding, header.size, header.stored))
            for piece in pieces:
                self._write(piece)
        except (OSError, Refused):
            self._go_back()
            raise
        self._added(header.name, HEADER_BYTES + header.stored)

    def _write(self, octets: bytes) -> None:
        """Writes the next octets. Raises OSError."""
        with naming(self.path):
            self._file.write(octets)
            self._unsynced += len(octets)
            if self._unsynced >= SYNC_BYTES:
                self._file.flush()
                system.sync_data(self._file.fileno())
                self._unsynced = 0

    def _added(self, name: Name, octets: int) -> None:
        self.entries.append((name, self.octets))
        self.octets += octets

    def _go_back(self) -> None:
        """Removes what was written after the last whole object."""
        with suppress(OSError):  # such as a full disk, which a flush fills again
            self._file.seek(self.octets)
            self._file.truncate()

    def seal(self) -> None:
        """Closes the file; all of it is on disk then. Raises OSError."""
        with naming(self.path):
            self._file.flush()
            self._file.truncate(self.octets)
            os.fsync(self._file.fileno())
            self._file.close()

    def abandon(self) -> None:
        """Closes the file after an error. What was not flushed may be lost."""
        with suppress(OSError):
            self._file.close()


class Adding:
    """An object that is being added to a pack in pieces."""

    def __init__(self, pack: PackWriter, file: BinaryIO, name: Name, size: int) -> None:
        self._pack, self._file, self._name, self._size = pack, file, name, size
        self._stream = compression.PackStream(size)
        self._digest = blake2b(digest_size=DIGEST_BYTES)
        self._stored = 0
        pack._write(bytes(HEADER_BYTES))

    def write(self, piece: bytes) -> None:
        """Adds the next octets. Raises OSError."""
        self._digest.update(piece)
        ready = self._stream.add(piece)
        self._pack._write(ready)
        self._stored += len(ready)

    def end(self) -> None:
        """Finishes the object. Raises OSError, and Damage where its octets are not those of its name."""
        try:
            last = self._stream.end()
            if self._digest.digest() != self._name.digest:
                raise Damage(texts.OTHER_OCTETS)
            self._pack._write(last)
            with naming(self._pack.path):
                self._stored += len(last)
                self._file.seek(self._pack.octets)
                self._file.write(_header(self._name, COMPRESSED, self._size, self._stored))
                self._file.seek(self._pack.octets + HEADER_BYTES + self._stored)
        except (OSError, Damage):
            self.abandon()
            raise
        self._pack._added(self._name, HEADER_BYTES + self._stored)

    def abandon(self) -> None:
        """Removes the octets that were written."""
        self._pack._go_back()


def _header(name: Name, encoding: int, size: int, stored: int) -> bytes:
    header = _HEADER.pack(MAGIC, name.kind, encoding, 0, name.digest, size, stored)
    return header + _CRC.pack(crc32(header))


# Reading


def read_header(file: BinaryIO, path: Path, offset: int) -> Header:
    """The header at *offset*. Raises OSError, Damage."""
    file.seek(offset)
    octets = file.read(HEADER_BYTES)
    if len(octets) < HEADER_BYTES:
        raise damage_at(path, offset, texts.CUT_OFF)
    header, crc = octets[: _HEADER.size], octets[_HEADER.size :]
    magic, kind, encoding, _, digest, size, stored = _HEADER.unpack(header)
    if magic != MAGIC:
        raise damage_at(path, offset, texts.NO_FILE_OF_OURS)
    if _CRC.unpack(crc) != (crc32(header),) or kind not in Kind.__members__.values() or size > MOST_OCTETS:
        raise damage_at(path, offset, texts.CHECKSUM_WRONG)
    return Header(Name(Kind(kind), digest), encoding, size, stored, offset)


def read_named(file: BinaryIO, path: Path, key: bytes, offset: int) -> Header:
    """The header at *offset*, which must be of the object with *key*. Raises OSError, Damage."""
    header = read_header(file, path, offset)
    if header.name.key != key:
        raise damage_at(path, offset, texts.OTHER_OCTETS)
    return header


def stored_pieces(file: BinaryIO, path: Path, header: Header) -> Iterator[bytes]:
    """The stored octets of an object, in pieces. Raises OSError, Damage."""
    file.seek(header.offset + HEADER_BYTES)
    left = header.stored
    while left:
        piece = file.read(min(left, PIECE_BYTES))
        if not piece:
            raise damage_at(path, header.offset, texts.CUT_OFF)
        left -= len(piece)
        yield piece


def pieces(file: BinaryIO, path: Path, header: Header) -> Iterator[bytes]:
    """The octets of an object, in pieces. Raises OSError, and Damage, maybe only after the last piece."""
    digest, size = blake2b(digest_size=DIGEST_BYTES), 0
    stored = stored_pieces(file, path, header)
    try:
        for piece in compression.unpack_stream(stored) if header.encoding == COMPRESSED else stored:
            digest.update(piece)
            size += len(piece)
            if size > header.size:
                break
            yield piece
    except Damage as damage:
        raise _placed(path, header.offset, damage) from damage
    if size != header.size or digest.digest() != header.name.digest:
        raise damage_at(path, header.offset, texts.OTHER_OCTETS)


def _placed(path: Path, offset: int, damage: Damage) -> Damage:
    return damage if "octet" in damage.text.fields else damage_at(path, offset, damage.text)


def scan(path: Path, bad: Callable[[Text], None]) -> Iterator[Header]:
    """The headers of the objects in a pack, in their order, up to the first that cannot be read.

    *bad* gets what is wrong then. Raises OSError.
    """
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size
        offset = 0
        while offset < end:
            try:
                header = read_header(file, path, offset)
                if header.end > end:
                    raise damage_at(path, offset, texts.CUT_OFF)
            except Damage as damage:
                bad(damage.text)
                return
            yield header
            offset = header.end


# The index


def index_of(entries: Iterable[tuple[Name, int]]) -> bytes:
    """The octets of an index of *entries*."""
    rows = sorted((name.kind, name.digest, offset) for name, offset in entries)
    octets = INDEX_MAGIC + _CRC.pack(len(rows)) + b"".join(_ENTRY.pack(*row) for row in rows)
    return octets + digest_of(octets)


def read_index(path: Path) -> list[tuple[bytes, int]]:
    """The keys and offsets in the index *path*. Raises OSError, Damage."""
    octets = path.read_bytes()
    body, digest = octets[:-DIGEST_BYTES], octets[-DIGEST_BYTES:]
    start = len(INDEX_MAGIC) + _CRC.size
    if body[: len(INDEX_MAGIC)] != INDEX_MAGIC:
        raise damage_in(path, texts.NO_FILE_OF_OURS)
    if digest_of(body) != digest or (len(body) - start) % _ENTRY.size:
        raise damage_in(path, texts.CHECKSUM_WRONG)
    rows: Iterator[tuple[Any, ...]] = _ENTRY.iter_unpack(body[start:])
    return [(bytes((kind,)) + digest, offset) for kind, digest, offset in rows]
