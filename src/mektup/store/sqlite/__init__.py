"""The embedded engine: an account is one SQLite file. Copy the file, and you have copied the account."""

from mektup.store.sqlite.backup import back_up_all, restore_all
from mektup.store.sqlite.reserve import Reserve
from mektup.store.sqlite.store import open_store

__all__ = ["Reserve", "back_up_all", "open_store", "restore_all"]
