"""Work behind the answers: which node does it, so that no other does the same meanwhile."""

from __future__ import annotations

from typing import Final

TAKE: Final = """
INSERT INTO work AS w (account, kind, owner, until) VALUES (%s, %s, %s, %s)
ON CONFLICT (account, kind) DO UPDATE SET owner = excluded.owner, until = excluded.until
    WHERE w.owner = excluded.owner OR w.until <= %s
RETURNING true
"""
"""Takes the work, or keeps it for longer; no row where another node has it."""

LEAVE: Final = "DELETE FROM work WHERE account = %s AND kind = %s AND owner = %s RETURNING true"
"""Gives the work up."""
