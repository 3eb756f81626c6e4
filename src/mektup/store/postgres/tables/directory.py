"""The statements of the directory: accounts, who shares with whom, and last logins.

Every change of accounts, aliases or domains locks the row of ``numbers`` first, so that such changes follow one
another: a name cannot be given twice, nor to an account and an alias. ``numbers.changes`` counts those of accounts.
"""

from __future__ import annotations

from typing import Final

_ENTRY: Final = "e.id, e.name, e.secrets, e.hidden, e.shard"

FIND: Final = f"SELECT n.changes, {_ENTRY} FROM numbers AS n LEFT JOIN entries AS e ON e.folded = %s"
FIND_BY_ID: Final = f"SELECT n.changes, {_ENTRY} FROM numbers AS n LEFT JOIN entries AS e ON e.id = %s::uuid"
CHANGES: Final = "SELECT changes FROM numbers"
PAGE: Final = f"SELECT {_ENTRY} FROM entries AS e WHERE e.folded > %s ORDER BY e.folded LIMIT %s"
SECRETS: Final = (
    "SELECT n.changes, e.id, e.secrets FROM numbers AS n LEFT JOIN entries AS e ON e.id = ANY(%s::text[]::uuid[])"
)
NAMES: Final = "SELECT id, name FROM entries WHERE id = ANY(%s::text[]::uuid[])"
SHARDS: Final = "SELECT id, shard FROM entries WHERE id = ANY(%s::text[]::uuid[])"

LOCK: Final = "SELECT changes FROM numbers FOR UPDATE"
"""Waits for every other change of the directory."""
COUNT_CHANGE: Final = "UPDATE numbers SET changes = changes + 1 RETURNING changes"
"""Locks as LOCK, and says that an account has changed."""

SET_SECRETS: Final = (
    "WITH n AS (UPDATE numbers SET changes = changes + 1 RETURNING changes), "
    f"e AS (UPDATE entries SET secrets = %s WHERE folded = %s RETURNING *) SELECT n.changes, {_ENTRY} FROM n, e"
)
SET_HIDDEN: Final = (
    "WITH n AS (UPDATE numbers SET changes = changes + 1 RETURNING changes), "
    f"e AS (UPDATE entries SET hidden = %s WHERE folded = %s RETURNING *) SELECT n.changes, {_ENTRY} FROM n, e"
)
RENEW_SECRETS: Final = (
    "WITH n AS (UPDATE numbers SET changes = changes + 1 RETURNING changes), "
    "e AS (UPDATE entries SET secrets = %s WHERE id = %s::uuid AND secrets = %s RETURNING id) "
    "SELECT n.changes, e.id FROM n LEFT JOIN e ON true"
)

# Adding and removing an account, whose mail is in another database

BEGIN_ADDING: Final = (
    "INSERT INTO unfinished SELECT %s::uuid, s.name, extract(epoch FROM now())::bigint, false "
    "FROM unnest(%s::text[]) AS s (name) LEFT JOIN fillings AS f ON f.shard = s.name "
    "ORDER BY coalesce(f.accounts, 0), s.name LIMIT 1 RETURNING shard"
)
"""Chooses the shard that has the fewest accounts."""
END_ADDING: Final = "DELETE FROM unfinished WHERE id = %s::uuid AND NOT removing RETURNING id"
"""No row: another node has begun to remove what was left of an addition that took so long."""
INSERT: Final = "INSERT INTO entries (id, name, folded, secrets, shard) VALUES (%s::uuid, %s, %s, %s, %s)"
FILL: Final = (
    "INSERT INTO fillings VALUES (%s, %s) "
    "ON CONFLICT (shard) DO UPDATE SET accounts = fillings.accounts + excluded.accounts"
)
REMOVE: Final = "DELETE FROM entries WHERE id = %s::uuid RETURNING shard"
FORGET: Final = (
    "DELETE FROM sharing WHERE owner = %s::uuid",
    "DELETE FROM sharing WHERE reader = %s",
    "DELETE FROM logins WHERE account = %s::uuid",
    "DELETE FROM aliases WHERE account = %s::uuid",
)
"""What goes with an account, by its ID."""
BEGIN_REMOVING: Final = "INSERT INTO unfinished VALUES (%s::uuid, %s, extract(epoch FROM now())::bigint, true)"
CLAIM_UNFINISHED: Final = (
    "UPDATE unfinished SET removing = true, since = extract(epoch FROM now())::bigint "
    "WHERE since < extract(epoch FROM now())::bigint - %s RETURNING id, shard"
)
"""What a node left that was killed; another node that asks now gets none of it."""
REMOVE_UNFINISHED: Final = "DELETE FROM unfinished WHERE id = %s::uuid"

# Who shares with whom, see ``postgres.access_lists``

SHARERS: Final = (
    f"SELECT {_ENTRY} FROM sharing AS s JOIN entries AS e ON e.id = s.owner "
    "WHERE s.reader = ANY(%s::text[]) AND e.id <> %s::uuid ORDER BY e.folded"
)
ADD_SHARING: Final = (
    "INSERT INTO sharing SELECT reader, %s::uuid FROM unnest(%s::text[]) AS r (reader) ON CONFLICT DO NOTHING"
)
COUNT_SHARERS: Final = "SELECT count(*) FROM sharing WHERE reader = %s"
IS_SHARING: Final = "SELECT 1 FROM sharing WHERE reader = %s AND owner = %s::uuid"
REMOVE_SHARING: Final = "DELETE FROM sharing WHERE reader = %s AND owner = %s::uuid"

# Last logins

NOTE_LOGINS: Final = (
    "INSERT INTO logins SELECT e.id, l.at FROM unnest(%s::text[]::uuid[], %s::bigint[]) AS l (id, at) "
    "JOIN entries AS e ON e.id = l.id ORDER BY e.id "
    "ON CONFLICT (account) DO UPDATE SET at = greatest(logins.at, excluded.at)"
)
LAST_LOGINS: Final = "SELECT account, at FROM logins WHERE account = ANY(%s::text[]::uuid[])"
