"""Attacks before login that make the server write to its log."""

from __future__ import annotations

import time

from bench.hostile.attack import Attack, Stage, Who


def _log_bytes(stage: Stage) -> int:
    return stage.server.log.stat().st_size


def _identify(stage: Stage) -> str:
    """One connection without a login sends ID again and again, in lines of nearly 1,000 octets."""
    seconds = 1.0 if stage.is_short else 5.0
    line = b'ID ("name" "' + b"x" * 900 + b'")'
    before, begun, said = _log_bytes(stage), time.monotonic(), 0
    client = stage.connect()
    while time.monotonic() < begun + seconds:
        client.ask(line)
        said += 1
    written = _log_bytes(stage) - before
    words = f"{said / seconds:.0f} a second, {written / 1000:.1f} kB of log in all"
    return words if written < 100_000 else f"failed: {words}"


def _knock(stage: Stage) -> str:
    """Connections that send two wrong commands and close."""
    seconds = 1.0 if stage.is_short else 5.0
    before, begun, knocks = _log_bytes(stage), time.monotonic(), 0
    while time.monotonic() < begun + seconds:
        client = stage.connect()
        client.ask(b"XYZZY")
        client.ask(b"XYZZY")
        client.close()
        knocks += 1
    written = _log_bytes(stage) - before
    words = f"{knocks / seconds:.0f} connections a second, {written / 1000:.1f} kB of log in all"
    # the log's budget for clients: 64 KiB at once, and 4 KiB a second
    return words if written < 110_000 else f"failed: {words}"


ROWS = (
    Attack(
        key="id",
        who=Who.STRANGER,
        what="ID again and again on one connection",
        before="22 MB/s of log",
        run=_identify,
    ),
    Attack(
        key="knocks",
        who=Who.STRANGER,
        what="connections that come and go",
        before="a line of log for each",
        run=_knock,
    ),
)
