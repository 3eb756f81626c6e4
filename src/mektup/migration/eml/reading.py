"""Reads a folder, or a tree of folders, with a file for each message."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mektup.migration import names
from mektup.migration.eml import index_file
from mektup.migration.eml.index_file import Index
from mektup.migration.reading_files import copy_message, octets_of, opened
from mektup.migration.source import Head, SourceMailbox, Tell
from mektup.migration.trees import walk
from mektup.store import files
from mektup.terms.limits import MIB, Limits
from mektup.terms.names import INBOX
from mektup.terms.numbers import NO_MODSEQ, ModSeq

ENDING: Final = ".eml"

MODSEQ_OF_EXPORT: Final = ModSeq(1_000_000_000_000)
"""Higher than the HIGHESTMODSEQ that a client of an exported account has seen."""

_INDEX_BYTES: Final = 1024 * MIB


@dataclass(frozen=True, slots=True)
class _Folder:
    paths: list[Path]
    index: Index | None


class EmlSource:
    """A ``FileSource``: each folder with such files is a mailbox."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self._root = root
        self._limits = limits

    def mailboxes(self, tell: Tell) -> Sequence[SourceMailbox]:
        """See ``FileSource``, also for the other methods."""
        found: dict[tuple[str, ...], list[Path]] = {}
        indexed: dict[tuple[str, ...], Index] = {}
        for each in walk(self._root, tell):
            if each.path.name.lower().endswith(ENDING) or each.path == self._root:
                found.setdefault(each.folders, []).append(each.path)
            elif each.path.name == index_file.NAME:
                index = self._index(each.path, tell)
                if index is not None:
                    indexed[each.folders] = index
                    found.setdefault(each.folders, [])
        is_export = bool(indexed)
        return [
            self._mailbox(folders, paths, indexed.get(folders), is_export, tell)
            for folders, paths in sorted(found.items())
        ]

    def _index(self, path: Path, tell: Tell) -> Index | None:
        try:
            octets = octets_of(path, _INDEX_BYTES)
        except OSError as error:
            tell(str(path), files.reason(error, path))
            return None
        return None if octets is None else index_file.read_index(octets, self._limits)

    def _mailbox(
        self, folders: tuple[str, ...], paths: list[Path], index: Index | None, is_export: bool, tell: Tell
    ) -> SourceMailbox:
        place = str(self._root.joinpath(*folders))
        if folders:
            name = names.from_octets([os.fsencode(each) for each in folders], place, tell, self._limits)
        elif is_export:
            name = INBOX
        else:
            folder = self._root if self._root.is_dir() else self._root.absolute().parent
            name = names.usable([folder.absolute().name], self._limits)
        return SourceMailbox(
            name,
            place,
            uidvalidity=None if index is None else index.uidvalidity,
            uidnext=None if index is None else index.uidnext,
            highestmodseq=NO_MODSEQ if index is None else MODSEQ_OF_EXPORT,
            subscribed=None if index is None else index.subscribed,
            special_use=names.special_use(name) if index is None else index.special_use,
            messages=len(paths),
            where=_Folder(paths, index),
        )

    def heads(self, mailbox: SourceMailbox, tell: Tell) -> Iterator[Head]:
        folder: _Folder = mailbox.where
        paths = {path.name: path for path in folder.paths}
        entries = {} if folder.index is None else folder.index.entries
        for name, entry in entries.items():
            if name in paths:
                path = paths.pop(name)
                yield Head(str(path), entry.uid, entry.flags, entry.internaldate, entry.zone, entry.saved, where=path)
        # their dates are those of their Date fields, because copies of files often have the date of the copy
        yield from (Head(str(path), where=path) for path in paths.values())

    def read(self, mailbox: SourceMailbox, head: Head, write: Callable[[bytes], object]) -> bool:
        path: Path = head.where
        try:
            with opened(path) as file:
                copy_message(file, write, self._limits.message_bytes)
        except FileNotFoundError:
            return False
        return True
