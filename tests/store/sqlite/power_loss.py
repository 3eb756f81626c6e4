"""Simulates a loss of power: everything that was not synced to disk is lost.

A VFS records SQLite's own calls, and a replaced ``os.fdatasync`` those of Python. Of a file, the content of its last
sync survives, which is the worst that POSIX allows; its name survives from the first sync on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

KINDS = (".db", ".db-wal")


class Power:
    """Records the syncs of the files under a directory. A test enters it, because it replaces SQLite's VFS."""

    def __init__(self, data: Path, monkeypatch: Any) -> None:
        self._data = data
        self._durable: dict[Path, bytes] = {}
        self.at_sync: Callable[[], None] = lambda: None
        """Called before each sync of a WAL: what can be read at that moment is not on disk yet."""
        self.syncs: list[str] = []
        self._vfs = _Vfs(self)
        real = os.fdatasync

        def followed(file: int) -> None:
            path = Path(os.readlink(f"/proc/self/fd/{file}"))
            self.before_sync(path)
            real(file)
            self.synced(path)

        monkeypatch.setattr(os, "fdatasync", followed)

    def before_sync(self, path: Path) -> None:
        if path.name.endswith("-wal"):
            self.at_sync()

    def synced(self, path: Path) -> None:
        if path.name.endswith(KINDS) and path.exists():
            self._durable[path] = path.read_bytes()
            self.syncs.append(path.name)

    def deleted(self, path: Path) -> None:
        self._durable.pop(path, None)

    def disk(self) -> dict[Path, bytes]:
        """The files that would survive."""
        for path in self._data.rglob("*"):
            if path.name.endswith(KINDS):  # a file that was created under another name has been synced
                self._durable.setdefault(path, path.read_bytes() if path.suffix == ".db" else b"")
        return dict(self._durable)

    def restore(self, disk: dict[Path, bytes]) -> None:
        """Writes the surviving contents to their files. No file may be open."""
        for path in [path for path in self._data.rglob("*") if path.is_file()]:
            if path.name.endswith(("-shm", "-wal")) and not disk.get(path):
                path.unlink()
        for path, octets in disk.items():
            if path.name.endswith("-wal") and not octets:
                continue
            with open(path, "r+b" if path.exists() else "wb") as file:
                file.truncate()
                file.write(octets)

    def close(self) -> None:
        self._vfs.unregister()


class _Vfs(apsw.VFS):
    def __init__(self, power: Power) -> None:
        self._power = power
        super().__init__("power", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        return _File(name, flags, self._power)

    def xDelete(self, name: str, sync: bool) -> None:
        super().xDelete(name, sync)
        self._power.deleted(Path(name))


class _File(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], power: Power) -> None:
        self._power = power
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "/")
        super().__init__("unix", name, flags)

    def xSync(self, flags: int) -> None:
        self._power.before_sync(self._name)
        super().xSync(flags)
        self._power.synced(self._name)
