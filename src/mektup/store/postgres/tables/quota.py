"""The statements of an account's limits and of what it holds; the rules are in ``rules.quota``."""

from __future__ import annotations

from typing import Final

STATE: Final = "SELECT octets, messages, mailboxes, quota FROM accounts WHERE account = %s::uuid AND state < 2"
STATES: Final = (
    "SELECT account, octets, messages, mailboxes, quota FROM accounts "
    "WHERE account = ANY(%s::text[]::uuid[]) AND state < 2"
)
SET_LIMITS: Final = "UPDATE accounts SET quota = %s::jsonb WHERE account = %s::uuid"
HAS_DELETED: Final = "SELECT id, deleted > 0 FROM mailboxes WHERE account = %s::uuid AND id = ANY(%s::bigint[])"
MESSAGES: Final = (
    "SELECT mailbox, -1, flags, size, NULL, NULL FROM tail "
    "WHERE account = %s::uuid AND mailbox = ANY(%s::bigint[]) AND flags & %s <> 0 "
    "UNION ALL SELECT f.mailbox, f.block, f.modseq, 0, f.octets, c.octets FROM flags AS f "
    "JOIN facts AS c USING (account, mailbox, block) WHERE f.account = %s::uuid AND f.mailbox = ANY(%s::bigint[])"
)
"""The messages of the tails that have a flag, with their sizes, and the blocks: as of one moment."""
