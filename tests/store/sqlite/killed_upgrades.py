"""Upgrades copies of a file in processes that are killed, each one step later than the one before.

    python -m tests.store.sqlite.killed_upgrades FILE account|directory PLACE statements|writes

The nth process works on ``PLACE/n/FILE``, and is killed by SIGKILL before its nth statement, or at its nth write or
sync. The last one is not killed, because its upgrade ends first.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import apsw

from mektup.store.sqlite.file.schema import Schema, bring_up_to_date
from mektup.store.sqlite.tables.schema import ACCOUNT, DIRECTORY
from tests.support.faulty_disk import faulty_disk

SCHEMAS = {"account": ACCOUNT, "directory": DIRECTORY}


def killed() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@contextmanager
def at_statement(number: int, then: Callable[[], object]) -> Iterator[None]:
    """Calls *then* before the statement *number*, from 1 on, of all connections that are opened meanwhile."""
    statements = count(1)

    def before_each(*_: Any) -> bool:
        if next(statements) == number:
            then()
        return True

    def hook(connection: apsw.Connection) -> None:
        connection.exec_trace = before_each

    apsw.connection_hooks.append(hook)
    try:
        yield
    finally:
        apsw.connection_hooks.remove(hook)


@contextmanager
def at_write(number: int, then: Callable[[], Exception]) -> Iterator[None]:
    """Calls *then* at the write or sync *number*, from 1 on."""
    with faulty_disk() as disk:
        disk.fails_at(number, then)
        yield


def upgrade(path: Path, schema: Schema) -> None:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        bring_up_to_date(connection, path, schema)
    finally:
        connection.close()


def main(file: Path, schema: Schema, place: Path, kind: str) -> None:
    number = 1
    while True:
        here = place / f"{number}" / file.name
        here.parent.mkdir(parents=True)
        shutil.copy(file, here)
        child = os.fork()
        if child == 0:
            with at_statement(number, killed) if kind == "statements" else at_write(number, killed):
                upgrade(here, schema)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return
        assert os.WTERMSIG(status) == signal.SIGKILL
        number += 1 if kind == "statements" or number < 6 else number // 4


if __name__ == "__main__":
    file, schema, place, kind = sys.argv[1:]
    main(Path(file), SCHEMAS[schema], Path(place), kind)
