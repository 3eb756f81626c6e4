"""Arguments from an embedding program: messages in the usual Python types, flags, dates. They are checked here."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from datetime import datetime
from email.errors import MessageError
from email.generator import BytesGenerator, Generator
from email.message import Message as EmailMessage
from pathlib import Path

Message = str | bytes | bytearray | memoryview | EmailMessage | os.PathLike[str] | os.PathLike[bytes]
"""A message: its text, which is encoded in UTF-8; its octets; an ``email.message.Message`` of any kind; or the path of
a file that holds its octets. When it is stored, every line ends in CRLF.
"""

CRLF = "\r\n"


def octets_of(message: Message) -> bytes:
    """The octets of *message*.

    Raises OSError for a file that cannot be read, ValueError for a message that cannot be written as octets, TypeError
    for an object that is no message.
    """
    match message:
        case str():
            return _encoded(message)
        case bytes() | bytearray() | memoryview():
            return bytes(message)
        case EmailMessage():
            return _flattened(message)
        case os.PathLike():
            return Path(os.fsdecode(message)).read_bytes()
        case _:
            # Django's EmailMessage has message(), which returns a message of the standard library
            hint = ", but what its message() gives may be one" if hasattr(message, "message") else ""
            raise TypeError(
                "a message is a str, bytes, an email.message.Message, or the pathlib.Path of a file, "
                f"not {type(message).__name__}{hint}"
            )


def text_of(value: object, what: str) -> str:
    """Returns *value* if it is a str. Raises TypeError otherwise; *what* names the argument."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {type(value).__name__}")
    return value


def flags_of(flags: Iterable[str]) -> tuple[str, ...]:
    """The flags. Raises TypeError if they are no list of str."""
    if isinstance(flags, str | bytes):
        raise TypeError(f"flags is a list: [{flags!r}], not {flags!r}")
    if not isinstance(flags, Iterable):
        raise TypeError(f"flags is a list of str, not {type(flags).__name__}")
    given = tuple(flags)
    for flag in given:
        if not isinstance(flag, str):
            raise TypeError(f"a flag is a str, not {type(flag).__name__}: {flag!r}")
    return given


def date_of(moment: datetime | None) -> tuple[int | None, int]:
    """Seconds since 1970 UTC, and the zone in minutes east of UTC. A date without a zone is local time.

    For None, which means now, the seconds are None. Raises TypeError, and ValueError for a date that is out of range.
    """
    if moment is None:
        return None, 0
    if not isinstance(moment, datetime):
        raise TypeError(f"internaldate is a datetime.datetime, not {type(moment).__name__}")
    try:
        zoned = moment if moment.tzinfo is not None else moment.astimezone()
        offset = zoned.utcoffset()
        seconds = zoned.timestamp()
    except (OverflowError, ValueError, OSError) as error:
        raise ValueError(f"internaldate is out of range: {moment}") from error
    return int(seconds // 1), 0 if offset is None else round(offset.total_seconds() / 60)


def _encoded(text: str) -> bytes:
    # surrogateescape: octets that were not UTF-8 when Python read them become the same octets again
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ValueError(f"a message cannot have half of a surrogate pair, as at character {error.start + 1}") from None


def _flattened(message: EmailMessage) -> bytes:
    """The octets that the standard library writes, without the From line of an mbox and without ">From"."""
    try:
        written = io.BytesIO()
        try:
            BytesGenerator(written, mangle_from_=False).flatten(message, linesep=CRLF)
        except UnicodeEncodeError:
            # the body has letters beyond ASCII but no charset
            text = io.StringIO(newline="")
            Generator(text, mangle_from_=False).flatten(message, linesep=CRLF)
            return _encoded(text.getvalue())
        return written.getvalue()
    except (MessageError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(f"the message cannot be written: {error}") from error
