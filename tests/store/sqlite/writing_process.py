"""A process that writes to an account and prints what it did, for tests of crashes and of several processes.

    python -m tests.store.sqlite.writing_process DATA NAME COUNT

Prints a line for each acknowledged change: ``append UID``, ``flag UID``, ``expunge UID``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from mektup.store.sqlite import open_store
from mektup.terms.flags import FlagChange
from tests.contract.mail import incoming, raw, uids


async def main(data: Path, name: str, count: int) -> None:
    store = await open_store(data)
    entry = await store.directory.find(name)
    assert entry is not None
    account = await store.account(entry)
    mailbox = (await account.mailbox("INBOX")).id
    for number in range(count):
        message = incoming(octets=raw(f"number {number}", "x" * (300_000 if number % 20 == 7 else 100)))
        (uid,) = (await account.append(mailbox, [message])).uids
        say("append", uid)
        if number % 2:
            await account.store_flags(mailbox, uids(uid), FlagChange.ADD, frozenset({"\\Seen", f"$K{number % 3}"}))
            say("flag", uid)
        if number % 5 == 4:
            await account.remove(mailbox, uids(uid))
            say("expunge", uid)
    await store.close()


def say(what: str, uid: int) -> None:
    print(what, uid, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
