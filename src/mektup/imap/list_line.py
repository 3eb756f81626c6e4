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
    """The LIST response with the *name* of a mailbox, for a client that used another form of it, *given*.

    Empty where *given* is None. Only clients that use UTF-8 have such a form, so *name* is written in UTF-8
    (RFC 9051 §6.3.9.7).
    """
    return b"" if given is None else list_line(name, attributes, utf8=True, extended=old_name(given))


def old_name(name: str | None) -> bytes:
    """The OLDNAME data: the name that the client used for the mailbox (RFC 9051 §6.3.9.7); empty for None."""
    return b"" if name is None else b'("OLDNAME" (%b))' % quoted(name.encode())
