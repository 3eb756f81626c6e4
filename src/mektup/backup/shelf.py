"""The directory of a backup: its files, its lock, and finding objects in its packs.

mektup-backup.json                  says what this is
packs/<time>-<number>.pack          objects, see ``packs``
packs/<time>-<number>.index
accounts/<id>/<time>.json.zst       a manifest, see ``manifests``
runs/<time>.json.zst                a run; written last, so what it names is there
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

from mektup.backup import texts
from mektup.backup.damage import Damage, damage_in
from mektup.backup.key_map import KeyMap
from mektup.backup.manifests import FORMAT, MOST_BYTES, STAMP, Manifest, Page, Run, decoded, read, seconds_of, stamp_of
from mektup.backup.packs import Header, Kind, Name, PackWriter, index_of, pieces, read_index, read_named, scan
from mektup.store import files
from mektup.terms.errors import Code, Refused
from mektup.terms.texts import Text

MARK: Final = "mektup-backup.json"
PACKS: Final = Path("packs")
ACCOUNTS: Final = Path("accounts")
RUNS: Final = Path("runs")
PACK_ENDING: Final = ".pack"
INDEX_ENDING: Final = ".index"
PART_ENDING: Final = ".pack.part"
"""Of a pack that is being written."""

JSON_ENDING: Final = ".json.zst"

_OFFSET_BITS: Final = 40
_OFFSET_MASK: Final = (1 << _OFFSET_BITS) - 1


def mark() -> bytes:
    """The octets of the file MARK."""
    return json.dumps({"format": FORMAT, "what": "a backup of mektup; its format is in docs/backup-format.md"}).encode()


def is_backup(directory: Path) -> bool:
    """Whether *directory* is a backup in this format."""
    return (directory / MARK).is_file()


class Shelf:
    """An existing backup."""

    def __init__(self, directory: Path) -> None:
        """Raises Refused where *directory* is none, or a newer version wrote it; OSError."""
        self.directory = directory
        if not is_backup(directory):
            raise Refused(Code.CANNOT, texts.NO_BACKUP.of(directory=directory, file=MARK))
        try:
            found = json.loads((directory / MARK).read_bytes())["format"]
        except (ValueError, KeyError, TypeError):
            raise damage_in(directory / MARK, texts.NO_FILE_OF_OURS) from None
        if found != FORMAT:
            raise Refused(Code.CANNOT, texts.NEWER.of(path=directory / MARK))

    # Runs and manifests

    def runs(self) -> list[str]:
        """The times of the finished runs, the oldest first."""
        return _stamps(self.directory / RUNS)

    def run(self, stamp: str) -> Run:
        """Raises OSError, Damage, Refused."""
        return read(self.directory / RUNS / f"{stamp}{JSON_ENDING}", Run)

    def manifests(self, account: str) -> list[str]:
        """The times of an account's manifests, the oldest first."""
        return _stamps(self.directory / ACCOUNTS / account)

    def accounts(self) -> list[str]:
        """The IDs of the accounts that have manifests."""
        return sorted(each.name for each in _entries(self.directory / ACCOUNTS) if each.is_dir())

    def manifest_path(self, account: str, stamp: str) -> Path:
        """The file of a manifest."""
        return self.directory / ACCOUNTS / account / f"{stamp}{JSON_ENDING}"

    def manifest(self, account: str, stamp: str) -> Manifest:
        """Raises OSError, Damage, Refused."""
        return read(self.manifest_path(account, stamp), Manifest)

    def latest_run(self, at: str | None, holds: Callable[[Run], bool]) -> Run | None:
        """The newest run of the time *at* or before, None for now, that *holds*. Raises OSError, Damage, Refused."""
        for stamp in reversed(self.runs()):
            if at is None or stamp <= at:
                run = self.run(stamp)
                if holds(run):
                    return run
        return None

    def next_stamp(self, now: int) -> str:
        """A time for a new run, after all others."""
        taken = [seconds_of(stamp) for stamp in self.runs()]
        return stamp_of(max([now, *(each + 1 for each in taken)]))

    # Packs

    def packs(self) -> list[Path]:
        """The finished packs."""
        return [each for each in _entries(self.directory / PACKS) if each.name.endswith(PACK_ENDING)]

    def parts(self) -> list[Path]:
        """The packs that were not finished."""
        return [each for each in _entries(self.directory / PACKS) if each.name.endswith(PART_ENDING)]

    # Writing

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """A block in which no other command writes. Raises Refused, OSError."""
        lock = files.lock(self.directory, alone=True)
        if lock is None:
            raise Refused(Code.CANNOT, texts.IN_USE.of(directory=self.directory))
        try:
            yield
        finally:
            files.unlock(lock)


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _stamps(directory: Path) -> list[str]:
    names = [each.name.removesuffix(JSON_ENDING) for each in _entries(directory) if each.name.endswith(JSON_ENDING)]
    return [name for name in names if STAMP.fullmatch(name)]


def index_path(pack: Path) -> Path:
    """The index of *pack*."""
    return pack.with_name(pack.name.removesuffix(PACK_ENDING) + INDEX_ENDING)


def open_shelf(directory: Path) -> Shelf:
    """The backup *directory*, which is made where it does not exist. Raises OSError, Refused."""
    if not is_backup(directory):
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise Refused(Code.CANNOT, texts.NOT_EMPTY.of(directory=directory))
        for each in (PACKS, ACCOUNTS, RUNS):
            files.make_directory(directory / each)
        files.write(directory / MARK, mark())
    return Shelf(directory)


def indexed(pack: Path) -> list[tuple[bytes, int]]:
    """The keys and offsets of the objects in *pack*; from its index, or from itself where that is lost.

    Raises OSError, Damage where the pack itself is damaged, too.
    """
    try:
        return read_index(index_path(pack))
    except (FileNotFoundError, Damage):
        return [(header.name.key, header.offset) for header in scan(pack, lambda problem: None)]


def salvage(part: Path) -> int:
    """Makes a pack of what is whole in a pack that was not finished; returns the number of its objects.

    Raises OSError, Refused.
    """
    headers: list[Header] = []
    with open(part, "r+b") as file, contextlib.suppress(Damage):
        for header in scan(part, lambda problem: None):
            for _ in pieces(file, part, header):
                pass  # after a loss of power, a file may be as long as it was, and empty
            headers.append(header)
    if not headers:
        part.unlink()
        return 0
    with open(part, "r+b") as file:
        file.truncate(headers[-1].end)
    publish(part, [(header.name, header.offset) for header in headers])
    return len(headers)


def publish(part: Path, entries: list[tuple[Name, int]]) -> Path:
    """Gives a written pack its name, with its index; both are on disk then. Raises OSError, Refused."""
    pack = part.with_name(part.name.removesuffix(PART_ENDING) + PACK_ENDING)
    files.sync(part)
    files.write(index_path(pack), index_of(entries))
    files.rename(part, pack)
    return pack


def new_pack(directory: Path, stamp: str) -> PackWriter:
    """Begins a pack in the backup *directory*. Raises OSError, Refused."""
    for number in count(1):
        pack = directory / PACKS / f"{stamp}-{number:04}{PACK_ENDING}"
        part = pack.with_name(pack.name.removesuffix(PACK_ENDING) + PART_ENDING)
        if not pack.exists() and not part.exists():
            break
    return PackWriter(part)


class Objects:
    """Where each object of a backup is, see ``KeyMap``."""

    def __init__(
        self,
        shelf: Shelf,
        bad: Callable[[Text], None] = lambda problem: None,
        *,
        packs: Sequence[Path] | None = None,
    ) -> None:
        """*packs*: only what is in these. *bad* gets what is wrong with indices and packs. Raises OSError."""
        self._packs: list[Path] = []
        self._places = KeyMap()
        self._open: tuple[Path, BinaryIO] | None = None
        for pack in shelf.packs() if packs is None else packs:
            try:
                self.add(pack, indexed(pack))
            except Damage as damage:
                bad(damage.text)

    def add(self, pack: Path, entries: Iterable[tuple[bytes, int]]) -> None:
        """Adds the objects in *pack*: their keys and offsets. Raises OSError."""
        number = len(self._packs)
        self._packs.append(pack)
        for key, offset in entries:
            self._places.add(key, number << _OFFSET_BITS | offset)

    def __contains__(self, name: Name) -> bool:
        return name.key in self._places

    def place(self, name: Name) -> tuple[Path, int]:
        """The pack and the offset of an object. Raises Damage where there is none."""
        place = self._places.get(name.key)
        if place is None:
            raise Damage(texts.OBJECT_MISSING)
        return self._packs[place >> _OFFSET_BITS], place & _OFFSET_MASK

    def _header(self, name: Name) -> tuple[BinaryIO, Path, Header]:
        pack, offset = self.place(name)
        if self._open is None or self._open[0] != pack:
            self.close()
            self._open = pack, open(pack, "rb")
        file = self._open[1]
        return file, pack, read_named(file, pack, name.key, offset)

    def pieces(self, name: Name) -> Iterator[bytes]:
        """The octets of an object, in pieces. Raises Damage, maybe only after the last piece; OSError."""
        file, pack, header = self._header(name)
        return pieces(file, pack, header)

    def octets(self, name: Name) -> bytes:
        """The octets of an object. Raises Damage, OSError."""
        return b"".join(self.pieces(name))

    def page(self, digest: str) -> Page:
        """A page of a list of messages. Raises Damage, OSError."""
        octets = self.octets(Name(Kind.PAGE, bytes.fromhex(digest)))
        if len(octets) > MOST_BYTES:
            raise Damage(texts.OTHER_OCTETS)
        return decoded(octets, Page)

    def close(self) -> None:
        """Closes the file that was read last."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
