"""Writes the texts of contents behind the arrivals, and reads what a search looks at itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

TO_INDEX: Final = """
SELECT c.id, c.size FROM contents AS c WHERE c.account = %s AND NOT c.indexed ORDER BY c.id LIMIT %s
"""
"""The next contents whose texts are not stored."""

IS_DUE: Final = "SELECT EXISTS (SELECT FROM contents AS c WHERE c.account = %s AND NOT c.indexed)"

PUT_TEXTS: Final = "SELECT put_texts_1(%s, %b, %b, %b)"
"""Takes the account, contents, and their headers and bodies."""

FUNCTIONS: Final = (
    """
CREATE OR REPLACE FUNCTION put_texts_1(a uuid, numbers bigint[], of_headers text[], of_bodies text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- a content must not be freed meanwhile, as its texts go with it; nobody waits for the disk because of this
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM FROM accounts WHERE account = a FOR NO KEY UPDATE;
    INSERT INTO texts (account, content, headers, body)
        SELECT a, t.number, t.headers, t.body FROM unnest(numbers, of_headers, of_bodies) AS t(number, headers, body)
        JOIN contents AS c ON c.account = a AND c.id = t.number
        ON CONFLICT DO NOTHING;
    UPDATE contents SET indexed = true WHERE account = a AND id = ANY(numbers) AND NOT indexed;
END $$
""",
)

COLUMNS: Final = {
    "subject": "c.subject",
    "from": "c.from_",
    "to": "c.to_",
    "cc": "c.cc",
    "bcc": "c.bcc",
    "headers": "t.headers",
    "body": "t.body",
}
"""What a search may look at."""


def read(columns: Collection[str]) -> str:
    """The statement that reads *columns* of some contents of an account. Those of a text may be NULL."""
    chosen = "".join(f", {COLUMNS[column]}" for column in columns)
    joins = "LEFT JOIN texts AS t ON t.account = c.account AND t.content = c.id " if "t." in chosen else ""
    return f"SELECT c.id{chosen} FROM contents AS c {joins}WHERE c.account = %s AND c.id = ANY (%b)"
