"""The statements about objects: which are due to be removed, which are still named, and who does that work."""

from __future__ import annotations

from typing import Final

DUE: Final = "SELECT account, object FROM garbage WHERE not_before <= %s ORDER BY not_before LIMIT %s"
FORGET: Final = """
DELETE FROM garbage USING unnest(%s::uuid[], %s::text[]) AS gone(account, object)
WHERE garbage.account = gone.account AND garbage.object = gone.object
"""
NAMED: Final = """
SELECT object FROM contents WHERE account = %(account)s AND object = ANY (%(names)s::text[])
UNION SELECT object FROM garbage WHERE account = %(account)s AND object = ANY (%(names)s::text[])
"""
TAKE: Final = """
INSERT INTO work AS w VALUES (%(nobody)s, %(kind)s, %(owner)s, %(until)s)
ON CONFLICT (account, kind) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE w.until <= %(now)s
RETURNING 1
"""
"""Takes a kind of work of the whole shard until a moment. No row: another node has it, or did it lately."""
