"""The states of a disk that a loss of power may leave.

What was synced is on disk. Of the rest, each operation may be there, or in part, whatever came before or after it: a
write may be torn between two sectors, a name may be missing although its file is on disk, or the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import TypeVar

from reliability.disk.recording import ROOT, Event, Inode, Recording, Rename, Resize, Sync, Write

Pending = TypeVar("Pending", Write | Resize, Rename)


class Fate(Enum):
    """What becomes of operations that were not synced."""

    DROPPED = "dropped"
    KEPT = "kept"
    CUT = "kept up to one"
    """The first ones are on disk; of a write, its first sectors."""
    SOME = "some kept"
    """Each one is on disk, or not."""
    TORN = "torn"
    """Each sector of each write is on disk, or not."""


SECTORS = (512, 4096)


@dataclass(slots=True)
class _File:
    octets: bytearray = field(default_factory=bytearray)
    """What is on disk."""
    pending: list[tuple[int, Write | Resize, bool]] = field(default_factory=list)
    """What was not synced, with its number, and whether a failed sync has made it unreachable for later ones."""


@dataclass(slots=True)
class _Directory:
    names: dict[str, Inode] = field(default_factory=dict)
    pending: list[tuple[int, Rename]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Image:
    """One state of the disk: paths relative to the root. A new kernel sees nothing else."""

    directories: Sequence[str]
    files: dict[str, bytes]
    inodes: dict[str, Inode]
    """The inode of each path."""


class Disk:
    """A disk that follows a recording up to one point."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.at = 0
        """How many events have happened."""
        self._files: dict[Inode, _File] = {}
        self._directories: dict[Inode, _Directory] = {ROOT: _Directory()}

    def go_to(self, point: int) -> None:
        """Follows the recording up to the event number *point* (excluded), which must not be behind."""
        for number in range(self.at, point):
            self._do(number, self._recording.events[number])
        self.at = point

    def _do(self, number: int, event: Event) -> None:
        match event:
            case Write() | Resize():
                self._files.setdefault(event.inode, _File()).pending.append((number, event, False))
            case Rename():
                self._directories.setdefault(event.directory, _Directory()).pending.append((number, event))
            case Sync(inode=inode) if inode in self._recording.directories:
                if not event.failed:
                    self._sync_directory(self._directories.setdefault(inode, _Directory()), event.begun)
            case Sync():
                self._sync_file(self._files.setdefault(event.inode, _File()), event)

    def _sync_directory(self, directory: _Directory, begun: int) -> None:
        for number, change in directory.pending:
            if number < begun:
                _rename(directory.names, change)
        directory.pending = [entry for entry in directory.pending if entry[0] >= begun]

    def _sync_file(self, file: _File, sync: Sync) -> None:
        if sync.failed:
            file.pending = [(number, each, is_lost or number < sync.begun) for number, each, is_lost in file.pending]
            return
        kept: list[tuple[int, Write | Resize, bool]] = []
        for number, each, is_lost in file.pending:
            if number < sync.begun and not is_lost:
                _apply(file.octets, each)
                # what was written before to the same place can no longer come to the disk
                kept = [entry for entry in kept if not _overlap(entry[1], each)]
            else:
                kept.append((number, each, is_lost))
        file.pending = kept

    def image(self, random: Random, data: Fate, names: Fate) -> Image:
        """The state after a loss of power now, with these fates of what was not synced."""
        directories: list[str] = []
        files: dict[str, bytes] = {}
        inodes: dict[str, Inode] = {}
        left = [("", ROOT)]
        while left:
            above, inode = left.pop()
            for name, below in sorted(self._names(inode, random, names).items()):
                path = f"{above}{name}"
                inodes[path] = below
                if below in self._recording.directories:
                    directories.append(path)
                    left.append((f"{path}/", below))
                else:
                    files[path] = self._octets(below, random, data)
        return Image(directories, files, inodes)

    def _names(self, directory: Inode, random: Random, fate: Fate) -> dict[str, Inode]:
        entry = self._directories.get(directory)
        if entry is None:
            return {}
        there = dict(entry.names)
        for change in _chosen([change for _, change in entry.pending], random, fate):
            _rename(there, change)
        return there

    def _octets(self, inode: Inode, random: Random, fate: Fate) -> bytes:
        file = self._files.get(inode)
        if file is None:
            return b""
        octets = bytearray(file.octets)
        pending = [each for _, each, _ in file.pending]
        if fate is Fate.TORN:
            sector = random.choice(SECTORS)
            for each in pending:
                for piece in _torn(each, sector, random):
                    _apply(octets, piece)
            return bytes(octets)
        chosen = list(_chosen(pending, random, fate))
        if fate is Fate.CUT and len(chosen) < len(pending):
            chosen += _begun(pending[len(chosen)], random.choice(SECTORS), random)
        for each in chosen:
            _apply(octets, each)
        return bytes(octets)


def _chosen(pending: Sequence[Pending], random: Random, fate: Fate) -> Iterable[Pending]:
    match fate:
        case Fate.DROPPED:
            return []
        case Fate.KEPT:
            return pending
        case Fate.CUT:
            return pending[: random.randint(0, len(pending))]
        case _:
            return [each for each in pending if random.random() < 0.5]


def _sectors(write: Write, sector: int) -> list[Write]:
    """The pieces of *write*, one for each sector of the disk."""
    pieces = []
    at, end = write.offset, write.offset + len(write.octets)
    while at < end:
        stop = min(end, (at // sector + 1) * sector)
        pieces.append(Write(write.inode, at, write.octets[at - write.offset : stop - write.offset]))
        at = stop
    return pieces


def _torn(event: Write | Resize, sector: int, random: Random) -> list[Write | Resize]:
    if isinstance(event, Resize):
        return [event] if random.random() < 0.5 else []
    kept: list[Write | Resize] = [piece for piece in _sectors(event, sector) if random.random() < 0.5]
    return kept


def _begun(event: Write | Resize, sector: int, random: Random) -> list[Write | Resize]:
    if isinstance(event, Resize):
        return []
    pieces = _sectors(event, sector)
    return list(pieces[: random.randint(0, len(pieces))])


def _apply(octets: bytearray, event: Write | Resize) -> None:
    if isinstance(event, Resize):
        missing = event.size - len(octets)
        if missing < 0:
            del octets[event.size :]
        else:
            octets += bytes(missing)
        return
    if len(octets) < event.offset:
        octets += bytes(event.offset - len(octets))
    octets[event.offset : event.offset + len(event.octets)] = event.octets


def _overlap(before: Write | Resize, now: Write | Resize) -> bool:
    if isinstance(before, Resize) or isinstance(now, Resize):
        return True
    return before.offset < now.offset + len(now.octets) and now.offset < before.offset + len(before.octets)


def _rename(names: dict[str, Inode], change: Rename) -> None:
    for name, inode in change.names.items():
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode
