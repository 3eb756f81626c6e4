"""Saves the data of an open file that has lost its name: see ``file_names``."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from mektup.store.faults import Fault, Kind
from mektup.store.rules.account_names import account_is_gone
from mektup.store.sqlite.file.closing import Closing
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.errors import ENGINE_ERRORS
from mektup.store.sqlite.file.file_names import Names
from mektup.terms.errors import Refused


def save(
    names: Names, near: Cursor | None, closing: Closing, faulty: Callable[[Fault], None]
) -> tuple[Refused | None, bool]:
    """Moves the WAL into the file, if the file still has its name; *near* is a connection that was open before.

    Returns the refusal for callers that wait for a durable change, None where it is on disk; and whether all users must
    open the account again, because another file has its name.
    """
    if near is not None and closing.is_gone(near):
        return account_is_gone(), True
    lost = names.lost
    if near is not None and names.can_be_saved:
        is_saved = _is_moved(near.connection)
        ends = False
    else:
        is_saved, ends = False, closing.is_of_account
    what = "all changes were saved" if is_saved else "later changes may be lost"
    fault = Fault(Kind.CUT_OFF, lost, f"it was removed or replaced while in use; {what}", lasts=not is_saved)
    faulty(fault)
    return None if is_saved else fault.refusal(), ends


def _is_moved(connection: apsw.Connection) -> bool:
    try:
        frames, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
    except ENGINE_ERRORS:
        return False  # somebody reads an older state; the next change tries again
    return frames == moved
