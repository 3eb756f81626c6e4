"""The statements of access control lists in a shard; the rules are in ``rules.access_lists``."""

from __future__ import annotations

from typing import Final

SHARED: Final = (
    "SELECT m.id, m.name, a.identifier, a.rights FROM access AS a "
    "JOIN mailboxes AS m ON m.account = a.account AND m.id = a.mailbox "
    "WHERE a.account = %s::uuid AND a.identifier = ANY(%s::text[])"
)
OF: Final = (
    "SELECT m.id, a.identifier, a.rights FROM mailboxes AS m "
    "LEFT JOIN access AS a ON a.account = m.account AND a.mailbox = m.id "
    "WHERE m.account = %s::uuid AND m.name = %s ORDER BY a.identifier"
)
"""The list of a mailbox; a row without an identifier for an empty one."""
SET: Final = (
    "INSERT INTO access VALUES (%s::uuid, %s, %s, %s) "
    "ON CONFLICT (account, mailbox, identifier) DO UPDATE SET rights = excluded.rights"
)
REMOVE: Final = "DELETE FROM access WHERE account = %s::uuid AND mailbox = %s AND identifier = %s"
NOTE: Final = "UPDATE mailboxes SET changed = %s WHERE account = %s::uuid AND id = %s"
IS_SHARED_WITH: Final = "SELECT 1 FROM access WHERE account = %s::uuid AND identifier = %s LIMIT 1"
READERS: Final = "SELECT DISTINCT identifier FROM access WHERE account = %s::uuid"
