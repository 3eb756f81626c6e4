"""Kills a server again and again while clients use it that know what it has acknowledged (``surviving_clients``).

python -m tests.server.survivors [--seed N] [--kills N] [--workers N]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import tempfile
from pathlib import Path

import apsw

from mektup import Server
from mektup.server import accounts
from mektup.store.sqlite.tables.messages import DELETED
from tests.server.process import Process, is_alive
from tests.server.surviving_clients import PASSWORD, RECIPIENTS, Carrier, Client, Owner, Scene

OWNERS = ("dora", "emma")
CARRIERS = ("gerd", "hans")

CONFIG = """
data = "data"
workers = {workers}
[log]
format = "json"
[lmtp]
trace = false
[listen]
imap = ["127.0.0.1:0"]
pop3 = ["127.0.0.1:0"]
lmtp = ["127.0.0.1:0"]
"""


def survive(directory: Path, *, seed: int, kills: int, workers: int) -> Scene:
    """Kills a server in *directory* so often while clients use it. Raises AssertionError for any error afterwards."""
    asyncio.run(_add_accounts(directory / "data"))
    config = directory / "mektup.toml"
    config.write_text(CONFIG.format(workers=workers))
    chance = random.Random(seed)
    scene = Scene()
    clients: list[Client] = [Owner(scene, name, seed) for name in OWNERS]
    clients += [Carrier(scene, name, seed) for name in CARRIERS]
    process = Process(config)
    try:
        scene.serve(process)
        for client in clients:
            client.start()
        for _ in range(kills):
            scene.wait_for_answers(chance.randint(3, 60))
            how = chance.choice(("worker", "parent", "all") if workers > 1 else ("all",))
            if how == "worker":
                os.kill(chance.choice(process.workers() or [process.pid]), signal.SIGKILL)
                if is_alive(process.pid):
                    continue
            scene.serve(None)
            for pid in process.workers() if how == "all" else ():
                os.kill(pid, signal.SIGKILL)
            process.signal(signal.SIGKILL)
            before, process = process, Process(config)
            scene.serve(process)
            before.end()
        scene.wait_for_answers(20)
        scene.end(clients)
        for client in clients:
            client.check()
        assert process.stop() == 0
    except BaseException:
        print(*process.log, *process.noise, sep="\n")
        raise
    finally:
        process.end()
        scene.is_over = True
    for path in (directory / "data").rglob("*.db"):
        check_file(path)
    return scene


async def _add_accounts(data: Path) -> None:
    async with Server(data, listen={}) as server:
        for name in OWNERS + RECIPIENTS:
            await accounts.set_password(server.store, name, PASSWORD, passing=True)


_WRONG = {
    "counters": "SELECT count(*) FROM mailboxes AS b WHERE selectable AND (messages, size, unseen, deleted) <> (SELECT "
    "count(*), ifnull(sum(size), 0), ifnull(sum(flags & 1 = 0), 0), ifnull(sum(flags & {deleted} <> 0), 0) "
    "FROM messages WHERE mailbox = b.id)",
    "modseqs": "SELECT count(*) FROM messages AS m JOIN mailboxes AS b ON b.id = m.mailbox "
    "WHERE m.modseq > b.highestmodseq OR m.uid >= b.uidnext",
    "strays": "SELECT count(*) FROM messages WHERE mailbox NOT IN (SELECT id FROM mailboxes)",
    "sets": "SELECT count(*) FROM messages WHERE flags > 31 AND flags >> 5 NOT IN (SELECT id FROM keyword_sets)",
    "contents": "SELECT count(*) FROM contents WHERE id NOT IN (SELECT content FROM messages)",
    "chunks": "SELECT count(*) FROM chunks WHERE id >> 12 NOT IN (SELECT id FROM contents)",
    "lost contents": "SELECT count(*) FROM messages WHERE content NOT IN (SELECT id FROM contents)",
    "copies": "SELECT count(*) FROM (SELECT content, count(*) AS uses FROM messages GROUP BY content) AS u "
    "LEFT JOIN shared AS s ON s.content = u.content WHERE ifnull(s.copies, 0) <> uses - 1",
}


def check_file(path: Path) -> None:
    """Asserts that the file is not damaged, and that its counters are right."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        assert connection.pragma("integrity_check") == "ok"
        if path.name == "mektup.db":
            assert connection.execute("SELECT count(*) FROM unfinished").get == 0
            return
        for what, question in _WRONG.items():
            assert connection.execute(question.format(deleted=DELETED)).get == 0, f"{what} of {path.name}"
    finally:
        connection.close()


def main() -> None:
    """Prints how often the server was killed, and what was acknowledged meanwhile."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    for name, default in (("seed", 1), ("kills", 50), ("workers", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    wanted = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="survivors-"))
    scene = survive(directory, seed=wanted.seed, kills=wanted.kills, workers=wanted.workers)
    shutil.rmtree(directory)
    print(f"{wanted.kills} kills, {scene.answered} changes that were answered: all there")


if __name__ == "__main__":
    main()
