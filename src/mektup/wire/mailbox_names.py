"""Names of mailboxes on the wire: modified UTF-7 (RFC 3501 §5.1.3, RFC 9051 §A.1), or UTF-8.

A name is decoded text in NFC, with ``/`` between its levels. Names are sent in modified UTF-7 until a client enables
UTF-8: printable ASCII stands for itself, ``&`` is written ``&-``, and all else is UTF-16 in a variant of base64,
between ``&`` and ``-``. Clients make three errors, and all are accepted: some send ``R&D``, some send raw UTF-8, and
some encode each character separately.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from functools import lru_cache
from typing import Final

from mektup.terms.errors import ClientError
from mektup.terms.names import fold_inbox
from mektup.terms.texts import Text
from mektup.wire import strings, texts

_SHIFTED: Final = re.compile(rb"&([A-Za-z0-9+,]*)(-?)")
_NOT_ITSELF: Final = re.compile("&|[^\x20-\x7e]+")
"""The parts of a decoded name that modified UTF-7 must encode."""
_PRINTING_ASCII: Final = re.compile("[\x20-\x7e]")

# RFC 9051 §5.1 (by RFC 5198 §2): no control characters of C0 and C1, no DEL, no line and paragraph separator.
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class _NotModifiedUtf7(Exception):
    """The octets are no valid modified UTF-7."""


def decode(octets: bytes, *, utf8: bool) -> str:
    """The name in NFC; INBOX in any case of letters becomes ``INBOX``, also as the first level.

    Without *utf8*, the octets are modified UTF-7. If they are not valid in it, they are read as UTF-8 (old clients).
    Raises ClientError.
    """
    if (utf8 or b"&" not in octets) and octets.isascii():
        name = octets.decode("ascii")
    else:
        decoded = _decode_utf8(octets, texts.MAILBOX_NOT_UTF8) if utf8 else _decode_either(octets)
        name = unicodedata.normalize("NFC", decoded)
    if _FORBIDDEN.search(name):
        raise ClientError(texts.MAILBOX_WITH_CONTROL)
    return fold_inbox(name)


@lru_cache(maxsize=2048)
def encode(name: str, *, utf8: bool) -> bytes:
    """*name* as an astring on the wire: atom, quoted, or literal; in modified UTF-7 without *utf8*.

    With *utf8*, a name that is not ASCII is quoted: a client that enabled UTF-8 accepts it in quotes (RFC 9051 §4.3).
    """
    if not utf8:
        return strings.astring(to_modified_utf7(name))
    octets = name.encode()
    return strings.astring(octets) if octets.isascii() else strings.quoted(octets)


def to_modified_utf7(name: str) -> bytes:
    """*name* in the canonical form of modified UTF-7."""
    if name.isascii() and name.isprintable() and "&" not in name:
        return name.encode("ascii")
    return _NOT_ITSELF.sub(lambda found: f"&{_shift(found[0])}-", name).encode("ascii")


def _shift(text: str) -> str:
    """The octets between ``&`` and ``-`` for *text*: none for ``&`` itself, else UTF-16 in base64."""
    if text == "&":
        return ""
    encoded = binascii.b2a_base64(text.encode("utf-16-be"), newline=False)
    return encoded.rstrip(b"=").replace(b"/", b",").decode("ascii")


def _decode_either(octets: bytes) -> str:
    try:
        return _decode_modified_utf7(octets)
    except _NotModifiedUtf7:
        return _decode_utf8(octets, texts.NOT_UTF7_OR_UTF8)


def _decode_utf8(octets: bytes, objection: Text) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        raise ClientError(objection) from error


def _decode_modified_utf7(octets: bytes) -> str:
    if not octets.isascii():
        raise _NotModifiedUtf7
    return _SHIFTED.sub(lambda found: _unshift(found[1], found[2]).encode(), octets).decode()


def _unshift(encoded: bytes, end: bytes) -> str:
    # RFC 3501 §5.1.3: there is no implicit shift back; names end in ASCII.
    if not end:
        raise _NotModifiedUtf7
    if not encoded:
        return "&"
    padded = encoded.replace(b",", b"/") + b"=" * (-len(encoded) % 4)
    try:
        text = binascii.a2b_base64(padded).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _NotModifiedUtf7 from error
    # RFC 3501 §5.1.3: characters that can represent themselves must do so. The comparison with the canonical form also
    # finds superfluous bits and characters. Liberty: a shift directly after another one, which encoders make that
    # encode each character separately.
    if _PRINTING_ASCII.search(text) or _shift(text) != encoded.decode("ascii"):
        raise _NotModifiedUtf7
    return text
