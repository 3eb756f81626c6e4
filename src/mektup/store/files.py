"""Creates files and directories under a data directory: durable, private, and with the right owner.

All of them are created here, so three rules have one home:

* **Durable.** A synced file is lost if its directory entry is lost. So whoever creates a directory or a name syncs the
  parent directory before reporting success (POSIX fsync; SQLite does so for its own files).
* **Private.** Modes are 0700 and 0600, whatever the umask.
* **The right owner.** A file that root creates gets the owner of its directory: a service that runs as its own user
  must be able to use an account that an administrator added. (SQLite does the same for a WAL.)
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from mektup.store import system, texts
from mektup.terms.errors import Code, Refused
from mektup.terms.texts import ABOUT, Text

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
OTHERS_PASS = stat.S_IXGRP | stat.S_IXOTH


def make_directory(path: Path) -> None:
    """Creates *path* and missing directories above it; their names are on disk when this returns.

    Also syncs a directory that another process created, as that process may not have synced it yet. Raises OSError,
    Refused.
    """
    missing = [path]
    while not missing[-1].parent.is_dir():
        missing.append(missing[-1].parent)
    for each in reversed(missing):
        try:
            os.mkdir(each, DIRECTORY_MODE)
        except FileExistsError:
            if not each.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(each)) from None
        else:
            _settle_directory(each)
        try:
            sync(each.parent)
        except PermissionError:
            pass  # a directory above the data directory that belongs to others and is not readable


def make_empty(path: Path, mode: int = FILE_MODE) -> int:
    """Creates the file *path*, which must not exist, and returns a descriptor for writing.

    The name is not yet on disk. Raises OSError, Refused.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.CLOSE_ON_EXEC, mode)
    try:
        system.set_mode(file, mode)
        _give_to_owner(file, path)
    except (OSError, Refused):
        os.close(file)
        os.unlink(path)
        raise
    return file


def write(path: Path, octets: bytes, mode: int = FILE_MODE) -> None:
    """Writes or replaces a file, completely or not at all; it is on disk when this returns.

    Raises OSError, Refused.
    """
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        with open(make_empty(fresh, mode), "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        rename(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def rename(old: Path, new: Path) -> None:
    """Renames a synced file within its directory; the new name is on disk when this returns."""
    os.replace(old, new)
    sync(new.parent)


def sync(path: Path) -> None:
    """Waits until the file or directory *path* is on disk. Raises OSError."""
    if not system.CAN_OPEN_DIRECTORIES and path.is_dir():
        return
    file = os.open(path, os.O_RDONLY | system.CLOSE_ON_EXEC)
    try:
        os.fsync(file)
    except OSError as error:
        # some file systems cannot sync a directory and need not; SQLite ignores this error, too
        if error.errno != errno.EINVAL or not stat.S_ISDIR(os.fstat(file).st_mode):
            raise
    finally:
        os.close(file)


def lock(directory: Path, *, alone: bool) -> int | None:
    """Locks *directory* and returns the lock, for ``unlock``. The lock ends with the process.

    With *alone* the lock is exclusive; returns None where another process has a lock. Else the lock is shared; waits
    for the end of an exclusive one.
    """
    if not system.CAN_OPEN_DIRECTORIES:
        return os.open(os.devnull, os.O_RDONLY)
    file = os.open(directory, os.O_RDONLY | system.CLOSE_ON_EXEC)
    if not alone:
        system.lock_shared(file)
    elif not system.try_lock(file):
        os.close(file)
        return None
    return file


def unlock(file: int) -> None:
    """Releases a lock of ``lock``."""
    os.close(file)


@contextlib.contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """A block that one process at a time enters, for each *directory*; others wait. Ends with the process."""
    if not system.CAN_OPEN_DIRECTORIES:
        yield
        return
    lock = os.open(directory, os.O_RDONLY | system.CLOSE_ON_EXEC)
    try:
        system.lock(lock)
        yield
    finally:
        os.close(lock)


def hand_over(path: Path) -> None:
    """Gives *path*, which root created, to the owner of its directory. Raises OSError, Refused."""
    _give_to_owner(path, path)


def why_not(path: Path) -> Text | None:
    """Why this process cannot use *path*, in words for an operator; None where no reason is visible."""
    if denied := why_denied(path):
        return denied
    for each in (*reversed(path.parents), path):
        try:
            os.stat(each)
        except OSError as error:
            return ABOUT.of(place=each, problem=error.strerror)
    return None


def why_denied(path: Path) -> Text | None:
    """The file or directory on the way to *path* that denies access, with its owner; None where there is none."""
    for each in (*reversed(path.parents), path):
        try:
            status = os.stat(each)
        except FileNotFoundError:
            # a missing entry would be created, so the directory above it may deny access
            denied = _denied(each.parent, os.stat(each.parent), os.W_OK)
            return texts.CANNOT_BE_MADE.of(path=each, reason=denied) if denied else None
        except OSError:
            return None
        if denied := _denied(each, status, os.R_OK | os.W_OK if each == path else 0):
            return denied
    return None


def why_unreadable(path: Path) -> Text | None:
    """The file or directory on the way to *path* that denies reading; None where there is none, or no *path*."""
    for each in (*reversed(path.parents), path):
        try:
            status = os.stat(each)
        except OSError:
            return None
        if denied := _denied(each, status, os.R_OK if each == path else 0):
            return denied
    return None


def _denied(path: Path, status: os.stat_result, needed: int) -> Text | None:
    if stat.S_ISDIR(status.st_mode):
        needed |= os.X_OK
    if _may(path, needed):
        return None
    if _may(path, needed & ~os.W_OK) and system.is_read_only(path):
        return None  # nobody may write there
    owner, runs_as = user_name(status.st_uid), user_name(system.effective_user())
    return texts.PERMISSION_DENIED.of(path=path, owner=owner, user=runs_as)


def _may(path: Path, needed: int) -> bool:
    return os.access(path, needed, effective_ids=os.access in os.supports_effective_ids)


def reason(error: OSError, path: Path = Path()) -> Text:
    """Where and why the system refused, in words for an operator; uses *path* where the error names no file."""
    place = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else path
    denied = why_not(place) if error.errno in (errno.EACCES, errno.EPERM) else None
    return denied or ABOUT.of(place=place, problem=error.strerror or str(error))


def open_to_others(data: Path) -> list[Path]:
    """The entries of the data directory that other users may write to."""
    status = os.stat(data)
    found = [data] if status.st_mode & OTHERS_WRITE else []
    if status.st_mode & OTHERS_PASS:
        found += [each for each in sorted(data.iterdir()) if _is_open(each.lstat())]
    return found


def user_name(uid: int) -> str:
    """The name of a user, for a person to read."""
    return system.user_name(uid)


def _is_open(status: os.stat_result) -> bool:
    return bool(status.st_mode & OTHERS_WRITE) and not stat.S_ISLNK(status.st_mode)


def _settle_directory(path: Path) -> None:
    """Sets mode and owner of a new directory, because the umask may have removed mode bits."""
    try:
        if system.effective_user() != 0:
            os.chmod(path, DIRECTORY_MODE)
            return
        # by a descriptor, so that the parent's owner cannot make root change another file instead
        file = os.open(path, os.O_RDONLY | system.DIRECTORY | system.NO_FOLLOW | system.CLOSE_ON_EXEC)
        try:
            system.set_mode(file, DIRECTORY_MODE)
            _give_to_owner(file, path)
        finally:
            os.close(file)
    except (OSError, Refused):
        os.rmdir(path)
        raise


def _give_to_owner(file: int | Path, path: Path) -> None:
    if system.effective_user() != 0:
        return
    above = os.stat(path.parent)
    if above.st_uid == 0:
        return
    try:
        if isinstance(file, int):
            os.chown(file, above.st_uid, above.st_gid)
        else:
            os.chown(file, above.st_uid, above.st_gid, follow_symlinks=False)
    except PermissionError as error:
        owner = user_name(above.st_uid)
        raise Refused(Code.UNAVAILABLE, texts.ROOT_MAY_NOT_GIVE.of(path=path, owner=owner)) from error
