"""The statements that take over mailboxes and messages of another server; the rules are in ``rules.adoption``."""

from __future__ import annotations

from typing import Final

from mektup.store.postgres.tables.message_writes import ADDED, BEGUN

FAR_UID: Final = 1 << 40
"""Above all UIDs: messages are added here first, and then get those of the other server."""

RAISE_MODSEQ: Final = "UPDATE accounts SET modseq = greatest(modseq, %s) WHERE account = %s::uuid"
BOX: Final = (
    "SELECT id, uidvalidity, uidnext, highestmodseq, recent_from, keywords FROM mailboxes "
    "WHERE account = %s::uuid AND id = %s AND selectable"
)
"""In the order of ``rules.counters.Box``."""
RAISE_UIDNEXT: Final = "UPDATE mailboxes SET uidnext = %s, highestmodseq = %s WHERE account = %s::uuid AND id = %s"
ADD_EXPUNGED: Final = (
    "INSERT INTO expunged SELECT %s::uuid, %s, %s, first, last "
    "FROM unnest(%s::bigint[], %s::bigint[]) AS t (first, last)"
)
FLAGS: Final = "SELECT block, modseq, octets FROM flags WHERE account = %s::uuid AND mailbox = %s"
SET_FLAGS: Final = "UPDATE flags SET modseq = %s, octets = %s WHERE account = %s::uuid AND mailbox = %s AND block = %s"
TOUCH_TAIL: Final = "UPDATE tail SET modseq = %s WHERE account = %s::uuid AND mailbox = %s"
TOUCH_MAILBOX: Final = "UPDATE mailboxes SET highestmodseq = %s WHERE account = %s::uuid AND id = %s"

DIGESTS: Final = "SELECT id, digest FROM contents WHERE account = %s::uuid AND id = ANY(%s::bigint[])"
KNOWN: Final = "SELECT key FROM imported WHERE account = %s::uuid AND mailbox = %s AND key = ANY(%s::bytea[])"
REMEMBER: Final = "INSERT INTO imported SELECT %s::uuid, %s, key FROM unnest(%s::bytea[]) AS t (key)"
ADD: Final = (
    f"SELECT b.modseq FROM {BEGUN}, LATERAL (SELECT {FAR_UID}::bigint AS first WHERE b.modseq IS NOT NULL) AS g, "
    f"LATERAL {ADDED.format(mailbox='%(mailbox)s')}"
)
PLACE: Final = (
    "UPDATE tail AS t SET uid = u.uid, saved = coalesce(u.saved, t.saved) "
    "FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY AS u (uid, saved, number) "
    f"WHERE t.account = %s::uuid AND t.mailbox = %s AND t.uid = {FAR_UID - 1} + u.number"
)
NOTE_LATE: Final = (
    "INSERT INTO late_arrivals SELECT %s::uuid, %s, %s, first, last "
    "FROM unnest(%s::bigint[], %s::bigint[]) AS t (first, last) "
    "ON CONFLICT (account, moment, mailbox, first) DO UPDATE SET last = excluded.last"
)
CLOSE: Final = (
    "UPDATE mailboxes SET uidnext = %s, highestmodseq = %s, recent_from = %s, keywords = %s, messages = messages + %s, "
    "unseen = unseen + %s, deleted = deleted + %s, size = size + %s, recent = recent + %s, tail = tail + %s "
    "WHERE account = %s::uuid AND id = %s RETURNING tail"
)
