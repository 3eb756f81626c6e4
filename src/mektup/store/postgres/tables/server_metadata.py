"""The statements of the metadata of the whole server, in the directory; see ``postgres.metadata``."""

from __future__ import annotations

from typing import Final

ENTRIES: Final = (
    "SELECT entry, value FROM server_metadata WHERE value IS NOT NULL AND (entry = ANY(%s::text[]) OR EXISTS "
    "(SELECT FROM unnest(%s::text[]) AS n (name) WHERE starts_with(entry, n.name || '/'))) ORDER BY entry"
)
FOLLOWING: Final = "SELECT coalesce(max(modseq), 0) + 1 FROM server_metadata"
"""The next modseq."""
SET: Final = (
    "INSERT INTO server_metadata VALUES (%s, %s, %s) "
    "ON CONFLICT (entry) DO UPDATE SET modseq = excluded.modseq, value = excluded.value"
)
REMOVE: Final = "UPDATE server_metadata SET modseq = %s, value = NULL WHERE entry = %s AND value IS NOT NULL"
COUNTS: Final = "SELECT count(value), coalesce(sum(length(value)), 0), count(*) - count(value) FROM server_metadata"
"""The entries, their octets, and the entries that were removed."""
REMOVE_OLDEST: Final = (
    "DELETE FROM server_metadata WHERE value IS NULL AND modseq <= (SELECT modseq FROM server_metadata "
    "WHERE value IS NULL ORDER BY modseq DESC LIMIT 1 OFFSET %s)"
)
CHANGED: Final = (
    "SELECT h.modseq, 0, e.entry FROM (SELECT coalesce(max(modseq), 0) AS modseq FROM server_metadata) AS h "
    "LEFT JOIN server_metadata AS e ON e.modseq > %s ORDER BY e.entry"
)
"""The highest modseq, and the entries above one; a row without an entry where there is none."""
