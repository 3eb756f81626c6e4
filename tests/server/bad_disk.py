"""mektup on a disk that a test makes bad: a program.

The file that MEKTUP_TEST_DISK names has the word ``slow`` or ``fails``, for the next syncs; without it they work.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import apsw

from mektup.cli import main

SLOW_SECONDS = 2.0
MARK = "MEKTUP_TEST_DISK"

_sync = os.fdatasync


def _be_bad() -> None:
    mark = Path(os.environ[MARK])
    match mark.read_text() if mark.exists() else "":
        case "slow":
            time.sleep(SLOW_SECONDS)
        case "fails":
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def _fdatasync(file: Any) -> None:
    _be_bad()
    _sync(file)


class _Vfs(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("bad", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        return _File("unix", name, flags)


class _File(apsw.VFSFile):
    def xSync(self, flags: int) -> None:
        try:
            _be_bad()
        except OSError as error:
            failed = apsw.IOError(str(error))
            vars(failed)["extendedresult"] = apsw.SQLITE_IOERR_FSYNC
            raise failed from error
        super().xSync(flags)


if __name__ == "__main__":
    os.fdatasync = _fdatasync
    vfs = _Vfs()
    main()
