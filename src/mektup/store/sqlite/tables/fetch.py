"""The columns of a fetch in SQL: values are stored ready to send, and only the needed tables are joined.

SQLite itself builds the lines of a list of many messages, because making Python rows and values of them takes more
time than finding them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mektup.store.arrival import TWO_FORMS_BYTES
from mektup.store.columns import AnyColumn, Column, Form, HeaderColumn, HeaderFields
from mektup.store.rules.header_blocks import names_of
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables.chunk_compression import octets_of
from mektup.store.sqlite.tables.schema import CHUNK_BITS, CHUNK_BYTES
from mektup.store.sqlite.tables.uids import SLICE_ROWS, Query
from mektup.terms.numbers import MailboxId, ModSeq
from mektup.terms.sets import Uids

_CONTENTS = "CROSS JOIN contents AS c ON c.id = m.content"
_STRUCTURES = "CROSS JOIN structures AS s ON s.content = m.content"
_TEXTS = "CROSS JOIN texts AS t ON t.content = m.content"
_HEADER = f"CROSS JOIN chunks AS h ON h.id = m.content << {CHUNK_BITS}"
_REST = f"LEFT JOIN chunks AS r ON r.id = m.content << {CHUNK_BITS} | 1"

RAW_BYTES = 256 * 1024
"""The largest message or header, in octets, that a fetch returns whole."""

FORM_BYTES = 4096
"""The most octets that a column's value may have in a line of a Form. A list has few wider ones."""

LINES_BYTES = 256 * 1024
"""The most octets of a slice of lines, not counting the values of columns."""

NO_MODSEQ = ModSeq(0)
"""Of lines that were not built."""

# a message of at most RAW_BYTES fits into two chunks: its header, and its body
assert RAW_BYTES <= CHUNK_BYTES

_RAW = (
    f"CASE WHEN m.size <= {RAW_BYTES} THEN CASE WHEN r.id IS NULL THEN {octets_of('h')} "
    f"ELSE CAST({octets_of('h')} || {octets_of('r')} AS BLOB) END END"
)
_WHOLE_HEADER = f"CASE WHEN c.header_size <= {CHUNK_BYTES} THEN {octets_of('h')} ELSE long_header(m.content) END"
_SMALL_HEADER = f"CASE WHEN c.header_size <= {RAW_BYTES} THEN {octets_of('h')} END"
_MONTH = "substr('JanFebMarAprMayJunJulAugSepOctNovDec', strftime('%m', m.saved, 'unixepoch') * 3 - 2, 3)"
_SAVEDATE = (
    f"CAST(printf('\"%2d-', strftime('%d', m.saved, 'unixepoch')) || {_MONTH} "
    "|| strftime('-%Y %H:%M:%S +0000\"', m.saved, 'unixepoch') AS BLOB)"
)
"""A date-time of RFC 9051 §9 in UTC. Each message is saved at another moment, so a cache of Python would not help."""


assert TWO_FORMS_BYTES > FORM_BYTES


def _form(column: str, *, rev1: bool) -> str:
    """SQL for one of the two forms in *column* where ``arrival.two_forms`` made it, else for *column* itself."""
    one, other = (f"CAST(CAST(substr({column}, {at}, 8) AS TEXT) AS INTEGER)" for at in (2, 10))
    span = f"18, {one}" if rev1 else f"18 + {one}, {other}"
    return f"CASE WHEN {column} >= X'01' AND {column} < X'02' THEN substr({column}, {span}) ELSE {column} END"


# a string as wire.strings.string writes it: quoted if it is ASCII, else a literal
_PREVIEW = (
    "CAST(CASE WHEN t.preview GLOB '*[^ -~]*' "
    "THEN '{' || length(CAST(t.preview AS BLOB)) || '}' || X'0d0a' || t.preview "
    """ELSE '"' || replace(replace(t.preview, char(92), char(92, 92)), '"', char(92, 34)) || '"' END AS BLOB)"""
)

_WITHOUT_FORMS: dict[Column | HeaderColumn, str] = {
    Column.BODY: "s.body",
    Column.BODYSTRUCTURE: "s.bodystructure",
    Column.BODY_REV1: "s.body",
    Column.BODYSTRUCTURE_REV1: "s.bodystructure",
}

_COLUMNS: dict[Column | HeaderColumn, tuple[str, tuple[str, ...]]] = {
    Column.UID: ("m.uid", ()),
    Column.FLAGS: ("m.flags", ()),
    Column.MODSEQ: ("m.modseq", ()),
    Column.INTERNALDATE: ("m.internaldate", ()),
    Column.SAVEDATE: (_SAVEDATE, ()),
    Column.SIZE: ("m.size", ()),
    Column.ENVELOPE: ("c.envelope", (_CONTENTS,)),
    Column.BODY: (_form("s.body", rev1=False), (_STRUCTURES,)),
    Column.BODYSTRUCTURE: (_form("s.bodystructure", rev1=False), (_STRUCTURES,)),
    Column.BODY_REV1: (_form("s.body", rev1=True), (_STRUCTURES,)),
    Column.BODYSTRUCTURE_REV1: (_form("s.bodystructure", rev1=True), (_STRUCTURES,)),
    Column.CONTENT: ("m.content", ()),
    Column.LAYOUT: ("s.layout", (_STRUCTURES,)),
    Column.HEADER: (_WHOLE_HEADER, (_CONTENTS, _HEADER)),
    HeaderColumn.SMALL: (_SMALL_HEADER, (_CONTENTS, _HEADER)),
    HeaderColumn.SIZE: ("c.header_size", (_CONTENTS,)),
    Column.RAW: (_RAW, (_HEADER, _REST)),
    Column.PREVIEW: (_PREVIEW, (_TEXTS,)),
    Column.EMAILID: ("'M' || lower(hex(c.digest))", (_CONTENTS,)),
    Column.THREADID: ("printf('T%016x', c.thread)", (_CONTENTS,)),
}

_WIDE: frozenset[AnyColumn] = frozenset(
    (
        HeaderColumn.SMALL,
        Column.ENVELOPE,
        Column.BODY,
        Column.BODYSTRUCTURE,
        Column.BODY_REV1,
        Column.BODYSTRUCTURE_REV1,
        Column.LAYOUT,
        Column.HEADER,
        Column.RAW,
        Column.PREVIEW,
    )
)

BYTES_OF_MESSAGES: frozenset[AnyColumn] = frozenset((Column.HEADER, HeaderColumn.SMALL, Column.RAW))
"""Columns that are read from the bytes of messages."""

Columns = tuple[AnyColumn, ...]


def reads_messages(columns: Columns) -> bool:
    """Whether *columns* are read from the bytes of messages, so that many of them need a thread."""
    return any(column in BYTES_OF_MESSAGES or isinstance(column, HeaderFields) for column in columns)


MOST_CACHED: Final = 24
"""The most columns, or pieces of a line, of a query that is cached; clients may ask for a thousand items at once."""


def choices_in(columns: Columns) -> tuple[tuple[int, HeaderFields], ...]:
    """The choices of header fields among *columns*, with their positions in a row."""
    return tuple((at, column) for at, column in enumerate(columns, 1) if isinstance(column, HeaderFields))


def query_for(columns: Columns, *, is_for_thread: bool = True) -> Query:
    """The query for *columns*; without *is_for_thread*, fields of large headers are NULL."""
    return (_known_query if len(columns) <= MOST_CACHED else _query)(columns, is_for_thread)


def _query(columns: Columns, is_for_thread: bool) -> Query:
    sources = [_source(column, is_for_thread=is_for_thread) for column in columns]
    return Query(
        expressions=", ".join(expression for expression, _ in sources),
        joins=" ".join(dict.fromkeys(join for _, joins in sources for join in joins)),
        wide=tuple(at for at, column in enumerate(columns, 1) if column in _WIDE or isinstance(column, HeaderFields)),
    )


_known_query = lru_cache(256)(_query)


def _source(column: AnyColumn, *, is_for_thread: bool) -> tuple[str, tuple[str, ...]]:
    """The expression for *column*, and the joins that it needs."""
    if isinstance(column, HeaderFields):
        names = f"X'{names_of(column).hex()}'"
        if_large = f"ELSE choose_long_fields({names}, m.content) " if is_for_thread else ""
        small = f"CASE WHEN c.header_size <= {RAW_BYTES} THEN choose_fields({names}, {octets_of('h')})"
        return f"{small} {if_large}END", (_CONTENTS, _HEADER)
    return _COLUMNS[column]


@dataclass(frozen=True, slots=True)
class LinesQuery:
    """The query for the lines of a Form."""

    sql: str
    has_number: bool
    choices: tuple[HeaderFields, ...]
    """The header fields of a line; the lines are a template with ``%b`` for each of them."""
    reads_whole: bool
    """Whether it reads whole messages."""
    rows: int
    """How many lines may be built together."""


def lines_query(form: Form) -> LinesQuery:
    """The query for the lines of *form*."""
    return (_known_lines_query if len(form.pieces) <= MOST_CACHED else _lines_query)(form)


def _lines_query(form: Form) -> LinesQuery:
    joins = dict.fromkeys(
        join for piece in form.pieces if isinstance(piece, Column | HeaderColumn) for join in _COLUMNS[piece][1]
    )
    choices = tuple(piece for piece in form.pieces if isinstance(piece, HeaderFields))
    line = " || ".join(_in_line(piece, form, is_template=bool(choices)) for piece in form.pieces)
    # a NULL value makes the line NULL, so it is not counted; group_concat keeps the order of the subquery in SQLite
    sql = (
        "SELECT count(line), CAST(group_concat(line, '') AS BLOB), max(modseq) FROM "
        f"(SELECT {line} AS line, m.modseq FROM messages AS m {' '.join(joins)} "
        "WHERE m.mailbox = ?1 AND m.uid BETWEEN ?2 AND ?3 ORDER BY m.uid)"
    )
    width = sum(len(piece) for piece in form.pieces if isinstance(piece, bytes))
    width += max((len(flags) for _, flags in form.words), default=0)
    rows = max(1, min(SLICE_ROWS, LINES_BYTES // max(width, 1)))
    return LinesQuery(sql, None in form.pieces, choices, Column.RAW in form.pieces, rows)


_known_lines_query = lru_cache(256)(_lines_query)


def read_lines(
    cursor: Cursor, query: LinesQuery, mailbox: MailboxId, uids: Uids, number: int
) -> tuple[bytes | None, ModSeq]:
    """The lines of *uids*, which are one run, and their highest modseq; see ``interface.Account.lines``.

    *number* is the number of the first one.
    """
    first, last = uids.runs[0]
    offset = (first - number,) if query.has_number else ()
    count, lines, modseq = cursor.execute(query.sql, (mailbox, first, last, *offset)).get
    return (lines, modseq) if count == last - first + 1 else (None, NO_MODSEQ)


def _in_line(piece: bytes | AnyColumn | None, form: Form, *, is_template: bool) -> str:
    match piece:
        case bytes():
            return f"X'{(piece.replace(b'%', b'%%') if is_template else piece).hex()}'"
        case None:
            return "(m.uid - ?4)"
        case HeaderFields():
            return "'%b'"
        case Column.FLAGS:
            words = [(word, _in_line(spelled, form, is_template=is_template)) for word, spelled in form.words]
            cases = " ".join(f"WHEN {word} THEN {spelled}" for word, spelled in words)
            return f"CASE m.flags {cases} END" if cases else "NULL"
    expression, _ = _COLUMNS[piece]
    if piece in _WIDE:
        # a value with two forms is longer than FORM_BYTES, so the caller fetches rows instead
        expression = _WITHOUT_FORMS.get(piece, expression)
        written = f"replace({expression}, '%', '%%')" if is_template else expression
        return f"CASE WHEN length({expression}) <= {FORM_BYTES} THEN {written} END"
    return f"({expression})"
