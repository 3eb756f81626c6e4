"""How a node finds out whether a call whose answer was lost was done.

COPY, MOVE and REPLACE leave their answer in ``calls``, by a token that the node made. New messages have tokens in
``contents``. STORE and EXPUNGE leave nothing: they are worked out again on what is there then.
"""

from __future__ import annotations

from typing import Final

KEPT_SECONDS: Final = 3600
"""How long an answer is kept."""

MOST_SINCE: Final = 10_000
"""The most messages that the account may have got since the call."""

_NOTE: Final = f"""
CREATE OR REPLACE FUNCTION note_answer_1(_account uuid, _token uuid, _at bigint, _answer jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM calls WHERE account = _account AND at < _at - {KEPT_SECONDS};
    INSERT INTO calls VALUES (_account, _token, _at, _answer);
END $$
"""

FUNCTIONS: Final = (_NOTE,)

ANSWER: Final = "SELECT answer FROM calls WHERE account = %(account)s AND token = %(token)s"
APPENDED: Final = f"""
SELECT count(c.id), count(t.uid), max(t.modseq), max(m.uidvalidity), min(t.uid), max(m.tail)
FROM contents AS c
JOIN mailboxes AS m ON m.account = c.account AND m.id = %(mailbox)s
LEFT JOIN tail AS t ON t.account = c.account AND t.mailbox = m.id AND t.content = c.id
WHERE c.account = %(account)s AND c.token = ANY (%(tokens)b)
AND c.id > (SELECT content FROM accounts WHERE account = %(account)s) - {MOST_SINCE}
"""
"""How many of the messages were added, how many of them are in the tail; the answer of APPEND."""
