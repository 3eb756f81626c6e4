"""The table of versions, which says what stands in a database; the rules are in ``postgres.schema``.

A database may be a shard, the directory, or both; each of these *parts* has a version of its own.
"""

from __future__ import annotations

from typing import Final

CREATE: Final = """
CREATE TABLE IF NOT EXISTS schema (
    part text PRIMARY KEY,
    version int NOT NULL,           -- of the tables
    oldest_reader int NOT NULL,     -- the oldest version of mektup's tables that can still use them
    functions text NOT NULL         -- a digest of the functions that were made last
)
"""
BEGIN_PART: Final = "INSERT INTO schema VALUES (%s, 0, 0, '') ON CONFLICT DO NOTHING"
LOCK: Final = "SELECT version, oldest_reader, functions FROM schema WHERE part = %s FOR UPDATE"
LOOK: Final = "SELECT version, oldest_reader, functions FROM schema WHERE part = %s"
IS_THERE: Final = "SELECT to_regclass('schema') IS NOT NULL"
SET_VERSION: Final = "UPDATE schema SET version = %s, oldest_reader = %s WHERE part = %s"
SET_FUNCTIONS: Final = "UPDATE schema SET functions = %s WHERE part = %s"
