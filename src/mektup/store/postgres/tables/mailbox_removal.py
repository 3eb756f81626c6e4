"""The statements that remove the messages of a mailbox."""

from __future__ import annotations

from typing import Final

KEPT_SECONDS: Final = 14 * 86400
"""How long an object stays that no content names: longer than any backup that may be restored."""

TAIL: Final = (
    "SELECT uid, flags, content, size, arrived, zone, saved FROM tail WHERE account = %s::uuid AND mailbox = %s"
)
BLOCKS: Final = (
    "SELECT f.block, f.modseq, f.octets, c.octets FROM flags AS f JOIN facts AS c USING (account, mailbox, block) "
    "WHERE f.account = %s::uuid AND f.mailbox = %s"
)
REMOVE_FROM: Final = "DELETE FROM {} WHERE account = %s::uuid AND mailbox = %s"
TAKE_RETAINED: Final = (
    "UPDATE accounts SET expunged = expunged + %s, retained = retained + %s WHERE account = %s::uuid RETURNING expunged"
)
RETAIN: Final = (
    "INSERT INTO retained (account, mailbox, modseq, removed, moved, id, uid, flags, content, size, arrived, zone, "
    "saved) SELECT %s::uuid, %s, %s, %s, false, t.* FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], "
    "%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS t"
)
RELEASE: Final = f"""
WITH given AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS t (id, copies)),
kept AS (
    UPDATE contents AS c SET copies = c.copies - g.copies FROM given AS g
    WHERE c.account = %s::uuid AND c.id = g.id AND c.copies > g.copies
),
gone AS (
    DELETE FROM contents AS c USING given AS g
    WHERE c.account = %s::uuid AND c.id = g.id AND c.copies <= g.copies RETURNING c.id, c.object
),
texts_gone AS (DELETE FROM texts AS t USING gone WHERE t.account = %s::uuid AND t.content = gone.id)
INSERT INTO garbage SELECT %s::uuid, object, %s + {KEPT_SECONDS} FROM gone WHERE object IS NOT NULL
"""
