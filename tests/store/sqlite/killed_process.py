"""Adds or removes an account in a process that ends at one of its system calls, as if by SIGKILL.

    python -m tests.store.sqlite.killed_process DATA add|remove NAME CALL NUMBER

The process ends at the NUMBERth use of ``os.CALL``.
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from pathlib import Path
from typing import Any

from mektup.store.sqlite import open_store


def dies_at(call: str, number: int) -> None:
    real, uses = getattr(os, call), count(1)

    def followed(*args: Any, **options: Any) -> Any:
        if next(uses) == number:
            os._exit(9)
        return real(*args, **options)

    setattr(os, call, followed)


async def run(data: Path, what: str, name: str, call: str, number: int) -> None:
    store = await open_store(data)
    dies_at(call, number)
    await (store.directory.add(name, {}) if what == "add" else store.directory.remove(name))
    await store.close()


if __name__ == "__main__":
    data, what, name, call, number = sys.argv[1:]
    asyncio.run(run(Path(data), what, name, call, int(number)))
