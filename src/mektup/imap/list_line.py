"""The LIST response (RFC 9051 §7.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from mektup.terms.names import DELIMITER
from mektup.wire.mailbox_names import encode, to_modified_utf7
from mektup.wire.strings import quoted

_DELIMITER = DELIMITER.encode("ascii")


def list_line(
    name: str, attributes: Sequence[str], *, utf8: bool, word: bytes = b"LIST", extended: bytes = b""
) -> bytes:
    """``* LIST (attributes) "/" name``, with *extended* data (its parentheses included) after it.

    *word* is LSUB for that command of RFC 3501.
    """
    tail = b" " + extended if extended else b""
    return _start(word, tuple(attributes)) + encode(name, utf8=utf8) + tail + b"\r\n"


@lru_cache(maxsize=256)
def _start(word: bytes, attributes: tuple[str, ...]) -> bytes:
    return b'* %b (%b) "%b" ' % (word, " ".join(attributes).encode("ascii"), _DELIMITER)


def normal_name(name: str, given: str | None, attributes: Sequence[str] = ()) -> bytes:
    """The LIST response with the *name* of a mailbox, for a client that used another form of it, *given*.

    Empty where *given* is None. Only clients that use UTF-8 have such a form, so *name* is written in UTF-8
    (RFC 9051 §6.3.9.7).
    """
    return b"" if given is None else list_line(name, attributes, utf8=True, extended=old_name(given))


def old_name(name: str | None, *, utf8: bool = True) -> bytes:
    """The OLDNAME data: the name that the client used for the mailbox (RFC 9051 §6.3.9.7); empty for None.

    Or the name before a rename (RFC 5465 §5.4).
    """
    if name is None:
        return b""
    return b'("OLDNAME" (%b))' % quoted(name.encode() if utf8 else to_modified_utf7(name))
