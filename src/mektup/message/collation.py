"""The order of text in SORT and THREAD: i;unicode-casemap (RFC 5051), over text that is folded already.

It is the collation that RFC 5256 §1 asks for (I18NLEVEL=1 of RFC 5255), for display names as well (RFC 5957 §7).
"""

from __future__ import annotations

from typing import Final
from unicodedata import normalize

KEY_CHARACTERS: Final = 1000
"""Of a text, what is looked at; a line of a header field has less (RFC 5322 §2.1.1)."""


def collation_key(folded: str) -> str:
    """What to compare in the place of *folded*, which ``text.fold`` made, by code points; the same for equal texts.

    RFC 5051 §2: capitals, which sort before ``_`` and its like, and letters apart from their accents, so that "ü"
    comes after "u" and before "v". Holds no NUL.
    """
    if folded.isascii():
        key = folded[:KEY_CHARACTERS].upper()
    else:
        key = normalize("NFKD", folded[:KEY_CHARACTERS].upper())
    return key.replace("\0", "") if "\0" in key else key
