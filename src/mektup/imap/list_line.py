"""The LIST response (RFC 9051 §7.3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from mektup.terms.flags import DELIMITER
from mektup.wire.mailbox_names import encode
from mektup.wire.strings import quoted

_DELIMITER = DELIMITER.encode("ascii")


def list_line(
    name: str, attributes: Sequence[str], *, utf8: bool, word: bytes = b"LIST", extended: bytes = b""
) -> bytes:
    """``* LIST (attributes) "/" name``, with *extended* data (its parentheses included) after it.

    *word* is LSUB for that command of RFC 3501.
    """
    flags = " ".join(attributes).encode("ascii")
    tail = b" " + extended if extended else b""
    return b'* %b (%b) "%b" %b%b\r\n' % (word, flags, _DELIMITER, encode(name, utf8=utf8), tail)


def old_name(name: str | None) -> bytes:
    """The extended data that tells a client which name it gave to the mailbox (RFC 9051 §6.3.9.7); empty for None."""
    return b"" if name is None else b'("OLDNAME" (%b))' % quoted(name.encode())
