"""Memory that was freed, given back to the system.

What SQLite frees when a file is closed lies between what lives on, and the C library keeps it for what may come. A
server that waits for most of its clients most of the time has better use for it: without this, accounts that were
opened once would cost as much as those that are open.
"""

from __future__ import annotations

from mektup.store import system


def give_back() -> None:
    """Gives back every page of which nothing is used, from any thread: about a millisecond for ten megabytes."""
    system.trim_memory()
