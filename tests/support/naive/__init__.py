"""A second engine, as simple as it can be: dictionaries in memory, copied before each write, counted anew each time.

It shows that ``store/rules`` and ``store/sorting`` suffice to write an engine, and it is the model that the contract
tests hold the real one against. It has no file: it knows neither durability nor faults nor other processes.
"""

from tests.support.naive.store import NaiveStore, open_store

__all__ = ["NaiveStore", "open_store"]
