"""Queries to an index of trigrams (FTS5) for the messages that may contain a text, so that a search reads only those.

``rules.text_documents`` makes the documents and the trigrams of a query.

The searchable texts of two neighbouring messages are one document; the index has only the set of its trigrams. A text
can only be in a document that has all trigrams of the text. These documents are candidates; some of them have the
trigrams at other places, so the search reads each one. Neighbouring messages share most trigrams, so documents of two
make the index a third smaller. Texts of neighbours are stored together, so reading both costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from mektup.store.rules.fuzzy import Alternative, Sought, lookups
from mektup.store.rules.text_documents import ALWAYS, asked_trigrams, body_text, header_text

TABLE: Final = """
-- rowid is contents.id >> 1
CREATE VIRTUAL TABLE trigrams USING fts5(
    document, content='', contentless_delete=1, detail=none, tokenize='trigram case_sensitive 1'
);
-- the indexer merges in small steps, so that no merge delays indexing
INSERT INTO trigrams (trigrams, rank) VALUES ('automerge', 0), ('crisismerge', 200);
"""

PROPOSED: Final = (
    "SELECT trigrams.rowid << 1 | value FROM trigrams CROSS JOIN json_each('[0, 1]') WHERE trigrams MATCH ?"
)
"""SQL: the contents that a bound match proposes; some may not exist."""

MESSAGES: Final = "SELECT 1 FROM contents WHERE id BETWEEN ?1 << 1 AND ?1 << 1 | 1"
"""SQL: a row for each existing content of a document."""

HAS: Final = "SELECT 1 FROM trigrams WHERE rowid = ? AND trigrams MATCH ?"
"""SQL: a row where a document matches."""

FORGET_ALL: Final = "INSERT INTO trigrams (trigrams) VALUES ('delete-all')"
"""SQL: empties the index."""


def document_of(content: int) -> int:
    """The number of the document that *content* shares with its neighbour."""
    return content >> 1


def in_header(*texts: str) -> str | None:
    """The match for messages whose headers may contain all *texts*; None where it may be any message."""
    return _match([header_text(text) for text in texts])


def in_body(text: str) -> str | None:
    """The match for messages whose body may contain *text*; None where it may be any message."""
    return _match([body_text(text)])


def anywhere(header: str, body: str) -> str | None:
    """The match for *header* in the headers or *body* in the body; None where it may be any message."""
    return _match([header_text(header)], [body_text(body)])


def fuzzy(sought: Sought, *, in_header: bool, in_body: bool) -> str | None:
    """The match for messages that may have what is *sought* in the headers or in the body; None for any message."""
    forms = [form for form, is_meant in ((header_text, in_header), (body_text, in_body)) if is_meant]
    words = [
        _joined(" OR ", (_spelled(alternative, form) for alternative in alternatives for form in forms))
        for alternatives in lookups(sought)
    ]
    return f"{_quoted(ALWAYS)} OR {_joined(' AND ', words)}" if words else None


def _spelled(alternative: Alternative, form: Callable[[str], str]) -> str:
    trigrams = (_joined(" OR ", (_quoted(form(each)) for each in spellings)) for spellings in alternative)
    return _joined(" AND ", trigrams)


def _joined(word: str, parts: Iterable[str]) -> str:
    return f"({word.join(parts)})"


def _match(*alternatives: Sequence[str]) -> str | None:
    found = [_quoted(ALWAYS)]
    for texts in alternatives:
        trigrams = [trigram for text in texts for trigram in asked_trigrams(text)]
        if not trigrams:
            return None
        found.append(f"({all_of(trigrams)})")
    return " OR ".join(found)


def all_of(trigrams: Sequence[str]) -> str:
    """The match for documents that have all *trigrams*."""
    return " AND ".join(map(_quoted, trigrams))


def _quoted(trigram: str) -> str:
    doubled = trigram.replace('"', '""')
    return f'"{doubled}"'
