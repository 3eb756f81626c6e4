"""Rows of STORE; each leaves the flags as they were."""

from __future__ import annotations

from bench.answers import messages
from bench.rows.registry import Bench, Measured, row

STORES = 1000
UNUSED = b"\\Draft"
"""A flag that none of the messages has."""


def _flags(bench: Bench) -> list[str]:
    return messages(bench.imap().run(b"FETCH 1:* (FLAGS)").octets, b"FLAGS")


@row("store", f"{STORES} x UID STORE n +FLAGS, pipelined", ratio=1.0)
def store(bench: Bench) -> Measured:
    client = bench.imap()
    count = min(STORES, bench.messages)
    # with fewer messages than that, every second round removes the flag
    commands = [
        b"UID STORE %d %cFLAGS (%b)" % (1 + number % count, b"+-"[number // count % 2], UNUSED)
        for number in range(STORES)
    ]
    with bench.stopwatch() as watch:
        answer = client.run(*commands)
    stored = answer.octets.count(b" FETCH ")
    flags = _flags(bench)
    client.run(b"UID STORE 1:%d -FLAGS.SILENT (%b)" % (count, UNUSED))
    return watch.measured(lambda: [stored, flags, messages(answer.octets, b"UID", b"FLAGS")])


@row("store-all", "STORE 1:* +FLAGS.SILENT, and back", ratio=1.0)
def store_all(bench: Bench) -> Measured:
    client = bench.imap()
    with bench.stopwatch() as watch:
        client.run(b"STORE 1:* +FLAGS.SILENT (%b)" % UNUSED)
    between = _flags(bench)
    with watch:
        client.run(b"STORE 1:* -FLAGS.SILENT (%b)" % UNUSED)
    return watch.measured(lambda: [between, _flags(bench)])
