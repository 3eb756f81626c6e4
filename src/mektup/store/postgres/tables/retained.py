"""The expunged messages that are kept, and the history of mailboxes: how much there is, and what goes when."""

from __future__ import annotations

from typing import Final

KEPT: Final = (
    "SELECT count(*), coalesce(sum(size), 0)::bigint, min(removed) FROM retained WHERE account = %s AND NOT moved"
)
"""How many, their octets, and when the first one was removed."""

_LAST_NAME: Final = (
    "SELECT p.name FROM past_names AS p WHERE p.account = r.account AND p.mailbox = r.mailbox "
    "ORDER BY p.modseq DESC LIMIT 1"
)
LISTED: Final = f"""
SELECT r.id, r.uid, r.removed, r.size, m.name, CASE WHEN m.name IS NULL THEN ({_LAST_NAME}) END
FROM retained AS r LEFT JOIN mailboxes AS m ON m.account = r.account AND m.id = r.mailbox AND m.selectable
WHERE r.account = %s AND r.id > %s AND NOT r.moved ORDER BY r.id LIMIT %s
"""
"""Messages that can be brought back; then the name of their mailbox, or the last one that it had."""

_NAMED: Final = (
    "EXISTS (SELECT FROM unnest(%b::bigint[], %b::bigint[]) AS t(first, last) WHERE id BETWEEN first AND last)"
)
ROWS: Final = f"""
SELECT id, mailbox, flags, content, size, arrived, zone, saved FROM retained
WHERE account = %s AND NOT moved AND {_NAMED} ORDER BY id
"""
"""Messages that can be brought back, of these runs of numbers."""
PLACES: Final = """
SELECT w.mailbox, m.name, p.name, p.special_use FROM unnest(%b::bigint[]) AS w(mailbox)
LEFT JOIN mailboxes AS m ON m.account = %s AND m.id = w.mailbox AND m.selectable
LEFT JOIN LATERAL (
    SELECT name, special_use FROM past_names WHERE account = %s AND mailbox = w.mailbox ORDER BY modseq DESC LIMIT 1
) AS p ON true
"""
"""Where messages of these mailboxes come back to: the present name, and the last name and special use that are kept."""

GROW: Final = "SELECT uidvalidity, first, tail FROM grow_1(%s, %s, %s, %s, %s, 0, %s, %b, %s, %s)"
ADD_BACK: Final = """
INSERT INTO tail (account, mailbox, uid, modseq, flags, content, size, arrived, zone, saved)
SELECT %s::uuid, %s, %s + number - 1, %s, flags, content, size, arrived, zone, saved
FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[]) WITH ORDINALITY
    AS t(flags, content, size, arrived, zone, saved, number)
"""
NOTE_LATE: Final = (
    "INSERT INTO late_arrivals (account, moment, mailbox, first, last) VALUES (%s, %s, %s, %s, %s) "
    "ON CONFLICT DO NOTHING"
)
SHARE: Final = (
    "UPDATE contents AS c SET copies = c.copies + n.copies FROM "
    "(SELECT id, count(*) AS copies FROM unnest(%b::bigint[]) AS t(id) GROUP BY id) AS n "
    "WHERE c.account = %s AND c.id = n.id"
)
NOTE_BACK: Final = "UPDATE retained SET moved = true WHERE account = %s AND id = ANY (%b)"
COUNT: Final = (
    "UPDATE accounts SET octets = octets + %s, messages = messages + %s, retained = retained + %s WHERE account = %s "
    "RETURNING octets, messages, mailboxes, quota"
)
"""Adds to the account's sums, and to the weight of what is kept; returns what counts for the quota."""

REMOVE: Final = "DELETE FROM retained WHERE account = %s AND id = ANY (%b)"
REMOVE_EMPTY: Final = (
    "DELETE FROM retained AS r WHERE r.account = %s AND r.moved AND NOT EXISTS "
    "(SELECT FROM contents AS c WHERE c.account = r.account AND c.id = r.content) RETURNING 1"
)
"""What was left of messages that were moved, and whose contents are gone."""

RELEASE: Final = "SELECT release_1(%s, %b, %s)"

OLDEST: Final = "SELECT id, content, size, moved, removed FROM retained WHERE account = %s ORDER BY id LIMIT %s"
WEIGHT: Final = "SELECT retained FROM accounts WHERE account = %s"
BEGIN_AT: Final = "UPDATE accounts SET past_from = greatest(past_from, %s) WHERE account = %s"

_HISTORY: Final = {"past_flags": "moment", "past_sets": "moment", "past_names": "ended", "late_arrivals": "moment"}
"""The tables of the history, and their columns of moments."""

MOST_NAMES: Final = 10_000
MOST_RUNS: Final = 200_000
"""The most rows of ``past_names``, and of ``past_flags``; the oldest ones go."""

_OLD: Final = " ".join(
    f"OR EXISTS (SELECT FROM {table} WHERE account = %s AND {moment} < %s)" for table, moment in _HISTORY.items()
)
IS_DUE: Final = f"""
SELECT coalesce((SELECT removed FROM retained WHERE account = %s ORDER BY id LIMIT 1) < %s, false)
    OR (SELECT retained FROM accounts WHERE account = %s) > %s
    {_OLD}
    OR (SELECT count(*) FROM past_names WHERE account = %s) > {MOST_NAMES}
    OR (SELECT count(*) FROM past_flags WHERE account = %s) > {MOST_RUNS}
"""
"""Whether there is something to forget; the account goes with each moment, the most octets, and each count."""

FORGET_HISTORY: Final = tuple(
    f"WITH gone AS (DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} "
    f"WHERE account = %s AND {moment} < %s LIMIT %s)) RETURNING 1) SELECT count(*) FROM gone"
    for table, moment in _HISTORY.items()
)
"""Removes some of what is older than a moment; returns how many rows."""
FORGET_MOST: Final = tuple(
    f"WITH gone AS (DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE account = %s "
    f"ORDER BY {moment} LIMIT least(%s, greatest(0, (SELECT count(*) FROM {table} WHERE account = %s) - {most})))) "
    f"RETURNING {moment} AS moment) SELECT count(*), max(moment) FROM gone"
    for table, moment, most in (("past_flags", "moment", MOST_RUNS), ("past_names", "ended", MOST_NAMES))
)
"""Removes the oldest where there are too many; returns how many, and the last of their moments."""
