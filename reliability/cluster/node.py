"""A node as a process of its own, which is killed: ``python -m reliability.cluster.node DSN ACCOUNT FIRST SEED FILE``.

Its writers note each step in a file before they take it, so that the file tells what was asked and answered.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Final

from reliability.cluster.journal import Journal, State
from reliability.cluster.scene import opened
from reliability.cluster.writers import Writer

WRITERS: Final = 4


class FileJournal(Journal):
    """A journal whose steps are in a file, too."""

    def __init__(self, file: int) -> None:
        super().__init__()
        self._file = file

    def _note(self, *step: object) -> None:
        os.write(self._file, json.dumps(step).encode() + b"\n")

    def asked(self, number: int, wanted: State) -> None:
        """See ``Journal``, also for the other methods."""
        self._note("asked", number, *wanted)
        super().asked(number, wanted)

    def done(self, number: int, state: State) -> None:
        self._note("done", number, *state)
        super().done(number, state)

    def not_done(self, number: int, before: State) -> None:
        self._note("not_done", number, *before)
        super().not_done(number, before)


def replay(file: Path, journal: Journal) -> None:
    """Adds what a node wrote into *file*; its last step may be cut off."""
    asked = 0
    for line in file.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        step, number, *state = json.loads(line)
        getattr(journal, step)(number, State(*state))
        asked += 1 if step == "asked" else -1
    for _ in range(asked):
        journal.not_known()


async def _run(dsn: str, name: str, first: int, seed: int, path: Path) -> None:
    store = await opened(dsn)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    journal = FileJournal(file)
    writers = [Writer(store, name, first + number, journal, seed) for number in range(WRITERS)]
    await asyncio.gather(*(writer.run(asyncio.Event()) for writer in writers))


def main(arguments: list[str]) -> None:
    """Writes until it is killed."""
    dsn, name, first, seed, path = arguments
    asyncio.run(_run(dsn, name, int(first), int(seed), Path(path)))


if __name__ == "__main__":
    main(sys.argv[1:])
