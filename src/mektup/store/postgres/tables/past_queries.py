"""The past of an account: its mailboxes and messages at the end of a second, and the deleted messages.

The statements for one mailbox are asked in one transaction, as of one moment, together with its present state.
"""

from __future__ import annotations

from typing import Final

BEGUN: Final = "SELECT past_from FROM accounts WHERE account = %s"
"""The moment since which the history is complete."""

NUMBERS: Final = """
SELECT a.modseq, a.expunged, coalesce(m.uidvalidity, 1) FROM accounts AS a
LEFT JOIN mailboxes AS m ON m.account = a.account AND m.name = 'INBOX' WHERE a.account = %s
"""
"""The account's modseq, the highest number of a deleted message, and UIDVALIDITY of INBOX."""

_NAMED: Final = "uidvalidity, mailboxid, special_use, selectable, keywords"
NAMES_AT: Final = f"""
SELECT id, name, {_NAMED} FROM mailboxes WHERE account = %s AND named <= %s
UNION ALL
SELECT mailbox, name, {_NAMED} FROM past_names WHERE account = %s AND begun <= %s AND ended > %s
"""
"""The mailboxes at a moment; the first of two rows with one ID is right."""

ALL_KEYWORDS: Final = """
SELECT keywords FROM mailboxes WHERE account = %s UNION ALL SELECT keywords FROM past_names WHERE account = %s
"""
DELETED_FROM: Final = """
SELECT w.mailbox, m.name, p.name FROM (SELECT DISTINCT mailbox FROM retained WHERE account = %s AND NOT moved) AS w
LEFT JOIN mailboxes AS m ON m.account = %s AND m.id = w.mailbox AND m.selectable
LEFT JOIN LATERAL (
    SELECT name FROM past_names WHERE account = %s AND mailbox = w.mailbox ORDER BY modseq DESC LIMIT 1
) AS p ON true ORDER BY w.mailbox
"""
"""The mailboxes that have deleted messages, their present names, and the last ones that they had."""

DELETED: Final = """
SELECT id, flags, modseq, content, size, arrived, zone, removed FROM retained
WHERE account = %s AND NOT moved AND (%b::bigint[] IS NULL OR mailbox = ANY (%b::bigint[]))
"""
"""The deleted messages of some mailboxes, or of all; in the order of ``TailRow``."""

IS_THERE: Final = "SELECT 1 FROM mailboxes WHERE account = %s AND id = %s AND selectable"
REMOVED_SINCE: Final = """
SELECT r.uid, r.flags, 1, r.content, r.size, r.arrived, r.zone, r.saved FROM retained AS r
WHERE r.account = %s AND r.mailbox = %s AND r.saved <= %s AND r.removed > %s
    AND EXISTS (SELECT FROM contents AS c WHERE c.account = r.account AND c.id = r.content)
"""
LATE: Final = "SELECT first, last FROM late_arrivals WHERE account = %s AND mailbox = %s AND moment > %s"
"""Messages that came after a moment, although their save date is earlier."""
FLIPPED: Final = "SELECT first, last, flipped FROM past_flags WHERE account = %s AND mailbox = %s AND moment > %s"
