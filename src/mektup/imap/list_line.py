"""The LIST response (RFC 9051 §7.3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from mektup.terms.names import DELIMITER
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


def normal_name(name: str, given: str | None, attributes: Sequence[str] = ()) -> bytes:
    """The response that tells who named a mailbox *given* that it is called *name*; empty for None (RFC 9051 §6.3.9.7).

    Only of clients that speak UTF-8 it is known how they wrote a name.
    """
    return b"" if given is None else list_line(name, attributes, utf8=True, extended=old_name(given))


def old_name(name: str | None) -> bytes:
    """The extended data that tells a client which name it gave to the mailbox (RFC 9051 §6.3.9.7); empty for None."""
    return b"" if name is None else b'("OLDNAME" (%b))' % quoted(name.encode())
