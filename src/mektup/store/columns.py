"""The columns of a message that a fetch can return, and the forms of lines made of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import Any

from mektup.terms.numbers import ModSeq
from mektup.terms.sets import Uids


class Column(IntEnum):
    """Data of a message that a fetch can return; all are stored ready to send, without parsing or rendering."""

    UID = auto()
    """int."""
    FLAGS = auto()
    """int: the flag word; ``Account.flag_names`` gives its flags. Equal words mean equal flags."""
    MODSEQ = auto()
    """int."""
    INTERNALDATE = auto()
    """bytes: a date-time of RFC 9051 §9 with its quotes, in its original zone."""
    SAVEDATE = auto()
    """bytes: when the message was added to its mailbox, as a date-time with its quotes, in UTC (RFC 8514 §3)."""
    SIZE = auto()
    """int: RFC822.SIZE, octets."""
    ENVELOPE = auto()
    """bytes: wire form, parentheses included."""
    BODY = auto()
    """bytes: wire form of BODY, without extension data, for IMAP4rev2."""
    BODYSTRUCTURE = auto()
    """bytes: wire form, for IMAP4rev2."""
    BODY_REV1 = auto()
    """BODY for IMAP4rev1, where message/global is a basic body."""
    BODYSTRUCTURE_REV1 = auto()
    CONTENT = auto()
    """int: the ContentId, for ``Account.content``."""
    LAYOUT = auto()
    """bytes: the packed part offsets, which ``message.layout.unpack`` reads."""
    HEADER = auto()
    """bytes: the message's header, with the empty line that ends it."""
    RAW = auto()
    """bytes, or None where the message is too large to hold and ``Account.content`` must stream it."""
    PREVIEW = auto()
    """bytes: the first characters of its text, as a string of RFC 9051 §9 (RFC 8970)."""
    EMAILID = auto()
    """str: the identifier of the content (RFC 8474)."""
    THREADID = auto()
    """str: the identifier of its conversation (RFC 8474); equal for equal EMAILIDs."""


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """A column of some header fields: not stored on arrival, but the engine may keep it after the first fetch.

    bytes: a literal, as ``BODY[HEADER.FIELDS (...)]`` has it (RFC 9051 §6.4.5.1).
    """

    names: frozenset[bytes]
    """In lower case; without NUL."""


class HeaderColumn(Enum):
    """A message's header, for a fetch that must not load a large one."""

    SMALL = auto()
    """bytes, as Column.HEADER; None where it is too large to hold and ``Account.content`` must stream it."""
    SIZE = auto()
    """int: the header's size in octets."""


AnyColumn = Column | HeaderColumn | HeaderFields


@dataclass(frozen=True, slots=True)
class Form:
    """A template for the line of one message: fixed octets and columns, in order."""

    pieces: tuple[bytes | AnyColumn | None, ...]
    """None stands for the message's number, which the caller counts."""
    words: tuple[tuple[int, bytes], ...] = ()
    """Flag words, and the octets to write for each."""


Lines = tuple[Uids, bytes | None, ModSeq]
"""Some messages, their lines, and the highest modseq of them. None where the caller has to use ``Account.fetch``."""

Row = tuple[Any, ...]
"""One message: its UID, then the requested columns in order. See Column for the types; mypy does not check them."""
