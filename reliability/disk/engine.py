"""The part of the layer under SQLite: a VFS on top of that for Unix."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import apsw

from reliability.disk.acts import Act, engine_error
from reliability.disk.recording import Inode, Resize

if TYPE_CHECKING:
    from reliability.disk.layer import Layer

BASE = "unix"

_WITH_OWN_DIRECTORY_SYNC = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
"""Files whose first sync by the one who created them also syncs their directory."""


class Engine:
    """The VFS of a layer, which is the default while it is registered."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._vfs: _Vfs | None = None

    def register(self) -> None:
        """New connections use it from now on."""
        self._vfs = _Vfs(self._layer)

    def unregister(self) -> None:
        """No connection may be open any more."""
        if self._vfs is not None:
            self._vfs.unregister()
            self._vfs = None


class _Errno(threading.local):
    number = 0


class _Vfs(apsw.VFS):
    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.last = _Errno()
        super().__init__("recorded", BASE, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        if not self.layer.covers(path):
            return apsw.VFSFile(BASE, name, flags)
        with self.layer.recording.lock:
            is_new = bool(flags[0] & apsw.SQLITE_OPEN_CREATE) and not os.path.lexists(path)
            self.fails(Act.CREATE if is_new else Act.OPEN, path)
            file = _File(self, path, name, flags)
            if is_new:
                self.layer.created(path)
            file.inode = self.layer.inode_of(path)
            return file

    def xDelete(self, name: str, sync: bool) -> None:
        if not self.layer.covers(name):
            super().xDelete(name, sync)
            return
        with self.layer.recording.lock:
            self.fails(Act.DELETE, name)
            super().xDelete(name, False)
            self.layer.deleted(name)
        if sync:
            self.sync_directory(name)

    def xGetLastError(self) -> tuple[int, str]:
        return self.last.number, ""

    def fails(self, act: Act, path: str) -> None:
        """Raises SQLite's error for the operation, if it fails."""
        if number := self.layer.trouble(act, path):
            self.last.number = number
            raise engine_error(act, number)

    def sync_directory(self, path: str) -> None:
        """Syncs the directory of *path*. SQLite ignores errors of that."""
        directory = os.path.dirname(path)
        try:
            file = os.open(directory, os.O_RDONLY)
        except OSError:
            return
        try:
            os.fsync(file)
        except OSError:
            pass
        finally:
            os.close(file)


class _File(apsw.VFSFile):
    def __init__(self, vfs: _Vfs, path: str, name: Any, flags: list[int]) -> None:
        self._vfs = vfs
        self._layer = vfs.layer
        self._path = path
        self.inode = Inode(-1)
        self._is_directory_due = bool(flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & _WITH_OWN_DIRECTORY_SYNC)
        super().__init__(BASE, name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._vfs.fails(Act.READ, self._path)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        with self._layer.recording.lock:
            try:
                self._vfs.fails(Act.WRITE, self._path)
            except apsw.FullError:
                self._write(data[: len(data) // 2], offset)  # the system writes what there is room for
                raise
            self._write(data, offset)

    def _write(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._layer.written(self._path, self.inode, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:
        with self._layer.recording.lock:
            self._vfs.fails(Act.TRUNCATE, self._path)
            super().xTruncate(newsize)
            self._layer.add(Act.TRUNCATE, self._path, Resize(self.inode, newsize))

    def xSync(self, flags: int) -> None:
        try:
            self._vfs.fails(Act.SYNC, self._path)
        except apsw.Error:
            self._layer.failed_sync(Act.SYNC, self._path, self.inode)
            raise
        self._layer.synced(Act.SYNC, self._path, self.inode, lambda: super(_File, self).xSync(flags))
        if self._is_directory_due:
            self._is_directory_due = False
            self._vfs.sync_directory(self._path)
