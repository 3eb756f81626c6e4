"""The statements of mailboxes and subscriptions; see ``rules.mailbox_tree`` and ``rules.account_log``."""

from __future__ import annotations

from typing import Final

_COLUMNS: Final = (
    "m.id, m.name, m.uidvalidity, m.uidnext, m.highestmodseq, m.messages, m.unseen, m.deleted, m.size, m.recent, "
    "m.mailboxid, m.special_use, m.selectable"
)
"""In the order of ``interface.Mailbox``."""

# A row that begins with NULL says that the account is there, and what was sought is not. No row: it is gone.

_MAILBOXES: Final = "FROM accounts AS a LEFT JOIN mailboxes AS m ON m.account = a.account"
_OF_ACCOUNT: Final = "WHERE a.account = %s::uuid AND a.state < 2"

ALL: Final = f"SELECT {_COLUMNS} {_MAILBOXES} {_OF_ACCOUNT}"
FIND: Final = f"SELECT {_COLUMNS} {_MAILBOXES} AND m.name = %s {_OF_ACCOUNT}"
TARGET: Final = f"SELECT m.id {_MAILBOXES} AND m.name = %s AND m.selectable {_OF_ACCOUNT}"
SUBSCRIPTIONS: Final = f"SELECT s.name FROM accounts AS a LEFT JOIN subscriptions AS s USING (account) {_OF_ACCOUNT}"

# The log: one statement, so that all rows are as of one moment

CHANGES: Final = """
WITH a AS (
    SELECT log_floor, modseq, CASE WHEN %s BETWEEN log_floor AND modseq THEN %s ELSE -1 END AS above
    FROM accounts WHERE account = %s::uuid AND state < 2
)
SELECT 0, log_floor, modseq, 0, 0, '', '', NULL, false FROM a
UNION ALL
SELECT 1, m.id, m.uidvalidity, m.created, m.changed, m.name, m.mailboxid, m.special_use, m.selectable
FROM a, mailboxes AS m WHERE m.account = %s::uuid AND m.changed > a.above
UNION ALL
SELECT 2, 0, 0, 0, s.changed, s.name, '', NULL, true
FROM a, subscriptions AS s WHERE s.account = %s::uuid AND s.changed > a.above
UNION ALL
SELECT 3, t.mailbox, 0, t.created, t.modseq, t.name, t.mailboxid, NULL, false
FROM a, tombstones AS t WHERE t.account = %s::uuid AND t.modseq > a.above
"""
"""Kind, and up to eight values: 0 the account, 1 a mailbox, 2 a subscription, 3 a tombstone."""

# Writing

NUMBERS: Final = (
    "SELECT uidvalidity, mailbox, octets, messages, mailboxes, quota FROM accounts WHERE account = %s::uuid"
)
"""The highest numbers used in the account, the sums of its mailboxes, and its own limits."""
SET_NUMBERS: Final = (
    "UPDATE accounts SET uidvalidity = %s, mailbox = %s, octets = octets + %s, messages = messages + %s, "
    "mailboxes = mailboxes + %s WHERE account = %s::uuid"
)
ADD_ACCOUNT: Final = (
    "INSERT INTO accounts (account, name, past_from) VALUES (%s::uuid, %s, %s) ON CONFLICT DO NOTHING RETURNING account"
)
INSERT: Final = (
    "INSERT INTO mailboxes (account, id, name, uidvalidity, highestmodseq, mailboxid, special_use, selectable, "
    "created, changed, named) VALUES (%s::uuid, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
INHERIT: Final = (
    "INSERT INTO access SELECT account, %s, identifier, rights FROM access WHERE account = %s::uuid AND mailbox = %s"
)
RENAME: Final = "UPDATE mailboxes SET name = %s, changed = %s, named = %s WHERE account = %s::uuid AND id = %s"
SET_SPECIAL_USE: Final = (
    "UPDATE mailboxes SET special_use = %s, changed = %s, named = %s WHERE account = %s::uuid AND id = %s"
)
REMOVE: Final = "DELETE FROM mailboxes WHERE account = %s::uuid AND id = %s"
RENUMBER: Final = (
    "UPDATE mailboxes SET id = %s, uidvalidity = %s, uidnext = 1, highestmodseq = %s, mailboxid = %s, recent_from = 1, "
    "keywords = '', created = %s, changed = %s, named = %s WHERE account = %s::uuid AND id = %s"
)
RENUMBER_IN: Final = "UPDATE {} SET mailbox = %s WHERE account = %s::uuid AND mailbox = %s"

SUBSCRIBE: Final = "INSERT INTO subscriptions VALUES (%s::uuid, %s, %s)"
UNSUBSCRIBE: Final = "DELETE FROM subscriptions WHERE account = %s::uuid AND name = %s"
BURY: Final = (
    "INSERT INTO tombstones SELECT account, %s, id, name, mailboxid, created FROM mailboxes "
    "WHERE account = %s::uuid AND id = %s"
)
BURY_SUBSCRIPTION: Final = "INSERT INTO tombstones VALUES (%s::uuid, %s, 0, %s, '', 0)"
UNBURY_SUBSCRIPTION: Final = "DELETE FROM tombstones WHERE account = %s::uuid AND mailbox = 0 AND name = %s"
COUNT_TOMBSTONES: Final = "SELECT count(*) FROM tombstones WHERE account = %s::uuid"
NEWEST_REMOVED: Final = "SELECT modseq FROM tombstones WHERE account = %s::uuid ORDER BY modseq DESC LIMIT 1 OFFSET %s"
BEGIN_LOG_AT: Final = "UPDATE accounts SET log_floor = %s WHERE account = %s::uuid"
REMOVE_TOMBSTONES: Final = "DELETE FROM tombstones WHERE account = %s::uuid AND modseq <= %s"
