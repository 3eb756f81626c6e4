"""System calls that not every system has: Linux has all of them, macOS most, Windows few.

Other modules call them only through this one, so that a server in memory, or with one process, runs without them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import importlib
import os
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_fcntl = _module("fcntl")
_grp = _module("grp")
_pwd = _module("pwd")
_resource = _module("resource")
_uvloop = _module("uvloop")

DIRECTORY = getattr(os, "O_DIRECTORY", 0)
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)
"""Flags for ``os.open``; 0 where the system does not have the flag."""

UNIX_SOCKETS: int | None = getattr(socket, "AF_UNIX", None)
"""The address family of Unix sockets, or None."""

CAN_OPEN_DIRECTORIES = os.name == "posix"

CAN_HAVE_WORKERS = sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT") and hasattr(socket, "SOCK_SEQPACKET")
"""Whether several processes can listen on one port and receive messages from their parent."""

_CLOCK_ERROR = 5
"""TIME_ERROR of adjtimex(2): the clock is not synchronized."""

_ACKNOWLEDGE: int | None = getattr(socket, "TCP_QUICKACK", None)


# Files

_NAMELESS: int | None = getattr(os, "O_TMPFILE", None)
_HAS_MODES = hasattr(os, "fchmod")
_HAS_POSITIONED_READ = hasattr(os, "pread")
_FULL_SYNC: int | None = getattr(_fcntl, "F_FULLFSYNC", None)
_HAS_DATA_SYNC = hasattr(os, "fdatasync")


def set_mode(file: int, mode: int) -> None:
    """Sets the mode of an open file; does nothing without modes (Windows before CPython 3.13). Raises OSError."""
    if _HAS_MODES:
        os.fchmod(file, mode)


def read_at(file: int, size: int, start: int) -> bytes:
    """At most *size* octets of an open file, from *start*; the file position does not change. Raises OSError."""
    if _HAS_POSITIONED_READ:
        return os.pread(file, size, start)
    position = os.lseek(file, 0, os.SEEK_CUR)
    os.lseek(file, start, os.SEEK_SET)
    try:
        return os.read(file, size)
    finally:
        os.lseek(file, position, os.SEEK_SET)


def sync_data(file: int) -> None:
    """Returns when all data written to the descriptor *file* is on disk. Raises OSError."""
    if _fcntl is not None and _FULL_SYNC is not None:
        # on macOS, fsync writes to the drive, but the data may still be in the drive's cache
        _fcntl.fcntl(file, _FULL_SYNC)
    elif _HAS_DATA_SYNC:
        os.fdatasync(file)
    else:
        os.fsync(file)


def lock(file: int) -> None:
    """Takes an exclusive lock on *file*, held until it is closed; waits until no other process has a lock."""
    if _fcntl is not None:
        _fcntl.flock(file, _fcntl.LOCK_EX)


def lock_shared(file: int) -> None:
    """Takes a shared lock on *file*, held until it is closed; waits until no process has an exclusive one."""
    if _fcntl is not None:
        _fcntl.flock(file, _fcntl.LOCK_SH)


def try_lock(file: int) -> bool:
    """Takes an exclusive lock on *file*, held until it is closed; False where another process has a lock."""
    if _fcntl is not None:
        try:
            _fcntl.flock(file, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def is_locked(file: int, octet: int) -> bool:
    """Whether another process has a record lock on *octet* of *file*; False where the system cannot tell."""
    if _fcntl is None or sys.platform != "linux":
        return False
    form = "hhqqi4x"  # struct flock: type, whence, start, length, process
    asked = struct.pack(form, _fcntl.F_WRLCK, os.SEEK_SET, octet, 1, 0)
    return bool(struct.unpack(form, _fcntl.fcntl(file, _fcntl.F_GETLK, asked))[0] != _fcntl.F_UNLCK)


def allocate(file: int, octets: int) -> None:
    """Allocates disk blocks for the first *octets* octets of *file*. Raises OSError."""
    allocator = getattr(os, "posix_fallocate", None)
    if allocator is not None:
        allocator(file, 0, octets)
        return
    missing = octets - os.fstat(file).st_size
    if missing > 0:
        os.lseek(file, 0, os.SEEK_END)
        os.write(file, bytes(missing))


def why_no_file(directory: Path) -> int:
    """The errno of creating a file in *directory*; 0 where that works, or where the system cannot tell."""
    if _NAMELESS is None:
        return 0
    try:
        os.close(os.open(directory, os.O_WRONLY | _NAMELESS | CLOSE_ON_EXEC, 0o600))
    except OSError as error:
        # these two errors mean that the system or the file system has no files without a name
        return 0 if error.errno in (errno.EISDIR, errno.EOPNOTSUPP) else error.errno or 0
    return 0


def has_file_numbers(directory: Path) -> bool:
    """Whether the file system has a free inode for one more file; true where the system cannot tell."""
    if not hasattr(os, "statvfs"):
        return True
    try:
        disk = os.statvfs(directory)
    except OSError:
        return True
    return not disk.f_files or disk.f_favail > 0


def is_read_only(directory: Path) -> bool:
    """Whether the file system is mounted read-only; false where the system cannot tell."""
    if not hasattr(os, "statvfs"):
        return False
    try:
        return bool(os.statvfs(directory).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def user_name(uid: int) -> str:
    """The name of a user, for a person to read."""
    if _pwd is not None:
        with contextlib.suppress(KeyError):
            return str(_pwd.getpwuid(uid).pw_name)
    return f"user {uid}"


def user_named(name: str) -> tuple[int, int] | None:
    """The IDs of the user *name* and of its first group; None where there is no such user."""
    if _pwd is not None:
        with contextlib.suppress(KeyError):
            found = _pwd.getpwnam(name)
            return int(found.pw_uid), int(found.pw_gid)
    return None


def group_name(gid: int) -> str:
    """The name of a group; its number where it has none."""
    if _grp is not None:
        with contextlib.suppress(KeyError):
            return str(_grp.getgrgid(gid).gr_name)
    return str(gid)


def group_named(name: str) -> int | None:
    """The ID of the group *name*, which may be a number; None where there is no such group."""
    if name.isdigit():
        return int(name)
    if _grp is not None:
        with contextlib.suppress(KeyError):
            return int(_grp.getgrnam(name).gr_gid)
    return None


def groups_of(uid: int) -> tuple[int, tuple[int, ...]]:
    """The first group of a user, and all of its groups."""
    if _pwd is not None:
        with contextlib.suppress(KeyError):
            found = _pwd.getpwuid(uid)
            return int(found.pw_gid), tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    return uid, ()


def groups() -> tuple[int, ...]:
    """The groups of this process; none where users have no numbers."""
    return tuple(getattr(os, "getgroups", tuple)())


def effective_group() -> int:
    """The effective group ID of this process; -1 where groups have no numbers."""
    return int(getattr(os, "getegid", lambda: -1)())


def run_as(uid: int, gid: int, groups: Sequence[int], function: Callable[[], bytes]) -> bytes:
    """What *function* returns in a process of that user; for root, in a process with one thread. Raises OSError."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(out)
            os.setgroups(groups)
            os.setgid(gid)
            os.setuid(uid)
            with open(into, "wb") as answer:
                answer.write(function())
            status = 0
        finally:
            # nothing of the parent is to end here a second time
            os._exit(status)
    os.close(into)
    with open(out, "rb") as answer:
        said = answer.read()
    if os.waitpid(child, 0)[1] != 0:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
    return said


def clock_is_synchronized() -> bool | None:
    """Whether the system's clock follows another one (NTP); None where the system cannot tell."""
    if sys.platform != "linux":
        return None
    # struct timex has some 200 octets; with modes = 0 nothing is set (adjtimex(2))
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(1024))
    return None if state < 0 else state != _CLOCK_ERROR


def effective_user() -> int:
    """The effective user ID of this process; -1 where users have no numbers."""
    return int(getattr(os, "geteuid", lambda: -1)())


# The process


def processors() -> int:
    """How many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def raise_descriptor_limit() -> None:
    """Raises the limit of open files as far as the system allows: a connection needs one, an account a few."""
    if _resource is None:
        return
    _, most = _resource.getrlimit(_resource.RLIMIT_NOFILE)
    # macOS refuses the highest limit where it is "unlimited"
    with contextlib.suppress(ValueError, OSError):
        _resource.setrlimit(_resource.RLIMIT_NOFILE, (most, most))


def most_descriptors() -> int | None:
    """How many files this process may have open; None where the system cannot tell."""
    return None if _resource is None else int(_resource.getrlimit(_resource.RLIMIT_NOFILE)[0])


def highest_descriptors() -> int | None:
    """How many files a process like this one may open at most; None where the system cannot tell."""
    return None if _resource is None else int(_resource.getrlimit(_resource.RLIMIT_NOFILE)[1])


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop that can watch sockets: uvloop's, or asyncio's own."""
    if _uvloop is not None:
        loop = _uvloop.new_event_loop()
        assert isinstance(loop, asyncio.AbstractEventLoop)
        return loop
    return asyncio.SelectorEventLoop()


def acknowledge(client: socket.socket) -> None:
    """Acknowledges received TCP data at once, where the system supports that. Raises OSError."""
    if _ACKNOWLEDGE is not None and client.family != UNIX_SOCKETS:
        client.setsockopt(socket.IPPROTO_TCP, _ACKNOWLEDGE, 1)


def user_of_peer(accepted: socket.socket) -> int | None:
    """The user ID of the process at the other end of a Unix socket; None where the system cannot tell."""
    if sys.platform != "linux":
        return None
    form = "iII"  # struct ucred: process, user, group
    credentials = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(form))
    return int(struct.unpack(form, credentials)[1])


def keep_alive(listening: socket.socket, seconds: int) -> None:
    """Turns on TCP keep-alive for connections to *listening*: the system probes them after *seconds* of silence."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", seconds), ("TCP_KEEPINTVL", seconds // 10)):
        if hasattr(socket, name):
            listening.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
