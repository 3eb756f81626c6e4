"""The embedded engine: an account is one SQLite file. Copy the file, and you have copied the account."""

from mektup.store.sqlite.reserve import Reserve
from mektup.store.sqlite.store import open_store

__all__ = ["Reserve", "open_store"]
