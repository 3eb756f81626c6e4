"""Texts as a database can have them.

A text of mail may have any character: NUL, which ends a text in some databases, and halves of surrogate pairs, which
have no UTF-8. Both become U+FFFD where texts are stored, and in what is sought in them.
"""

from __future__ import annotations

import re

_UNFIT = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """*text* without characters that a text in a database cannot have."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
