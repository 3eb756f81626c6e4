"""Rows of notification: how long it takes until a second device knows of a message."""

from __future__ import annotations

import time
from statistics import median

from bench.client import ImapClient
from bench.processes import owner
from bench.rows.registry import WRITER, Bench, Measured, Stage, Unit, row

WAKES = {"mektup": 40, "Dovecot": 3}
"""How many messages are appended; Dovecot takes half a second each time."""

LONG = 5.0
"""After a wait of so many seconds no other is tried: a Dovecot without a free inotify looks every half minute."""

ATTEMPTS = 50
"""How many connections are tried until one is served by the wanted process."""


def _wait_for_exists(bench: Bench, waiting: ImapClient) -> Measured:
    """The median of the milliseconds from sending an APPEND to the EXISTS in another session, which is in IDLE."""
    writer = bench.imap(WRITER)
    waits = []
    waiting.run(b"SELECT INBOX")
    for mail in bench.mail[: WAKES[bench.kind]]:
        waiting.idle()
        begun = time.perf_counter()
        writer.send(b"a APPEND INBOX " + mail.arguments + b"\r\n")
        while b" EXISTS" not in waiting.line():
            pass
        waits.append(time.perf_counter() - begun)
        while b"a OK" not in writer.line():
            pass
        waiting.done()
        if waits[-1] > LONG:
            break
    waiting.run(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
    waiting.run(b"CLOSE")
    return Measured(median(waits) * 1000, None, lambda: True)


@row("exists", "from APPEND to EXISTS in another session's IDLE", at_most=5, unit=Unit.MILLISECONDS)
def exists(bench: Bench) -> Measured:
    waiting = bench.new_imap(WRITER)
    measured = _wait_for_exists(bench, waiting)
    waiting.close()
    return measured


@row("exists-other", "the same, served by another worker", at_most=5, unit=Unit.MILLISECONDS, stage=Stage.TWO)
def exists_other(bench: Bench) -> Measured:
    """The kernel chooses the worker of a connection, so connections are made until one gets another worker."""
    served_by = owner(bench.processes, bench.imap(WRITER).port)
    for _ in range(ATTEMPTS):
        waiting = bench.new_imap(WRITER)
        is_other = owner(bench.processes, waiting.port) not in (served_by, None)
        if is_other:
            measured = _wait_for_exists(bench, waiting)
        waiting.close()
        if is_other:
            return measured
    raise OSError(f"{ATTEMPTS} connections were all served by one process")
