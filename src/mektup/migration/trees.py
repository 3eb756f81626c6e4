"""Walks a tree of folders: its regular files, in order, without following links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mektup.migration import texts
from mektup.migration.source import Tell
from mektup.store import files

DEEPEST: Final = 64


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a tree."""

    path: Path
    folders: tuple[str, ...]
    """The names of the folders between the root and the file."""


def walk(root: Path, tell: Tell) -> Iterator[Found]:
    """The files below *root*, or *root* itself where it is a file; sorted, and those of a folder before its folders.

    Tells the folders that cannot be read. Names that begin with a dot are left out.
    """
    if not root.is_dir():
        yield Found(root, ())
        return
    waiting: list[tuple[Path, tuple[str, ...]]] = [(root, ())]
    while waiting:
        folder, above = waiting.pop()
        names, folders = _entries(folder, tell)
        yield from (Found(folder / name, above) for name in names)
        if len(above) < DEEPEST:
            waiting += [(folder / name, (*above, name)) for name in reversed(folders)]


def _entries(folder: Path, tell: Tell) -> tuple[list[str], list[str]]:
    names: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for each in entries:
                if each.name.startswith("."):
                    continue
                if each.is_dir(follow_symlinks=False):
                    folders.append(each.name)
                elif each.is_symlink():
                    tell(each.path, texts.LINK)
                elif each.is_file(follow_symlinks=False):
                    names.append(each.name)
    except OSError as error:
        tell(str(folder), files.reason(error, folder))
    return sorted(names), sorted(folders)
