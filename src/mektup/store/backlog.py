"""The work that a store has left for later: figures for the metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a process has yet to do in the background."""

    accounts: int = 0
    """Open accounts that have background work to do: mail that is not in the text index yet, unused space."""
    oldest_seconds: float = 0.0
    """How long the account waits that has waited longest."""
    wal_bytes: int = 0
    """The size of the write-ahead logs of all open files together."""
    largest_wal_bytes: int = 0
    expunged_bytes: int = 0
    """What the open accounts keep of expunged messages; 200 octets for each message are added."""
