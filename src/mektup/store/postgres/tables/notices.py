"""The statements of the connection that carries notices. They touch no table, so any database will do."""

from __future__ import annotations

from typing import Final

CHANNEL: Final = "mektup_notice"

PREPARE: Final = (
    # the commit of a notification need not be on any disk
    "SET synchronous_commit = off",
    # a node that stops reading loses its connection; else the server would keep every notification for it
    "SET tcp_user_timeout = '10s'",
    f"LISTEN {CHANNEL}",
)
NOTIFY: Final = f"SELECT pg_notify('{CHANNEL}', payload) FROM unnest(%s::text[]) AS sent (payload)"
"""Sends all payloads in one transaction. Each has at most 7,999 octets."""
IS_THERE: Final = "SELECT 1"
