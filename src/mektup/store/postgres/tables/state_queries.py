"""The whole state of a mailbox, by one statement, so as of one moment."""

from __future__ import annotations

from typing import Final

MAILBOX, FLAGS, FACTS, TAIL = range(4)
"""What a row is of; the first number of each row."""

STATE: Final = f"""
SELECT {MAILBOX}, m.highestmodseq, m.uidnext, NULL::bytea, NULL::bigint[]
    FROM mailboxes AS m WHERE m.account = %s AND m.id = %s AND m.selectable
UNION ALL SELECT {FLAGS}, f.block, f.modseq, f.octets, NULL
    FROM flags AS f WHERE f.account = %s AND f.mailbox = %s
UNION ALL SELECT {FACTS}, f.block, 0, f.octets, NULL
    FROM facts AS f WHERE f.account = %s AND f.mailbox = %s
UNION ALL SELECT {TAIL}, t.uid, t.modseq, NULL, ARRAY[t.flags, t.content, t.size, t.arrived, t.zone, t.saved]
    FROM tail AS t WHERE t.account = %s AND t.mailbox = %s
"""
"""Takes the account and the mailbox, four times."""
