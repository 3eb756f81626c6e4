"""The statements of metadata in a shard; the rules are in ``rules.metadata``.

A removed entry keeps a row without a value, so that a reader learns of the removal.
"""

from __future__ import annotations

from typing import Final

ENTRIES: Final = (
    "SELECT mailbox, entry, value FROM metadata WHERE account = %s::uuid AND mailbox = ANY(%s::bigint[]) "
    "AND owner IN ('', %s) AND value IS NOT NULL AND (entry = ANY(%s::text[]) OR EXISTS "
    "(SELECT FROM unnest(%s::text[]) AS n (name) WHERE starts_with(entry, n.name || '/'))) ORDER BY mailbox, entry"
)
IS_MAILBOX: Final = "SELECT 1 FROM mailboxes WHERE account = %s::uuid AND id = %s"
OCTETS: Final = "SELECT coalesce(sum(length(value)), 0) FROM metadata WHERE account = %s::uuid"
SET: Final = (
    "INSERT INTO metadata VALUES (%s::uuid, %s, %s, %s, %s, %s) "
    "ON CONFLICT (account, mailbox, owner, entry) DO UPDATE SET modseq = excluded.modseq, value = excluded.value"
)
REMOVE: Final = (
    "UPDATE metadata SET modseq = %s, value = NULL "
    "WHERE account = %s::uuid AND mailbox = %s AND owner = %s AND entry = %s AND value IS NOT NULL"
)
COUNT: Final = (
    "SELECT count(*) FROM metadata WHERE account = %s::uuid AND mailbox = %s AND owner = %s AND value IS NOT NULL"
)
COUNT_REMOVED: Final = "SELECT count(*) FROM metadata WHERE account = %s::uuid AND value IS NULL"
REMOVE_OLDEST: Final = (
    "DELETE FROM metadata WHERE account = %s::uuid AND value IS NULL AND modseq <= (SELECT modseq FROM metadata "
    "WHERE account = %s::uuid AND value IS NULL ORDER BY modseq DESC LIMIT 1 OFFSET %s)"
)
CHANGED: Final = (
    "SELECT DISTINCT h.modseq, e.mailbox, e.entry "
    "FROM (SELECT coalesce(max(modseq), 0) AS modseq FROM metadata WHERE account = %s::uuid) AS h "
    "LEFT JOIN metadata AS e ON e.account = %s::uuid AND e.modseq > %s AND e.owner IN ('', %s) "
    "ORDER BY e.mailbox, e.entry"
)
"""The highest modseq, and the entries above one; a row without an entry where there is none."""
COPY: Final = (
    "INSERT INTO metadata SELECT account, %s, owner, entry, %s, value FROM metadata "
    "WHERE account = %s::uuid AND mailbox = %s AND value IS NOT NULL"
)
"""Gives a mailbox the entries of another one (RFC 5464 §4.1, of INBOX)."""
