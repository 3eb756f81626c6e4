"""The statements that give all mailboxes of an account other numbers."""

from __future__ import annotations

from typing import Final

from mektup.store.postgres.tables.shard_tables import OF_A_MAILBOX

MAILBOXES: Final = "SELECT id FROM mailboxes WHERE account = %s::uuid ORDER BY id"
LEAVE_GAPS: Final = (
    "UPDATE accounts SET modseq = modseq + %s, content = content + %s, expunged = expunged + %s, "
    "mailbox = mailbox + %s, past_from = greatest(past_from, %s) WHERE account = %s::uuid "
    "RETURNING mailbox, uidvalidity"
)
RENEW: Final = (
    "UPDATE mailboxes AS m SET id = n.new, uidvalidity = n.uidvalidity, mailboxid = n.mailboxid, highestmodseq = %s, "
    "created = %s, changed = %s "
    "FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS n (old, new, uidvalidity, mailboxid) "
    "WHERE m.account = %s::uuid AND m.id = n.old"
)
RENUMBER: Final = tuple(
    f"UPDATE {table} AS t SET mailbox = n.new FROM unnest(%s::bigint[], %s::bigint[]) AS n (old, new) "
    "WHERE t.account = %s::uuid AND t.mailbox = n.old"
    for table in (*OF_A_MAILBOX, "retained", "past_flags", "past_names", "late_arrivals")
)
"""The tables whose rows stay with a mailbox that gets another ID."""
USE_UIDVALIDITY: Final = "UPDATE accounts SET uidvalidity = greatest(uidvalidity, %s) WHERE account = %s::uuid"
