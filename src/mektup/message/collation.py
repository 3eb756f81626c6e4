"""The order of text in SORT and THREAD: i;unicode-casemap (RFC 5051), applied to folded text.

RFC 5256 §1 requires this collation (I18NLEVEL=1 of RFC 5255), and RFC 5957 §7 requires it for display names.
"""

from __future__ import annotations

from typing import Final
from unicodedata import normalize

KEY_CHARACTERS: Final = 1000
"""How many characters of a text are compared; a line of a header field has fewer (RFC 5322 §2.1.1)."""


def collation_key(folded: str) -> str:
    """The key that orders *folded*, a result of ``text.fold``, by code points. Equal texts have equal keys.

    RFC 5051 §2: letters become capitals, which sort before ``_`` and similar characters. Accents are separated from
    their letters, so that "ü" sorts after "u" and before "v". The key contains no NUL.
    """
    if folded.isascii():
        key = folded[:KEY_CHARACTERS].upper()
    else:
        key = normalize("NFKD", folded[:KEY_CHARACTERS].upper())
    return key.replace("\0", "") if "\0" in key else key
