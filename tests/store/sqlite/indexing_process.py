"""A process that indexes an account's texts and prints its progress, for tests of crashes and of several processes.

    python -m tests.store.sqlite.indexing_process DATA NAME

After each committed transaction it prints its number of messages. It ends when all messages are indexed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from mektup.store import quiet_work
from mektup.store.sqlite import open_store
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.tables import text_index


async def main(data: Path, name: str) -> None:
    quiet_work.QUIET_SECONDS = 3600.0  # type: ignore[misc]
    text_index.BATCH_BYTES = 2000  # type: ignore[misc]
    put = text_index.put

    def said(change: Change, batch: text_index.Batch) -> bool:
        is_put = put(change, batch)
        print(len(batch.entries) if is_put else 0, flush=True)
        return is_put

    text_index.put = said
    store = await open_store(data, compression=3)
    entry = await store.directory.find(name)
    assert entry is not None
    await (await store.account(entry)).indexer.finish()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
