"""Folders and files that an export makes: private, and, if root makes them, given to the owner of the folder above."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, cast

from mektup.migration import texts
from mektup.migration.source import CannotRead
from mektup.store import files


def require_new(path: Path) -> None:
    """Raises CannotRead where something is at *path*, except for an empty folder."""
    if path.is_dir():
        if next(path.iterdir(), None) is not None:
            raise CannotRead(texts.NOT_EMPTY.of(path=path))
    elif path.exists() or path.is_symlink():
        raise CannotRead(texts.THERE_ALREADY.of(path=path))


def made_folder(path: Path) -> Path:
    """Makes the folder *path*, and those above it. Raises OSError and Refused."""
    files.make_directory(path)
    return path


def new_file(path: Path) -> BinaryIO:
    """Makes the file *path*, which must not exist, to write. Raises OSError and Refused."""
    return cast(BinaryIO, os.fdopen(files.make_empty(path), "wb"))
