"""Rows of what a waiting connection costs: memory, measured on a server that was just started."""

from __future__ import annotations

from bench.client import ImapClient
from bench.rows.registry import CROWD, PASSWORD, Bench, Measured, Stage, Unit, row

WAITING = {"mektup": 1000, "Dovecot": 300}
"""How many connections are opened; Dovecot has a process for each."""


def _memory(bench: Bench, protocol: str, *, tls: bool) -> Measured:
    """KiB that each connection adds, logged in, with INBOX open, in IDLE; they are spread over the crowd's accounts.

    What the accounts themselves take while they are open is in it.
    """
    count = WAITING[bench.name]
    bench.wait_for_rest()
    before = bench.processes.proportional_memory()
    clients = []
    for number in range(count):
        client = ImapClient(bench.address(protocol), CROWD[number % len(CROWD)], PASSWORD, tls=tls)
        client.run(b"SELECT INBOX")
        client.idle()
        clients.append(client)
    bench.wait_for_rest()
    after = bench.processes.proportional_memory()
    for client in clients:
        client.done()
        client.close()
    return Measured((after - before) / count / 1024, None, lambda: True)


@row("memory", "memory for a logged-in IDLE connection", at_most=16, unit=Unit.KIB, stage=Stage.FRESH)
def memory(bench: Bench) -> Measured:
    return _memory(bench, "imap", tls=False)


@row("memory-tls", "memory for a logged-in IDLE connection, TLS", at_most=48, unit=Unit.KIB, stage=Stage.FRESH)
def memory_tls(bench: Bench) -> Measured:
    return _memory(bench, "imaps", tls=True)
