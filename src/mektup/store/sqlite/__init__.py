"""The embedded engine: each account is one SQLite file, and a copy of the file is a copy of the account."""

from mektup.store.sqlite.file.reserve import Reserve
from mektup.store.sqlite.store import open_store
from mektup.store.sqlite.tables.backup import back_up_all, restore_all

__all__ = ["Reserve", "back_up_all", "open_store", "restore_all"]
