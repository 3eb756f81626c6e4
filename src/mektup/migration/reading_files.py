"""Opens the files of a source: without following links, which another user may have put there, and decompressed."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, cast

from mektup.migration import texts
from mektup.migration.source import CannotRead
from mektup.store import system

PIECE_BYTES: Final = 256 * 1024

_DECOMPRESSED: Final[dict[bytes, Callable[[BinaryIO], BinaryIO]]] = {
    b"\x1f\x8b": lambda file: cast(BinaryIO, gzip.GzipFile(fileobj=file)),
    b"BZh": lambda file: cast(BinaryIO, bz2.BZ2File(file)),
    b"\xfd7zXZ\0": lambda file: cast(BinaryIO, lzma.LZMAFile(file)),
}
"""By the first octets of a file, which no message has."""

_UNREADABLE: Final = {
    b"\x28\xb5\x2f\xfd": texts.COMPRESSED.of(method="zstd"),
    b"Dovecot-LZ4": texts.COMPRESSED.of(method="lz4"),
    b"CRYPTED\x03\x07": texts.ENCRYPTED,
}


def opened(path: Path | str) -> BinaryIO:
    """The regular file *path*, to read. Raises OSError, and CannotRead where it is something else."""
    # a pipe would wait for a writer
    number = os.open(path, os.O_RDONLY | system.NO_FOLLOW | system.CLOSE_ON_EXEC | getattr(os, "O_NONBLOCK", 0))
    file = os.fdopen(number, "rb")
    if not stat.S_ISREG(os.fstat(number).st_mode):
        file.close()
        raise CannotRead(texts.NO_FILE)
    return file


def octets_of(path: Path, most: int) -> bytes | None:
    """The octets of a small file; None where it does not exist. Raises OSError, also for more than *most* octets."""
    try:
        with opened(path) as file:
            octets = file.read(most + 1)
    except (FileNotFoundError, CannotRead):
        return None
    if len(octets) > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return octets


def copy_message(file: BinaryIO, write: Callable[[bytes], object], most: int) -> None:
    """Writes the message in *file*, decompressed, in pieces; at most a little more than *most* octets.

    Raises CannotRead and OSError.
    """
    piece = file.read(PIECE_BYTES)
    for mark, problem in _UNREADABLE.items():
        if piece.startswith(mark):
            raise CannotRead(problem)
    decompress = next((each for mark, each in _DECOMPRESSED.items() if piece.startswith(mark)), None)
    source = file
    left = most
    try:
        if decompress is not None:
            file.seek(0)
            source = decompress(file)
            piece = source.read(PIECE_BYTES)
        while piece:
            write(piece)
            left -= len(piece)
            piece = source.read(PIECE_BYTES) if left >= 0 else b""
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise CannotRead(texts.CUT_OFF) from error
    except OSError as error:
        if decompress is None or error.errno is not None:
            raise
        raise CannotRead(texts.CUT_OFF) from error  # bz2 has no error of its own
