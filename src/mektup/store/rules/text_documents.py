"""The document of a message for a text index, and the trigrams to look up for a searched text.

The index knows the trigrams of each document, and proposes the documents that have all trigrams of a text. It may
propose too many documents, never too few; the search then reads each one.

Headers and bodies share one index: each character of a header is moved to a separate Unicode plane, so that header and
body trigrams differ. A very long document would make other writers wait while it is indexed, and has most trigrams
anyway; so it is always a candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mektup.store.rules.storable_text import storable

MOST_FIELDS: Final = 1000
"""The most header fields; with more, the message is always a candidate."""

SHORTEST: Final = 3
"""The fewest characters of a text that can be looked up."""

LONGEST_DOCUMENT: Final = 256 * 1024
"""The most characters of a document; a longer one should be ALWAYS."""

MOST_ASKED: Final = 64
"""The most trigrams that are looked up for a long text; more would hardly change the result."""

ALWAYS: Final = "\U0010fffd" * SHORTEST
"""The document of a message that is always a candidate."""

_HEADER_PLANE: Final = 0x0F


def document(header: str, body: str) -> str:
    """The indexed text of a header and a body."""
    return f"{header_text(header)}\n{body_text(body)}"


def document_of_message(headers: str, body: str, fields: Sequence[str]) -> str:
    """The document of a message, with the trigrams of every text that a search can match.

    TEXT searches *headers*; other keys search single *fields*, whose decoded text may differ from that in *headers*.
    """
    if len(fields) > MOST_FIELDS:
        return ALWAYS
    others = [field for field in dict.fromkeys(fields) if field not in headers]
    return document("\n".join((headers, *others)), body)


def header_text(text: str) -> str:
    """The form of a header's *text* in a document."""
    moved = bytearray(text.encode("utf-32-le", "surrogatepass"))
    moved[2::4] = bytes([_HEADER_PLANE]) * len(text)
    return moved.decode("utf-32-le")


def body_text(text: str) -> str:
    """The form of a body's *text* in a document."""
    return storable(text)


def asked_trigrams(text: str) -> list[str]:
    """The trigrams to look up for *text*, given in its document form; none where it is too short."""
    count = len(text) - SHORTEST + 1
    step = max(1, -(-count // MOST_ASKED))
    return list(dict.fromkeys([text[start : start + SHORTEST] for start in range(0, count, step)]))
