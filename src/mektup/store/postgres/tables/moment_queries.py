"""What ``moments`` reads of an account, but for its messages."""

from __future__ import annotations

from typing import Final

ACCOUNT: Final = "SELECT modseq, uidvalidity, quota FROM accounts WHERE account = %s AND state < 2"
KEYWORDS: Final = "SELECT id, keywords FROM mailboxes WHERE account = %s"
ACCESS: Final = "SELECT mailbox, identifier, rights FROM access WHERE account = %s"
METADATA: Final = (
    "SELECT mailbox, owner, entry, value FROM metadata WHERE account = %s AND value IS NOT NULL "
    "ORDER BY mailbox, owner, entry"
)
SUBSCRIPTIONS: Final = "SELECT name FROM subscriptions WHERE account = %s"
SETS: Final = "SELECT id, names FROM keyword_sets WHERE account = %s"
EXPUNGED: Final = "SELECT first, last FROM expunged WHERE account = %s AND mailbox = %s AND modseq > %s"
