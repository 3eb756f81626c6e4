"""The items of FETCH, fetch-att of RFC 9051 §9, as values. Their grammar is in ``fetch_grammar``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Item(Enum):
    """The items without arguments; the value is the word on the wire."""

    UID = "UID"
    FLAGS = "FLAGS"
    INTERNALDATE = "INTERNALDATE"
    SAVEDATE = "SAVEDATE"
    SIZE = "RFC822.SIZE"
    ENVELOPE = "ENVELOPE"
    BODY = "BODY"
    BODYSTRUCTURE = "BODYSTRUCTURE"
    MODSEQ = "MODSEQ"
    EMAILID = "EMAILID"
    THREADID = "THREADID"
    PREVIEW = "PREVIEW"


class SectionText(Enum):
    """section-text: what is fetched of a message or a part."""

    ALL = ""
    """No section-text: the bytes of a message, or the content of a part."""
    HEADER = "HEADER"
    HEADER_FIELDS = "HEADER.FIELDS"
    HEADER_FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class Partial:
    """``<start.count>`` in octets."""

    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Section:
    """The part numbers and section-text in ``BODY[...]`` (RFC 9051 §6.4.5.1)."""

    part: tuple[int, ...] = ()
    """Part numbers, outermost first; empty for the message itself."""
    text: SectionText = SectionText.ALL
    fields: tuple[bytes, ...] = ()
    """Header field names as the client wrote them, for HEADER_FIELDS and HEADER_FIELDS_NOT."""


@dataclass(frozen=True, slots=True)
class BodySection:
    """``BODY[section]<partial>`` and ``BODY.PEEK``, and the RFC822 forms of RFC 3501 §6.4.5."""

    section: Section
    peek: bool
    partial: Partial | None = None
    label: bytes = b""
    """The item's name in the answer, without ``<origin>``: ``BODY[1.MIME]``, ``RFC822.TEXT``.

    Field names are astrings, spelled as the client wrote them.
    """


@dataclass(frozen=True, slots=True)
class Binary:
    """``BINARY[part]<partial>`` and ``BINARY.PEEK`` (RFC 9051 §6.4.5, RFC 3516)."""

    part: tuple[int, ...]
    peek: bool
    partial: Partial | None = None
    label: bytes = b""


@dataclass(frozen=True, slots=True)
class BinarySize:
    """``BINARY.SIZE[part]``."""

    part: tuple[int, ...]
    label: bytes = b""


FetchItem = Item | BodySection | Binary | BinarySize

ALL = (Item.FLAGS, Item.INTERNALDATE, Item.SIZE, Item.ENVELOPE)
FAST = (Item.FLAGS, Item.INTERNALDATE, Item.SIZE)
FULL = (Item.FLAGS, Item.INTERNALDATE, Item.SIZE, Item.ENVELOPE, Item.BODY)
