"""A second engine, as simple as possible: dictionaries in memory, copied before each write, counted each time.

It shows that ``store/rules`` and ``store/sorting`` are enough to write an engine. The contract tests run on it, too. It
has no file, so it has no durability, no faults and no other processes.
"""

from tests.support.naive.store import NaiveStore, open_store

__all__ = ["NaiveStore", "open_store"]
