"""The statements of ``calls``, where a write leaves its token: a node that lost the answer looks for it."""

from __future__ import annotations

from typing import Final

NOTE: Final = "INSERT INTO calls VALUES (%s::uuid, %s::uuid, %s, 'null')"
WAIT: Final = "SELECT 1 FROM accounts WHERE account = %s::uuid FOR NO KEY UPDATE"
"""Waits until the write, if it still runs, has ended."""
WAS_MADE: Final = "SELECT 1 FROM calls WHERE account = %s::uuid AND token = %s::uuid"
