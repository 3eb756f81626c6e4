"""Prepares passwords, so that the same password typed on two keyboards gives the same text.

There are two preparations: OpaqueString (RFC 8265 §4.2) for the passwords that are hashed here, and SASLprep
(RFC 4013) for the keys of SCRAM, because there the client hashes and RFC 5802 §2.2 tells it to use SASLprep. Both
leave ASCII unchanged.
"""

from __future__ import annotations

import stringprep
import unicodedata
from itertools import chain

LONGEST_PASSWORD = 4096
"""The most octets of a password, so that the time to hash one is bounded."""


def opaque_string(octets: bytes) -> str | None:
    """The prepared password; None if *octets* are not allowed: empty, too long, not UTF-8, or with control characters.

    RFC 8265 §4.2.2: other spaces become U+0020, then NFC. Case stays.
    """
    if not 0 < len(octets) <= LONGEST_PASSWORD:
        return None
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return None
    text = "".join(" " if unicodedata.category(char) == "Zs" else char for char in text)
    # RFC 8264 §4.3.2: controls are disallowed in the FreeformClass. No code point is refused for being unassigned,
    # as that would tie a password to the Unicode version of one Python.
    if any(unicodedata.category(char) == "Cc" for char in text):
        return None
    return unicodedata.normalize("NFC", text)


def saslprep(text: str) -> str | None:
    """*text* prepared as a stored string (RFC 4013 §2); None if that profile prohibits it."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    # RFC 3454 uses the tables of Unicode 3.2, so the normalisation does too.
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not prepared or any(_is_prohibited(char) for char in prepared) or not _is_bidi_sound(prepared):
        return None
    return prepared


def _is_prohibited(char: str) -> bool:
    # RFC 4013 §2.3, and §2.5 for unassigned code points.
    return (
        stringprep.in_table_a1(char)
        or stringprep.in_table_c12(char)
        or stringprep.in_table_c21_c22(char)
        or stringprep.in_table_c3(char)
        or stringprep.in_table_c4(char)
        or stringprep.in_table_c5(char)
        or stringprep.in_table_c6(char)
        or stringprep.in_table_c7(char)
        or stringprep.in_table_c8(char)
        or stringprep.in_table_c9(char)
    )


def _is_bidi_sound(text: str) -> bool:
    # RFC 3454 §6: text with a right-to-left character has no left-to-right one, and right-to-left ones at both ends.
    if not any(map(stringprep.in_table_d1, text)):
        return True
    ends = chain(text[:1], text[-1:])
    return all(map(stringprep.in_table_d1, ends)) and not any(map(stringprep.in_table_d2, text))
