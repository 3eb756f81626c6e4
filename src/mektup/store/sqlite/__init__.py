"""The embedded engine: each account is one SQLite file, and a copy of the file is a copy of the account."""

from mektup.store.sqlite.checking import Report, check_all
from mektup.store.sqlite.file.database import SQLITE_VERSION
from mektup.store.sqlite.file.reserve import Reserve
from mektup.store.sqlite.repairing import repair
from mektup.store.sqlite.store import open_store
from mektup.store.sqlite.tables.backup import back_up_all, own_files, require_empty, restore_all, write_own_files
from mektup.store.sqlite.tables.directory import names_beginning

__all__ = [
    "SQLITE_VERSION",
    "Report",
    "Reserve",
    "back_up_all",
    "check_all",
    "names_beginning",
    "open_store",
    "own_files",
    "repair",
    "require_empty",
    "restore_all",
    "write_own_files",
]
