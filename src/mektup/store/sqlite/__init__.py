"""The embedded engine: an account is one SQLite file. Copy the file, and you have copied the account."""

from mektup.store.sqlite.file.reserve import Reserve
from mektup.store.sqlite.store import open_store
from mektup.store.sqlite.tables.backup import back_up_all, restore_all

__all__ = ["Reserve", "back_up_all", "open_store", "restore_all"]
