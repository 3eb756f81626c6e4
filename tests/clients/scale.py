"""How large the account is that the tests of migration move, and how long a program may take for it."""

from __future__ import annotations

import os

MESSAGES = int(os.environ.get("MEKTUP_MOVED_MESSAGES", "40"))
"""Appended to each of four mailboxes. Of each, four are removed again."""

SECONDS = 50 if MESSAGES < 1000 else 1800
