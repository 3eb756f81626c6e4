"""``backup-others``: how fast a server in use is backed up, and how long its clients wait meanwhile."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from pathlib import Path

from bench.mektup import PROGRAM, Mektup
from bench.rows.registry import READER, WRITER, Bench
from bench.sets.lines import Line

MEGABYTE = 1_000_000
PAUSE = 0.002
"""Seconds between two commands of a client that waits for nothing else."""


def backup(bench: Bench) -> list[Line]:
    """Backs up the reader's account twice, checks the backup, and restores it as another account.

    Another server has no such command.
    """
    if not isinstance(bench.server, Mektup):
        return []
    bench.restart(workers=1)
    bench.wait_for_rest()
    folder = bench.server.data.parent / "backup"
    shutil.rmtree(folder, ignore_errors=True)
    waits, before = _Waits(bench), _Waits(bench)
    with waits:
        first = _seconds(bench.server, "backup", "create", str(folder), "--account", READER)
    with before:
        time.sleep(first)
    again = _seconds(bench.server, "backup", "create", str(folder), "--account", READER)
    verified = _seconds(None, "backup", "verify", str(folder))
    options = ("--account", READER, "--as", "restored")
    restored = _seconds(bench.server, "restore", str(folder), *options)
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    _remove(bench.server)
    shutil.rmtree(folder)
    name = bench.name
    return [
        Line("first backup: messages a second", "", {name: bench.messages / first}),
        Line("first backup: MB of mail a second", "", {name: bench.octets / first / MEGABYTE}),
        Line("longest NOOP or APPEND of other clients meanwhile", "ms", {name: waits.longest * 1000}, 50.0),
        Line("the same without a backup, as long", "ms", {name: before.longest * 1000}),
        Line("octets of the backup for an octet of mail", "", {name: size / bench.octets}),
        Line("again, where nothing is new", "s", {name: again}),
        Line("verify: MB of mail a second", "", {name: bench.octets / verified / MEGABYTE}),
        Line("restore as another account: messages a second", "", {name: bench.messages / restored}),
    ]


def _seconds(server: Mektup | None, *words: str) -> float:
    config = () if server is None else ("--config", str(server.configuration))
    began = time.perf_counter()
    subprocess.run([str(PROGRAM), *words, *config], check=True, capture_output=True)
    return time.perf_counter() - began


def _remove(server: Mektup) -> None:
    _seconds(server, "user", "remove", "restored", "--yes")


class _Waits:
    """Two clients, of the account that is backed up and of another one, that measure how long they wait."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._write)]
        self.longest = 0.0

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        self._ask(READER, b"NOOP")

    def _write(self) -> None:
        self._ask(WRITER, b"APPEND INBOX " + self._bench.mail[0].arguments)

    def _ask(self, account: str, command: bytes) -> None:
        client = self._bench.new_imap(account)
        client.run(b"SELECT INBOX")
        while not self._over.is_set():
            began = time.perf_counter()
            client.run(command)
            self.longest = max(self.longest, time.perf_counter() - began)
            time.sleep(PAUSE)
        if account == WRITER:
            client.run(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
            client.run(b"CLOSE")
        client.close()
