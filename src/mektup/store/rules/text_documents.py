"""What an index of texts is given of a message, and what of a text is looked up in it.

Such an index knows which trigrams occur in a document, and proposes those where all trigrams of a text occur. It may
propose too many, never too few; whoever asks looks into each.

Headers and bodies share the one index and are told apart all the same: each character of a header stands there moved
to a plane of its own, so that its trigrams are no body's. A document that is very long would keep other writers
waiting while it is indexed, and holds most trigrams anyway: it is a candidate always.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

MOST_FIELDS: Final = 1000
"""Of a header; with more, the message is a candidate always."""

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
"""What the text of a database cannot hold, or ends at."""


def document(header: str, body: str) -> str:
    """What is indexed of a message."""
    return f"{header_text(header)}\n{body_text(body)}"


def document_of_message(headers: str, body: str, fields: Sequence[str]) -> str:
    """The document of a message: whatever is looked up has its trigrams there.

    Of headers, TEXT looks into all, and other keys into *fields*, which may read otherwise by themselves.
    """
    if len(fields) > MOST_FIELDS:
        return ALWAYS
    others = [field for field in dict.fromkeys(fields) if field not in headers]
    return document("\n".join((headers, *others)), body)


def header_text(text: str) -> str:
    """*text* as it stands in a document when it is of a header."""
    moved = bytearray(text.encode("utf-32-le", "surrogatepass"))
    moved[2::4] = bytes([_HEADER_PLANE]) * len(text)
    return moved.decode("utf-32-le")


def body_text(text: str) -> str:
    """*text* as it stands in a document when it is of a body."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def asked_trigrams(text: str) -> list[str]:
    """What is looked up of *text*, which stands as in a document; nothing where it is too short."""
    count = len(text) - SHORTEST + 1
    step = max(1, -(-count // MOST_ASKED))
    return list(dict.fromkeys([text[start : start + SHORTEST] for start in range(0, count, step)]))
