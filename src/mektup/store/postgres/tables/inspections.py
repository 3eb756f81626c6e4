"""What a database says of itself."""

from __future__ import annotations

from typing import Final

SETTINGS: Final = """
SELECT current_setting('synchronous_standby_names') <> '', extract(epoch FROM clock_timestamp()),
    to_regclass('schema') IS NOT NULL
"""
"""Whether a commit waits for a standby, the time in seconds since 1970 UTC, and whether there are tables of mektup."""
