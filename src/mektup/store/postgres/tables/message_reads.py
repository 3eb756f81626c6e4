"""The statements that read messages. Each is one statement, so what it reads is of one moment.

A statement that reads several kinds of rows begins each row with its kind, and has the columns of ROW.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final


class Kind(IntEnum):
    """What a row is: numbers, a text, octets."""

    BOX = 0
    """id, uidvalidity, uidnext, highestmodseq, recent_from, the first UID that was claimed as \\Recent; keywords."""
    FLAGS = 1
    """block, modseq; octets."""
    FACTS = 2
    """block; octets."""
    TAIL = 3
    """uid, flags, modseq, content, size, arrived, zone, saved."""
    SET = 4
    """The number of a set of keywords; its names."""
    EXPUNGED = 5
    """first, last."""
    COUNTERS = 6
    """messages, unseen, deleted, size, recent; special_use."""
    NAMES = 7
    """1 where it is selectable; the name, and as octets the mailboxid."""


_NUMBERS: Final = 8
"""How many numbers a row has, after its kind; a text and octets follow."""


def _row(kind: Kind, *numbers: str, text: str = "NULL", octets: str = "NULL") -> str:
    filled = [*numbers, *["0"] * (_NUMBERS - len(numbers))]
    columns = [f"({each})::bigint" for each in filled]
    return f"SELECT {int(kind)}::bigint, {', '.join(columns)}, {text}::text, {octets}::bytea"


def _together(*parts: str) -> str:
    return " UNION ALL ".join(parts)


_OF = "account = %(account)s AND mailbox = %(mailbox)s"
_BOX = "account = %(account)s AND id = %(mailbox)s AND selectable"
_TAIL = ("uid", "flags", "modseq", "content", "size", "arrived", "zone", "saved")
_SETS = f"{_row(Kind.SET, 'id', text='names')} FROM keyword_sets WHERE account = %(account)s AND id > %(sets)s"
_NUMBERS_OF_BOX = ("id", "uidvalidity", "uidnext", "highestmodseq", "recent_from")
_CLAIMED = (
    "CASE WHEN %(claim)s AND recent > 0 AND uidnext > %(from)s "
    "THEN coalesce(claim_recent_1(account, id, uidnext), 0) ELSE 0 END"
)

_IN_RANGE = "block BETWEEN %(low)s AND %(high)s AND (%(some)b::bigint[] IS NULL OR block = ANY (%(some)b::bigint[]))"
STATE: Final = _together(
    f"{_row(Kind.BOX, *_NUMBERS_OF_BOX, text='keywords')} FROM mailboxes WHERE {_BOX}",
    f"{_row(Kind.FLAGS, 'block', 'modseq', octets='octets')} FROM flags WHERE {_OF} AND {_IN_RANGE} "
    "AND (block, modseq) NOT IN (SELECT * FROM unnest(%(known)b::bigint[], %(known_modseqs)b::bigint[]))",
    f"{_row(Kind.FACTS, 'block', octets='octets')} FROM facts WHERE {_OF} AND {_IN_RANGE} AND (%(all_facts)s "
    f"OR block IN (SELECT uid >> 8 FROM tail WHERE {_OF})) AND block NOT IN (SELECT block FROM flags WHERE {_OF} "
    "AND (block, modseq) IN (SELECT * FROM unnest(%(known_facts)b::bigint[], %(known_facts_at)b::bigint[])))",
    f"{_row(Kind.TAIL, *_TAIL)} FROM tail WHERE {_OF} AND uid >> 8 BETWEEN %(low)s AND %(high)s",
    _SETS,
)
"""The blocks from *low* to *high*, only *some* of them where that is given, without those that are *known*.

The facts are those of all of these blocks, or of those that have rows in the tail; without *known_facts*, where the
flags are those that the node knows.
"""

CHANGES: Final = _together(
    f"{_row(Kind.BOX, *_NUMBERS_OF_BOX, _CLAIMED, text='keywords')} FROM mailboxes WHERE {_BOX}",
    f"{_row(Kind.FLAGS, 'block', 'modseq', octets='octets')} FROM flags WHERE {_OF} AND modseq > %(since)s",
    f"{_row(Kind.TAIL, *_TAIL)} FROM tail WHERE {_OF} AND modseq > %(since)s",
    f"{_row(Kind.EXPUNGED, 'first', 'last')} FROM expunged WHERE {_OF} AND modseq > %(expunged_since)s",
    _SETS,
)
"""What changed after *since*; *claim*: the messages from the UID *from* on are claimed as \\Recent."""

_NAMED = "account = %(account)s AND name = %(name)s AND selectable"
_OF_NAMED = f"account = %(account)s AND mailbox = (SELECT id FROM mailboxes WHERE {_NAMED})"
SELECT: Final = _together(
    f"{_row(Kind.BOX, *_NUMBERS_OF_BOX, _CLAIMED, text='keywords')} FROM mailboxes WHERE {_NAMED}",
    f"{_row(Kind.COUNTERS, 'messages', 'unseen', 'deleted', 'size', 'recent', text='special_use')} "
    f"FROM mailboxes WHERE {_NAMED}",
    f"{_row(Kind.NAMES, '1', text='name', octets='convert_to(mailboxid, $$UTF8$$)')} FROM mailboxes WHERE {_NAMED}",
    f"{_row(Kind.EXPUNGED, 'first', 'last')} FROM expunged WHERE {_OF_NAMED} "
    "AND modseq > CASE WHEN mailbox = %(known)s THEN %(since)s ELSE 0 END",
    f"({_row(Kind.FLAGS, 'block', 'modseq', octets='octets')} FROM flags WHERE {_OF_NAMED} AND unseen > 0 "
    "ORDER BY block LIMIT 1)",
    f"{_row(Kind.TAIL, *_TAIL)} FROM tail WHERE {_OF_NAMED} AND flags & 1 = 0",
    _SETS,
)
"""A mailbox by its name; of its messages, what went after *since*, and the first ones that may be unseen."""

MODSEQ: Final = f"SELECT highestmodseq FROM mailboxes WHERE {_BOX}"
BOX: Final = f"SELECT uidvalidity, uidnext, highestmodseq FROM mailboxes WHERE {_BOX}"
TARGET: Final = f"SELECT uidvalidity, highestmodseq FROM mailboxes WHERE {_NAMED}"
IN_TAIL: Final = f"SELECT min(uid), max(uid) FROM tail WHERE {_OF}"

# Contents

VALUES: Final = frozenset(
    {
        *("envelope", "body", "bodystructure", "layout", "header", "header_size", "octets", "packed", "preview"),
        *("digest", "thread", "object", "size"),
    }
)
"""The columns of a content that a fetch may need."""


def contents(values: Iterable[str]) -> str:
    """The statement for these VALUES of some contents; the ID comes first.

    Its parameters are the account, and the numbers of the contents as ``array_of`` writes them.
    """
    wanted = sorted(values)
    assert VALUES.issuperset(wanted)
    return f"SELECT {', '.join(('id', *wanted))} FROM contents WHERE account = %s AND id = ANY (%s::bigint[])"


def array_of(numbers: Iterable[int]) -> str:
    """*numbers* as a parameter: for thousands, much quicker than a list."""
    return f"{{{','.join(map(str, numbers))}}}"


PIECE: Final = """
SELECT size, header_size, packed, object,
    CASE WHEN %(start)s >= header_size THEN NULL WHEN packed & 1 = 1 THEN header
        ELSE substring(header FROM (%(start)s + 1)::int FOR (%(stop)s - %(start)s)::int) END,
    CASE WHEN object IS NOT NULL THEN octets WHEN %(stop)s <= header_size OR %(start)s >= size THEN NULL
        WHEN packed & 2 = 2 THEN octets
        ELSE substring(octets FROM (greatest(%(start)s - header_size, 0) + 1)::int
            FOR (%(stop)s - greatest(%(start)s, header_size))::int) END
FROM contents WHERE account = %(account)s AND id = %(content)s
"""
"""What has the octets from *start* to *stop*: of the header, and of the rest. Compressed ones come whole."""
