"""Which messages may hold a text, as questions to an index of trigrams (FTS5), so that only those are read.

What a document and a question are made of is in ``rules.text_documents``.

All searchable text of two messages, neighbours, is one document, of which the index keeps no more than which trigrams
occur in it. A text that is looked for can only be where all of its trigrams are. That proposes candidates, with some
among them that hold the trigrams in other places; whoever asks looks into each. Most trigrams of a message are its
neighbour's, too, so documents of two make the index smaller by a third; and as the texts of neighbours are kept
together, to look into one for the other's sake costs little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mektup.store.rules.text_documents import ALWAYS, asked_trigrams, body_text, header_text

TABLE: Final = """
-- rowid is contents.id >> 1
CREATE VIRTUAL TABLE trigrams USING fts5(
    document, content='', contentless_delete=1, detail=none, tokenize='trigram case_sensitive 1'
);
-- the indexer merges, little by little, so that nothing is ever merged while a message waits to be indexed
INSERT INTO trigrams (trigrams, rank) VALUES ('automerge', 0), ('crisismerge', 200);
"""

PROPOSED: Final = (
    "SELECT trigrams.rowid << 1 | value FROM trigrams CROSS JOIN json_each('[0, 1]') WHERE trigrams MATCH ?"
)
"""SQL: the contents that a match, which is bound to it, proposes; some may not be there."""

MESSAGES: Final = "SELECT 1 FROM contents WHERE id BETWEEN ?1 << 1 AND ?1 << 1 | 1"
"""SQL: a row for each content that is there of a document."""

FORGET_ALL: Final = "INSERT INTO trigrams (trigrams) VALUES ('delete-all')"
"""SQL: leaves the index empty."""


def document_of(content: int) -> int:
    """The number of the document that *content* shares with its neighbour."""
    return content >> 1


def in_header(*texts: str) -> str | None:
    """What MATCHes the messages whose headers may hold all *texts*; None where it may be any message."""
    return _match([header_text(text) for text in texts])


def in_body(text: str) -> str | None:
    """The same for their bodies."""
    return _match([body_text(text)])


def anywhere(header: str, body: str) -> str | None:
    """The same for what is *header* in a header or *body* in a body."""
    return _match([header_text(header)], [body_text(body)])


def _match(*alternatives: Sequence[str]) -> str | None:
    found = [_quoted(ALWAYS)]
    for texts in alternatives:
        trigrams = [trigram for text in texts for trigram in asked_trigrams(text)]
        if not trigrams:
            return None
        found.append(f"({' AND '.join(map(_quoted, trigrams))})")
    return " OR ".join(found)


def _quoted(trigram: str) -> str:
    doubled = trigram.replace('"', '""')
    return f'"{doubled}"'
