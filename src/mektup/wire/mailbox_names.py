"""Names of mailboxes on the wire: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8."""

from __future__ import annotations


def decode(octets: bytes, *, utf8: bool) -> str:
    """The name, in NFC; INBOX in any case of letters becomes ``INBOX``, also as first level.

    Without *utf8*, modified UTF-7; what is not valid in it, but is UTF-8, is taken as it stands (old clients).
    Raises ClientError.
    """
    raise NotImplementedError


def encode(name: str, *, utf8: bool) -> bytes:
    """As an astring of the wire: atom, quoted, or literal; modified UTF-7 without *utf8*."""
    raise NotImplementedError
