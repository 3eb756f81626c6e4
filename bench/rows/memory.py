"""Rows of the memory that a waiting connection takes, measured on a server that was just started."""

from __future__ import annotations

from bench.client import ImapClient
from bench.rows.registry import CROWD, PASSWORD, WRITER, Bench, Measured, Stage, Unit, row

WAITING = {"mektup": 1000, "Dovecot": 300}
"""How many connections are opened; Dovecot has a process for each."""


FIRST = 20
"""Connections that are opened before the measurement, so that everything that is loaded once is loaded."""


def _memory(bench: Bench, protocol: str, *, tls: bool) -> Measured:
    """KiB that each connection adds: logged in, INBOX open, in IDLE.

    The connections are spread over the crowd's accounts. The figure includes the memory of the open accounts.
    """
    count = WAITING[bench.kind]
    clients = [_in_idle(bench, protocol, WRITER, tls=tls) for _ in range(FIRST)]
    bench.wait_for_rest()
    before = bench.processes.proportional_memory()
    clients += [_in_idle(bench, protocol, CROWD[number % len(CROWD)], tls=tls) for number in range(count)]
    bench.wait_for_rest()
    after = bench.processes.proportional_memory()
    for client in clients:
        client.done()
        client.close()
    return Measured((after - before) / count / 1024, None, lambda: True)


def _in_idle(bench: Bench, protocol: str, account: str, *, tls: bool) -> ImapClient:
    client = ImapClient(bench.address(protocol), account, PASSWORD, tls=tls)
    client.run(b"SELECT INBOX")
    client.idle()
    return client


@row("memory", "memory for a logged-in IDLE connection", at_most=16, unit=Unit.KIB, stage=Stage.FRESH)
def memory(bench: Bench) -> Measured:
    return _memory(bench, "imap", tls=False)


@row("memory-tls", "memory for a logged-in IDLE connection, TLS", at_most=48, unit=Unit.KIB, stage=Stage.FRESH)
def memory_tls(bench: Bench) -> Measured:
    return _memory(bench, "imaps", tls=True)
