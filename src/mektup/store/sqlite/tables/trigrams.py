"""Which messages may hold a text, as questions to an index of trigrams (FTS5), so that only those are read.

All searchable text of two messages, neighbours, is one document, of which the index keeps no more than which trigrams
occur in it. A text that is looked for can only be where all of its trigrams are. That proposes candidates, with some
among them that hold the trigrams in other places; whoever asks looks into each. Most trigrams of a message are its
neighbour's, too, so documents of two make the index smaller by a third; and as the texts of neighbours are kept
together, to look into one for the other's sake costs little.

Headers and bodies share the one index and are told apart all the same: each character of a header stands there moved
to a plane of its own, so that its trigrams are no body's. A document that is very long would keep other writers
waiting while it is indexed, and holds most trigrams anyway: it is a candidate always.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

TABLE: Final = """
-- rowid is contents.id >> 1
CREATE VIRTUAL TABLE trigrams USING fts5(
    document, content='', contentless_delete=1, detail=none, tokenize='trigram case_sensitive 1'
);
-- the indexer merges, little by little, so that nothing is ever merged while a message waits to be indexed
INSERT INTO trigrams (trigrams, rank) VALUES ('automerge', 0), ('crisismerge', 200);
"""

SHORTEST: Final = 3
"""Characters of a text that can be looked up."""

LONGEST_DOCUMENT: Final = 256 * 1024
"""Characters, beyond which a document should be ALWAYS."""

MOST_ASKED: Final = 64
"""How many trigrams of a long text are looked up; the others hardly make a difference."""

ALWAYS: Final = "\U0010fffd" * SHORTEST
"""The document of a message that is a candidate always."""

_HEADER_PLANE: Final = 0x0F
_UNFIT = re.compile("[\0\ud800-\udfff]")
"""What SQLite's text cannot hold, or ends at."""


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


def document(header: str, body: str) -> str:
    """What is indexed of a message."""
    return f"{_of_header(header)}\n{_of_body(body)}"


def in_header(*texts: str) -> str | None:
    """What MATCHes the messages whose headers may hold all *texts*; None where it may be any message."""
    return _match([_of_header(text) for text in texts])


def in_body(text: str) -> str | None:
    """The same for their bodies."""
    return _match([_of_body(text)])


def anywhere(header: str, body: str) -> str | None:
    """The same for what is *header* in a header or *body* in a body."""
    return _match([_of_header(header)], [_of_body(body)])


def _of_header(text: str) -> str:
    moved = bytearray(text.encode("utf-32-le", "surrogatepass"))
    moved[2::4] = bytes([_HEADER_PLANE]) * len(text)
    return moved.decode("utf-32-le")


def _of_body(text: str) -> str:
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def _match(*alternatives: Sequence[str]) -> str | None:
    found = [_quoted(ALWAYS)]
    for texts in alternatives:
        trigrams = [trigram for text in texts for trigram in _trigrams(text)]
        if not trigrams:
            return None
        found.append(f"({' AND '.join(map(_quoted, trigrams))})")
    return " OR ".join(found)


def _trigrams(text: str) -> list[str]:
    count = len(text) - SHORTEST + 1
    step = max(1, -(-count // MOST_ASKED))
    return list(dict.fromkeys([text[start : start + SHORTEST] for start in range(0, count, step)]))


def _quoted(trigram: str) -> str:
    doubled = trigram.replace('"', '""')
    return f'"{doubled}"'
