"""``stall``: how heavy work of one account slows another account's session on the same worker, and its memory.

The heavy client is a separate process, so that only the server can make the other client wait.
"""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

from bench.client import Address, ImapClient
from bench.crowd import percentile
from bench.fill import MektupFilling
from bench.mektup import Mektup
from bench.rows.registry import PASSWORD, READER, WRITER, Bench
from bench.sets.lines import Line

PAUSE = 0.002
"""Seconds between two NOOPs."""

FETCHED_OCTETS = 500_000_000
MOST_GROWTH_MIB = 64
MOST_STALL_MS = 20

SCANS = [b"UID SEARCH BODY %b" % word for word in (b"qxqx", b"xqxq")]
"""No message has these words, and without an index every text is decoded and searched."""


def stall(bench: Bench) -> list[Line]:
    """Measures the 99th percentile of another session's NOOP, and how much the private memory of the server grew.

    mektup gets a new folder, in which nothing is indexed.
    """
    if not isinstance(bench.server, Mektup):
        return _stalls(bench)
    bench.hang_up()
    bench.server.stop()
    folder = Path(bench.server.mail_folder).parent.parent / "unindexed"
    unindexed = Mektup(folder, workers=1, settings="[limits]\ntext_index = false\n")
    MektupFilling(unindexed.data, {READER: bench.messages, WRITER: 0}).wait()
    other = Bench(unindexed, bench.mail, bench.messages, bench.octets)
    try:
        return _stalls(other)
    finally:
        other.hang_up()
        unindexed.stop()
        shutil.rmtree(folder)


def _stalls(bench: Bench) -> list[Line]:
    octets = bench.octets
    fetches = [b"UID FETCH 1:* (BODY.PEEK[])"] * max(1, round(FETCHED_OCTETS / octets))
    lines = []
    for what, commands in (
        (f"search of {bench.messages:,} texts", SCANS),
        (f"FETCH of {len(fetches) * octets / 1e6:,.0f} MB", fetches),
    ):
        bench.restart(workers=1)
        bench.wait_for_rest()
        waits, growth, seconds = _during(bench, commands)
        worst = percentile(waits, 0.99) * 1000
        lines += [
            Line(f"{what}: 99th percentile of a NOOP", "ms", {bench.name: worst}, MOST_STALL_MS),
            Line(f"{what}: longest NOOP", "ms", {bench.name: max(waits) * 1000}),
            Line(f"{what}: growth of memory", "MiB", {bench.name: growth / 2**20}, MOST_GROWTH_MIB),
            Line(f"{what}: seconds", "s", {bench.name: seconds}),
        ]
    return lines


def _during(bench: Bench, commands: Sequence[bytes]) -> tuple[list[float], int, float]:
    """The seconds of each NOOP, the highest growth of memory in octets, and the seconds that *commands* took."""
    client = bench.imap(WRITER)
    client.run(b"NOOP")
    processes = bench.processes
    before = most = processes.private_memory()
    load = _started(bench.address("imap"), commands)
    begun = time.perf_counter()
    waits = []
    while load.is_alive():
        waits.append(client.run(b"NOOP").seconds)
        most = max(most, processes.private_memory())
        time.sleep(PAUSE)
    if load.exitcode:
        raise OSError(f"the heavy client ended with status {load.exitcode}")
    return waits, most - before, time.perf_counter() - begun


def _started(address: Address, commands: Sequence[bytes]) -> BaseProcess:
    spawning = multiprocessing.get_context("spawn")
    ready = spawning.Event()
    target: Callable[..., None] = _work
    load = spawning.Process(target=target, args=(address, commands, ready))
    load.start()
    ready.wait(60)
    return load


def _work(address: Address, commands: Sequence[bytes], ready: Event) -> None:
    client = ImapClient(address, READER, PASSWORD)
    client.run(b"SELECT INBOX")
    ready.set()
    for command in commands:
        client.run_and_forget(command)
