"""Finds free ports on loopback, and waits until a server listens on one."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Sequence

PROTOCOLS = ("imap", "imaps", "pop3", "pop3s", "lmtp")

BELOW_EPHEMERAL = range(15_000, 30_000)
"""The kernel gives these ports to no outgoing connection, so a port that is free now stays free."""


def choose_ports(protocols: Sequence[str]) -> dict[str, int]:
    """A free port of 127.0.0.1 for each of *protocols*."""
    ports: dict[str, int] = {}
    for port in random.SystemRandom().sample(BELOW_EPHEMERAL, 200):
        if len(ports) == len(protocols):
            return ports
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports[protocols[len(ports)]] = port
    raise OSError("no free ports on 127.0.0.1")


def wait_for_listener(process: subprocess.Popen[bytes], port: int, *, seconds: float = 90) -> None:
    """Returns when *process* accepts connections on *port*. Raises OSError if it ends first, or takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=seconds).close()
            return
        except ConnectionRefusedError:
            try:
                # a pause between attempts that ends early when the process ends
                process.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                continue
            raise OSError(f"the server ended with status {process.returncode} instead of listening") from None
    raise OSError(f"nothing listens on port {port} after {seconds} seconds")
