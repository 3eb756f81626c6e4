"""IMAP URLs of messages and their parts (RFC 5092), as CATENATE has them: without a server (RFC 4469 §3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize
from urllib.parse import quote_from_bytes, unquote_to_bytes

from mektup.terms.errors import ClientError
from mektup.terms.limits import Limits
from mektup.wire.cursor import CommandCursor
from mektup.wire.fetch_grammar import fetch_items
from mektup.wire.fetch_items import BodySection

# imessagepart = enc-mailbox [";UIDVALIDITY=" nz-number] "/;UID=" nz-number ["/;SECTION=" enc-section] ["/;PARTIAL="
# partial-range]; enc-mailbox and enc-section have no ";". Without a mailbox, the path may begin with ";UID=".
_URL: Final = re.compile(
    rb"([^;]*)(?:;UIDVALIDITY=([1-9][0-9]{0,9}))?(?:(?<![^/])|/);UID=([1-9][0-9]{0,9})"
    rb"(?:/;SECTION=([^;]+?))?(?:/;PARTIAL=([0-9]{1,18})(?:\.([1-9][0-9]{0,17}))?)?",
    re.IGNORECASE,
)
_SHOWN_SAFE: Final = "/;=:@!$&'()*+,-._~%"
_SHOWN_BYTES: Final = 500

_TO_THE_END: Final = 10**18 - 1


@dataclass(frozen=True, slots=True)
class MessageUrl:
    """The part of a message that a URL names."""

    mailbox: str | None
    """None for the selected mailbox."""
    uidvalidity: int | None
    uid: int
    section: BodySection


def message_url(octets: bytes, limits: Limits) -> MessageUrl | None:
    """The URL in *octets*; None where it is none, or one of another kind, such as one with a server."""
    found = _URL.fullmatch(octets)
    if found is None:
        return None
    path, uidvalidity, uid, section, first, count = found.groups()
    if path.startswith(b"//") or b":" in path.split(b"/", 1)[0]:
        return None  # it names a server or a scheme
    partial = b""
    if first is not None:
        partial = b"<%b.%b>" % (first, count or b"%d" % _TO_THE_END)
    item = _section(b"" if section is None else unquote_to_bytes(section), partial, limits)
    mailbox = _mailbox(path)
    if item is None or mailbox is None:
        return None
    return MessageUrl(mailbox or None, None if uidvalidity is None else int(uidvalidity), int(uid), item)


def shown(octets: bytes) -> str:
    """*octets* as the argument of BADURL (RFC 4469 §5 url-resp-text), which is never empty."""
    return quote_from_bytes(octets[:_SHOWN_BYTES], safe=_SHOWN_SAFE) or '""'


def _mailbox(path: bytes) -> str | None:
    """The name of the mailbox, empty for the selected one; None where it is no name."""
    try:
        return normalize("NFC", unquote_to_bytes(path.removeprefix(b"/").removesuffix(b"/")).decode())
    except UnicodeDecodeError:
        return None


def _section(section: bytes, partial: bytes, limits: Limits) -> BodySection | None:
    cursor = CommandCursor((b"BODY.PEEK[%b]%b" % (section, partial),), (), utf8=False, limits=limits)
    try:
        (item,) = fetch_items(cursor)
    except (ClientError, ValueError):
        return None
    return item if isinstance(item, BodySection) and cursor.at_end else None
