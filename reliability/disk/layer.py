"""Records and fails what SQLite and mektup do to the files below one directory.

SQLite's part is a VFS (``engine``), which every connection uses that is opened meanwhile. For the rest, the functions
of ``os`` are replaced: mektup calls them by their module. Octets that a file object writes are found by comparing the
file with what is known of it, at the next sync or rename.

WAL-indices (``-shm``) are left out: SQLite makes them anew after a loss of power.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reliability.disk.acts import Act, Trouble, no_trouble, os_error
from reliability.disk.engine import Engine
from reliability.disk.recording import ROOT, Inode, Recording, Rename, Resize, Sync, Write

Forgets = Callable[[Act, str], bool]
"""Whether an operation is not recorded, as if the disk had ignored it."""


class Layer:
    """A context in which the files below *root* are recorded; *root* must be empty, or is adopted."""

    def __init__(
        self,
        root: Path,
        *,
        trouble: Trouble = no_trouble,
        forgets: Forgets = lambda act, path: False,
        sync_seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """*sync_seconds* is how long a sync takes, asked for each."""
        self.recording = Recording()
        self.trouble = trouble
        self.adopted = 0
        """How many of the first events make what was there."""
        self.after: Callable[[], None] = lambda: None
        """Called after each recorded event, with the recording's lock held."""
        self._forgets = forgets
        self._sync_seconds = sync_seconds
        root.mkdir(exist_ok=True)
        self._root = str(root)
        self._inodes: dict[str, Inode] = {self._root: ROOT}
        self._known: dict[Inode, bytearray] = {}
        """The octets of the files that SQLite does not write."""
        self._real: dict[str, Any] = {}
        self._engine = Engine(self)

    def __enter__(self) -> Self:
        for name in _PATCHED:
            self._real[name] = getattr(os, name)
            setattr(os, name, getattr(self, f"_{name}"))
        self._engine.register()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.unregister()
        for name, real in self._real.items():
            setattr(os, name, real)

    def adopt(self, inodes: Mapping[str, Inode]) -> None:
        """Takes what is below the root as there and on disk; *inodes* are those of its paths, relative to the root."""
        self.recording.begin_after(inodes.values())
        for name, inode in sorted(inodes.items()):  # a directory before what is in it
            path = f"{self._root}/{name}"
            self._inodes[path] = inode
            if os.path.isdir(path):
                self.recording.directories.add(inode)
            else:
                self._known[inode] = bytearray()
                self._settle(path)
                self.recording.add(Sync(inode, self.recording.now))
            self._renamed(Act.CREATE, path, {path: inode})
        for inode in (ROOT, *self.recording.directories - {ROOT}):
            self.recording.add(Sync(inode, self.recording.now))
        self.adopted = self.recording.now

    def adopt_all(self) -> None:
        """As ``adopt``, with new inodes."""
        paths = sorted(path.relative_to(self._root) for path in Path(self._root).rglob("*"))
        self.adopt({str(path): Inode(number) for number, path in enumerate(paths, start=1)})

    # What both parts use

    def covers(self, path: str) -> bool:
        """Whether *path* is recorded."""
        return path.startswith(self._root) and not path.endswith("-shm")

    def inode_of(self, path: str | Path) -> Inode:
        """The inode that has *path* now. Raises KeyError."""
        return self._inodes[str(path)]

    def fails(self, act: Act, path: str) -> None:
        """Raises the OSError with which the operation fails, if it does."""
        if number := self.trouble(act, path):
            raise os_error(number, path)

    def add(self, act: Act, path: str, event: Write | Resize | Rename | Sync) -> None:
        """Records *event*."""
        if not self._forgets(act, path):
            self.recording.add(event)
            self.after()

    def created(self, path: str, *, is_directory: bool = False) -> None:
        """Records a new file or directory."""
        inode = self.recording.new_inode(is_directory=is_directory)
        self._inodes[path] = inode
        if not is_directory:
            self._known[inode] = bytearray()
        self._renamed(Act.CREATE, path, {path: inode})

    def deleted(self, path: str) -> None:
        """Records that a name was removed."""
        self._inodes.pop(path, None)
        self._renamed(Act.DELETE, path, {path: None})

    def _renamed(self, act: Act, path: str, names: dict[str, Inode | None]) -> None:
        directory = self._inodes[os.path.dirname(path)]
        self.add(act, path, Rename(directory, {os.path.basename(each): inode for each, inode in names.items()}))

    def written(self, path: str, inode: Inode, offset: int, octets: bytes) -> None:
        """Records a write of SQLite."""
        self._known.pop(inode, None)
        self.add(Act.WRITE, path, Write(inode, offset, octets))

    def synced(self, act: Act, path: str, inode: Inode, sync: Callable[[], None]) -> None:
        """Runs *sync* and records it. Other threads may write meanwhile, but see a part of the order."""
        begun = self.recording.now
        if seconds := self._sync_seconds():
            time.sleep(seconds)
        sync()
        with self.recording.lock:
            self.add(act, path, Sync(inode, begun))

    def failed_sync(self, act: Act, path: str, inode: Inode) -> None:
        """Records a sync that fails."""
        with self.recording.lock:
            self.add(act, path, Sync(inode, self.recording.now, failed=True))

    # What mektup calls

    def _path(self, file: int | str | os.PathLike[str]) -> str:
        try:
            return os.readlink(f"/proc/self/fd/{file}") if isinstance(file, int) else os.path.abspath(os.fspath(file))
        except OSError:
            return ""

    def _settle(self, path: str) -> None:
        """Records what was written to a file without calling ``os``."""
        inode = self._inodes.get(path)
        known = None if inode is None else self._known.get(inode)
        if inode is None or known is None:
            return
        try:
            with open(path, "rb") as file:
                octets = file.read()
        except OSError:
            return
        if octets == known:
            return
        if not octets.startswith(known):
            self.add(Act.TRUNCATE, path, Resize(inode, 0))
        self.add(Act.WRITE, path, Write(inode, 0, octets))
        self._known[inode] = bytearray(octets)

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        name = self._path(path) if dir_fd is None and isinstance(path, str | os.PathLike) else ""
        if not self.covers(name):
            return int(self._real["open"](path, flags, mode, dir_fd=dir_fd))
        with self.recording.lock:
            is_new = bool(flags & os.O_CREAT) and not os.path.lexists(name)
            self.fails(Act.CREATE if is_new else Act.OPEN, name)
            file = int(self._real["open"](path, flags, mode))
            if is_new:
                self.created(name)
        return file

    def _fsync(self, file: int) -> None:
        self._sync_file("fsync", file)

    def _fdatasync(self, file: int) -> None:
        self._sync_file("fdatasync", file)

    def _sync_file(self, call: str, file: int) -> None:
        path = self._path(file)
        inode = self._inodes.get(path)
        if inode is None or not self.covers(path):
            self._real[call](file)
            return
        act = Act.SYNC_DIRECTORY if inode in self.recording.directories else Act.SYNC
        with self.recording.lock:
            self._settle(path)
        try:
            self.fails(act, path)
        except OSError:
            self.failed_sync(act, path, inode)
            raise
        self.synced(act, path, inode, lambda: self._real[call](file))

    def _rename(self, old: Any, new: Any, **more: Any) -> None:
        self._move("rename", old, new, more)

    def _replace(self, old: Any, new: Any, **more: Any) -> None:
        self._move("replace", old, new, more)

    def _move(self, call: str, old: Any, new: Any, more: dict[str, Any]) -> None:
        before, after = self._path(old), self._path(new)
        if not self.covers(after):
            self._real[call](old, new, **more)
            return
        assert os.path.dirname(before) == os.path.dirname(after), "only within one directory"
        with self.recording.lock:
            self._settle(before)
            self.fails(Act.RENAME, after)
            self._real[call](old, new, **more)
            inode = self._inodes.pop(before)
            self._inodes[after] = inode
            self._renamed(Act.RENAME, after, {before: None, after: inode})

    def _link(self, old: Any, new: Any, **more: Any) -> None:
        before, after = self._path(old), self._path(new)
        if not self.covers(after):
            self._real["link"](old, new, **more)
            return
        with self.recording.lock:
            self._settle(before)
            self.fails(Act.RENAME, after)
            self._real["link"](old, new, **more)
            self._inodes[after] = self._inodes[before]
            self._renamed(Act.RENAME, after, {after: self._inodes[before]})

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._delete("unlink", path, dir_fd)

    def _remove(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._delete("remove", path, dir_fd)

    def _rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._delete("rmdir", path, dir_fd)

    def _delete(self, call: str, path: Any, dir_fd: int | None) -> None:
        name = self._path(path) if dir_fd is None else ""
        if not self.covers(name):
            self._real[call](path, dir_fd=dir_fd)
            return
        with self.recording.lock:
            self.fails(Act.DELETE, name)
            self._real[call](path)
            self.deleted(name)

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        name = self._path(path) if dir_fd is None else ""
        if not self.covers(name):
            self._real["mkdir"](path, mode, dir_fd=dir_fd)
            return
        with self.recording.lock:
            self.fails(Act.CREATE, name)
            self._real["mkdir"](path, mode)
            self.created(name, is_directory=True)

    def _pwrite(self, file: int, octets: Any, offset: int) -> int:
        path = self._path(file)
        inode = self._inodes.get(path) if self.covers(path) else None
        if inode is None:
            return int(self._real["pwrite"](file, octets, offset))
        with self.recording.lock:
            self.fails(Act.WRITE, path)
            done = int(self._real["pwrite"](file, octets, offset))
            self.add(Act.WRITE, path, Write(inode, offset, bytes(octets)[:done]))
            return done

    def _truncate(self, path: Any, length: int) -> None:
        self._resize(Act.TRUNCATE, self._path(path), length, lambda: self._real["truncate"](path, length))

    def _ftruncate(self, file: int, length: int) -> None:
        self._resize(Act.TRUNCATE, self._path(file), length, lambda: self._real["ftruncate"](file, length))

    def _posix_fallocate(self, file: int, offset: int, length: int) -> None:
        size = max(os.fstat(file).st_size, offset + length)
        self._resize(Act.WRITE, self._path(file), size, lambda: self._real["posix_fallocate"](file, offset, length))

    def _resize(self, act: Act, path: str, size: int, work: Callable[[], None]) -> None:
        inode = self._inodes.get(path) if self.covers(path) else None
        if inode is None:
            work()
            return
        with self.recording.lock:
            self.fails(act, path)
            work()
            self.add(act, path, Resize(inode, size))
            self._known.pop(inode, None)


_PATCHED = (
    "open",
    "fsync",
    "fdatasync",
    "rename",
    "replace",
    "link",
    "unlink",
    "remove",
    "rmdir",
    "mkdir",
    "pwrite",
    "truncate",
    "ftruncate",
    "posix_fallocate",
)
