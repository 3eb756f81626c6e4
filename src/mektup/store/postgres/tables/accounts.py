"""The statements that make, open and remove the rows of an account in a shard."""

from __future__ import annotations

from typing import Final

from mektup.store.postgres.tables.shard_tables import OF_AN_ACCOUNT

ADD: Final = "INSERT INTO accounts (account, name) VALUES (%s::uuid, %s)"
OPEN: Final = (
    "SELECT a.name, (SELECT array_agg(DISTINCT x.identifier) FROM access AS x WHERE x.account = a.account) "
    "FROM accounts AS a WHERE a.account = %s::uuid AND a.state < 2"
)
"""The name, and the identifiers of all access lists."""
MAILBOXES: Final = "SELECT id FROM mailboxes WHERE account = %s::uuid"
LOCK: Final = "SELECT 1 FROM accounts WHERE account = %s::uuid FOR UPDATE"
"""Of an account in any state."""
KEEP_OBJECTS: Final = (
    "INSERT INTO garbage SELECT account, object, %s FROM contents WHERE account = %s::uuid AND object IS NOT NULL"
)
REMOVE: Final = tuple(f"DELETE FROM {table} WHERE account = %s::uuid" for table in OF_AN_ACCOUNT)
"""The row of the account goes last."""
