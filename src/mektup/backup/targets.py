"""Where a backup is written: into its directory, or as a tar stream of such a directory."""

from __future__ import annotations

import io
import tarfile
import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

from mektup.backup.key_map import KeyMap
from mektup.backup.manifests import Manifest, Run
from mektup.backup.packs import Name, PackWriter, naming
from mektup.backup.shelf import (
    ACCOUNTS,
    JSON_ENDING,
    MARK,
    PACKS,
    RUNS,
    Objects,
    Shelf,
    index_path,
    mark,
    new_pack,
    publish,
)
from mektup.store import files

PACK_BYTES: Final = 64 * 1024 * 1024
"""A pack is finished when it has so many octets."""


class Target(Protocol):
    """Gets what a run saves: packs first, then the manifests that name what is in them, then the run."""

    def has(self, name: Name) -> bool:
        """Whether the object is there already."""

    def manifests(self, account: str) -> list[str]:
        """The times of the manifests of *account* that are there already, the oldest first."""

    def manifest(self, account: str, stamp: str) -> Manifest:
        """One of them. Raises OSError, Refused."""

    def begin_pack(self) -> PackWriter:
        """A new pack. Raises OSError, Refused."""

    def finish_pack(self, pack: PackWriter) -> None:
        """Keeps a written pack, durably. Raises OSError, Refused."""

    def put_manifest(self, manifest: Manifest, octets: bytes) -> None:
        """Keeps a manifest; *octets* are its file. Raises OSError, Refused."""

    def put_run(self, run: Run, octets: bytes) -> None:
        """Keeps the run; *octets* are its file. Raises OSError, Refused."""


class DirectoryTarget:
    """A directory, which may have earlier backups."""

    def __init__(self, shelf: Shelf, objects: Objects, stamp: str) -> None:
        self._shelf, self._objects, self._stamp = shelf, objects, stamp

    def has(self, name: Name) -> bool:
        """See ``Target``, also for the other methods."""
        return name in self._objects

    def manifests(self, account: str) -> list[str]:
        return self._shelf.manifests(account)

    def manifest(self, account: str, stamp: str) -> Manifest:
        return self._shelf.manifest(account, stamp)

    def begin_pack(self) -> PackWriter:
        return new_pack(self._shelf.directory, self._stamp)

    def finish_pack(self, pack: PackWriter) -> None:
        pack.seal()
        made = publish(pack.path, pack.entries)
        self._objects.add(made, ((name.key, offset) for name, offset in pack.entries))

    def put_manifest(self, manifest: Manifest, octets: bytes) -> None:
        path = self._shelf.manifest_path(manifest.account, manifest.taken)
        files.make_directory(path.parent)
        with naming(path):
            files.write(path, octets)

    def put_run(self, run: Run, octets: bytes) -> None:
        path = self._shelf.directory / RUNS / f"{run.taken}{JSON_ENDING}"
        with naming(path):
            files.write(path, octets)


class TarTarget:
    """A stream of tar. Each pack is first written to a temporary file, because its length comes before it."""

    def __init__(self, out: BinaryIO, stamp: str) -> None:
        self._tar = tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT)
        self._temporary = tempfile.TemporaryDirectory(prefix="mektup-backup-")
        self._directory = Path(self._temporary.name)
        files.make_directory(self._directory / PACKS)
        self._stamp = stamp
        self._keys = KeyMap()
        self._numbers = count(1)
        self._put(MARK, mark())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the stream; after an error without the end of an archive, so that a reader notices."""
        try:
            if error is None:
                self._tar.close()
        finally:
            self._temporary.cleanup()

    def has(self, name: Name) -> bool:
        """See ``Target``, also for the other methods."""
        return name.key in self._keys

    def manifests(self, account: str) -> list[str]:
        return []

    def manifest(self, account: str, stamp: str) -> Manifest:
        raise FileNotFoundError(stamp)

    def begin_pack(self) -> PackWriter:
        return new_pack(self._directory, f"{self._stamp}-{next(self._numbers):04}")

    def finish_pack(self, pack: PackWriter) -> None:
        pack.seal()
        made = publish(pack.path, pack.entries)
        for path in (made, index_path(made)):
            with open(path, "rb") as file:
                self._add(str(PACKS / path.name), path.stat().st_size, file)
            path.unlink()
        for name, _ in pack.entries:
            self._keys.add(name.key)

    def put_manifest(self, manifest: Manifest, octets: bytes) -> None:
        self._put(str(ACCOUNTS / manifest.account / f"{manifest.taken}{JSON_ENDING}"), octets)

    def put_run(self, run: Run, octets: bytes) -> None:
        self._put(str(RUNS / f"{run.taken}{JSON_ENDING}"), octets)

    def _put(self, name: str, octets: bytes) -> None:
        self._add(name, len(octets), io.BytesIO(octets))

    def _add(self, name: str, size: int, file: BinaryIO) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, files.FILE_MODE
        self._tar.addfile(entry, file)
