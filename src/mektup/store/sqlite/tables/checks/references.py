"""References between rows: messages to contents, contents to everything that is derived from them, and back."""

from __future__ import annotations

from collections.abc import Iterator

from mektup.store.rules.consistency import Finding, Kind, finding
from mektup.store.rules.keyword_sets import KEYWORD_SHIFT, SYSTEM_MASK
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.store.sqlite.tables import retained
from mektup.store.sqlite.tables.schema import CHUNK_BITS
from mektup.terms.numbers import MailboxId

_OF_NO_MAILBOX = "mailbox NOT IN (SELECT id FROM mailboxes WHERE selectable)"

_COPIES = """
SELECT counted.content FROM (
    SELECT content, count(*) - 1 AS copies FROM (
        SELECT content FROM messages UNION ALL SELECT content FROM retained WHERE NOT moved
    ) GROUP BY content
) AS counted LEFT JOIN shared ON shared.content = counted.content
WHERE counted.copies <> ifnull(shared.copies, 0)
"""

_RETAINED = "(SELECT content FROM retained WHERE NOT moved)"

_UNUSED_COPIES = (
    "SELECT content FROM shared AS s WHERE NOT EXISTS (SELECT 1 FROM messages WHERE content = s.content) "
    f"AND content NOT IN {_RETAINED}"
)

RETAINED_WRONG = (
    f"NOT moved AND content NOT IN (SELECT id FROM contents) OR moved NOT IN (0, 1) OR flags < 0 "
    f"OR flags > {SYSTEM_MASK} AND flags >> {KEYWORD_SHIFT} NOT IN (SELECT id FROM keyword_sets)"
)
"""The rows of expunged messages that cannot be brought back."""


def of_mailbox(cursor: Cursor, mailbox: MailboxId) -> Iterator[Finding]:
    """The messages of *mailbox* without content, or with another size than that."""
    with moment(cursor):
        name = cursor.execute("SELECT name FROM mailboxes WHERE id = ?", (mailbox,)).get
        if name is None:
            return
        for has_octets in (False, True):
            missing = cursor.execute(
                "SELECT uid FROM messages "
                "WHERE mailbox = ?1 AND NOT EXISTS (SELECT 1 FROM contents WHERE id = content) "
                f"AND EXISTS (SELECT 1 FROM chunks WHERE id = content << {CHUNK_BITS}) = ?2",
                (mailbox, has_octets),
            )
            yield from finding(Kind.NO_CONTENT, name, "UID", (uid for (uid,) in missing), mendable=has_octets)
        wrong = cursor.execute(
            "SELECT uid FROM messages AS m CROSS JOIN contents AS c ON c.id = m.content "
            "WHERE m.mailbox = ? AND c.size <> m.size",
            (mailbox,),
        )
        yield from finding(Kind.SIZE, name, "UID", (uid for (uid,) in wrong))


def of_contents(cursor: Cursor) -> Iterator[Finding]:
    """Contents without messages, without chunks or without derived rows; and rows that belong to nothing."""
    for kind, name, asked in (
        (Kind.COPIES, "content", _COPIES),
        (Kind.COPIES, "content", _UNUSED_COPIES),
        (
            Kind.LOST_MESSAGE,
            "content",
            "SELECT id FROM contents WHERE NOT EXISTS (SELECT 1 FROM messages WHERE content = contents.id) "
            f"AND id NOT IN {_RETAINED}",
        ),
        (
            Kind.LOST_MESSAGE,
            "octets of content",
            f"SELECT DISTINCT id >> {CHUNK_BITS} FROM chunks WHERE id >> {CHUNK_BITS} NOT IN (SELECT id FROM contents)",
        ),
        (
            Kind.NO_DERIVED,
            "content",
            "SELECT id FROM contents WHERE NOT EXISTS (SELECT 1 FROM structures WHERE content = contents.id) "
            "OR NOT EXISTS (SELECT 1 FROM texts WHERE content = contents.id)",
        ),
        (
            Kind.OCTETS,
            "content",
            f"SELECT id FROM contents AS c WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE id = c.id << {CHUNK_BITS})",
        ),
        *((Kind.LEFT_OVER, table, _left_over(table)) for table in ("structures", "texts")),
        (Kind.LEFT_OVER, "freed", "SELECT content FROM freed WHERE content IN (SELECT id FROM contents)"),
    ):
        with moment(cursor):
            rows = cursor.execute(asked)
            yield from finding(kind, "", name, (number for (number,) in rows), mendable=kind is not Kind.OCTETS)


def of_retained(cursor: Cursor) -> Iterator[Finding]:
    """Expunged messages that are kept: what they refer to, and their weight; and runs of the history of flags."""
    with moment(cursor):
        rows = cursor.execute(f"SELECT id FROM retained WHERE {RETAINED_WRONG}")
        yield from finding(Kind.RETAINED, "", "number", (number for (number,) in rows))
        told, counted = retained.weight(cursor), cursor.execute(retained.WEIGHT).get
        if told != counted:
            yield Finding(Kind.RETAINED, "", f"weight {told}, counted {counted}")
        wrong = cursor.execute("SELECT mailbox FROM past_flags WHERE first < 1 OR last < first OR flipped = 0")
        yield from finding(Kind.RETAINED, "", "runs of mailbox", (mailbox for (mailbox,) in wrong))


def _left_over(table: str) -> str:
    return f"SELECT content FROM {table} WHERE content NOT IN (SELECT id FROM contents)"


def of_mailboxes(cursor: Cursor) -> Iterator[Finding]:
    """Rows of mailboxes that do not exist, or that hold no messages."""
    with moment(cursor):
        rows = cursor.execute(f"SELECT mailbox, uid FROM messages WHERE {_OF_NO_MAILBOX}")
        yield from finding(Kind.NO_MAILBOX, "", "mailbox/UID", (f"{mailbox}/{uid}" for mailbox, uid in rows))
        for table in ("touched", "expunged", "header_fields"):
            rows = cursor.execute(f"SELECT DISTINCT mailbox FROM {table} WHERE {_OF_NO_MAILBOX}")
            yield from finding(Kind.LEFT_OVER, "", f"{table} of mailbox", (mailbox for (mailbox,) in rows))
        for table, told in (("access", "access list of mailbox"), ("imported", "imported messages of mailbox")):
            lost = f"SELECT DISTINCT mailbox FROM {table} WHERE mailbox NOT IN (SELECT id FROM mailboxes)"
            yield from finding(Kind.LEFT_OVER, "", told, (mailbox for (mailbox,) in cursor.execute(lost)))
