"""The statements of a plain transaction of an account, for writes that are rare, and those of any connection."""

from __future__ import annotations

from typing import Final

LOCK: Final = "SELECT modseq FROM accounts WHERE account = %s AND state = 0 FOR NO KEY UPDATE"
"""Locks the row of an account before anything else. No row: it is gone, moved or frozen."""
TAKE: Final = "UPDATE accounts SET modseq = modseq + %s WHERE account = %s RETURNING modseq"
"""Takes modseqs; returns the last of them."""
OF_ONE_MOMENT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
BEGIN_OF_ONE_MOMENT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
ONE: Final = "SELECT 1"
"""Whether the database answers."""
