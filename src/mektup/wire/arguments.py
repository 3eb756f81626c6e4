"""Arguments that several commands share: mailboxes, sequence sets, flags, dates."""

from __future__ import annotations

import calendar
from datetime import date
from typing import Final

from mektup.terms.errors import ClientError
from mektup.terms.flags import SYSTEM_FLAG_NAMES, SYSTEM_FLAGS_BY_NAME, each_once
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import MAX_UINT32
from mektup.terms.partial_range import PartialRange
from mektup.terms.sets import STAR, Run, SavedResult, SequenceSet
from mektup.terms.texts import Text
from mektup.wire import mailbox_names, texts
from mektup.wire.cursor import CommandCursor
from mektup.wire.grammar import (
    ATOM,
    DATE,
    DATE_TIME,
    FLAG,
    FLAG_LIST,
    MONTHS,
    OBJECTID,
    ONE_RANGE,
    PARTIAL_RANGE,
    SEQUENCE_SET,
    SET_OCTETS,
)
from mektup.wire.requests import NumbersAsked

_SAVED: Final = SavedResult()


# Mailboxes


def mailbox(cursor: CommandCursor, what: Text = texts.A_MAILBOX) -> str:
    """mailbox = "INBOX" / astring (RFC 9051 §9), decoded. Raises ClientError."""
    column = cursor.column
    return _decoded(cursor, cursor.astring(what), column)


def mailbox_and_old_name(cursor: CommandCursor, what: Text = texts.A_MAILBOX) -> tuple[str, str | None]:
    """A decoded mailbox name, and the name as the client wrote it if that differs: not in NFC, or ``inbox``.

    For OLDNAME of RFC 9051 §6.3.9.7. None for clients that use modified UTF-7. Raises ClientError.
    """
    column = cursor.column
    octets = cursor.astring(what)
    name = _decoded(cursor, octets, column)
    return name, octets.decode() if cursor.utf8 and octets != name.encode() else None


def end_after_mailbox(cursor: CommandCursor) -> None:
    """Expects the end of the command. Raises ClientError; it hints at missing quotes around a name with spaces.

    imaplib does not add such quotes.
    """
    if cursor.take_space():
        raise cursor.wrong(texts.END_AFTER_MAILBOX)
    cursor.expect_end()


def mailbox_pattern(cursor: CommandCursor) -> str:
    """list-mailbox = 1*list-char / string (RFC 9051 §9), decoded; wildcards are not changed. Raises ClientError."""
    column = cursor.column
    return _decoded(cursor, cursor.list_mailbox(texts.A_MAILBOX_PATTERN), column)


def _decoded(cursor: CommandCursor, octets: bytes, column: int) -> str:
    try:
        return mailbox_names.decode(octets, utf8=cursor.utf8)
    except ClientError as error:
        error.column = column
        raise


# Sequence sets


def numbers(cursor: CommandCursor) -> NumbersAsked:
    """sequence-set (RFC 9051 §9), or ``$``. Raises ClientError."""
    found = ONE_RANGE.match(cursor.text, cursor.at)
    if found is not None:
        cursor.at = found.end()
        first, last = found.groups()
        one = int(first)
        return SequenceSet(((one, one if last is None else STAR if last == b"*" else int(last)),))
    if cursor.take_octet(b"$"):
        return _SAVED
    return sequence_set(cursor)


def sequence_set(cursor: CommandCursor) -> SequenceSet:
    """sequence-set (RFC 9051 §9) without ``$``. Raises ClientError."""
    reach = SET_OCTETS.match(cursor.text, cursor.at)
    if reach is not None and reach[0].count(b",") >= cursor.limits.sequence_set_ranges:
        raise cursor.wrong(texts.MOST_RANGES.of(most=cursor.limits.sequence_set_ranges))
    found = SEQUENCE_SET.match(cursor.text, cursor.at)
    if found is None or cursor.text.startswith(b",", found.end()):
        raise cursor.wrong(texts.A_SEQUENCE_SET)
    text = found[0]
    ranges = tuple([_range(part) for part in text.replace(b"*", b"0").split(b",")])
    # Numbers of ten digits can exceed 32 bits; shorter ones cannot.
    if len(text) > 9 and max(map(max, ranges)) > MAX_UINT32:
        raise cursor.wrong(texts.NUMBERS_UP_TO.of(most=MAX_UINT32))
    cursor.at = found.end()
    return SequenceSet(ranges)


def _range(part: bytes) -> Run:
    """``7``, ``3:9`` or, with STAR as 0, ``3:0``."""
    first, colon, last = part.partition(b":")
    one = int(first)
    return (one, int(last)) if colon else (one, one)


assert STAR == 0, "sequence_set() reads * as 0"


def partial_range(cursor: CommandCursor) -> PartialRange:
    """The argument of PARTIAL, after a space (RFC 9394 §4). Raises ClientError."""
    cursor.expect_space(texts.A_PAGE)
    start = cursor.at
    sign, *numbers = cursor.expect(PARTIAL_RANGE, texts.A_PAGE).groups()
    one, other = (int(sign + number) for number in numbers)
    if max(abs(one), abs(other)) > MAX_UINT32:
        cursor.at = start
        raise cursor.wrong(texts.NUMBERS_UP_TO.of(most=MAX_UINT32))
    return PartialRange(one, other)


# Flags


def flag(cursor: CommandCursor) -> str:
    """flag, as the client spelled it (RFC 9051 §9).

    Raises ClientError, also for \\Recent, which no client can set, and for system flags other than IMAP's five.
    """
    found = FLAG.match(cursor.text, cursor.at)
    if found is None:
        raise cursor.wrong(texts.A_FLAG)
    name = found[0].decode("ascii")
    if len(name) > cursor.limits.keyword_bytes:
        raise cursor.wrong(texts.KEYWORD_TOO_LONG.of(octets=cursor.limits.keyword_bytes))
    if name[0] == "\\" and name.lower() not in SYSTEM_FLAGS_BY_NAME:
        # RFC 3501 §2.3.2: \Recent can not be altered by the client.
        if name.lower() == "\\recent":
            raise ClientError(texts.RECENT_STAYS, cursor.column)
        # RFC 9051 §9 flag-extension: a server must not generate other ones, so they are not stored.
        raise cursor.wrong(texts.A_SYSTEM_FLAG.of(flags=", ".join(SYSTEM_FLAG_NAMES.values())))
    cursor.at = found.end()
    return name


def flag_list(cursor: CommandCursor) -> tuple[str, ...]:
    """flag-list = "(" [flag *(SP flag)] ")" (RFC 9051 §9), each flag once. Raises ClientError."""
    # If the whole list is short enough for one keyword, every flag is.
    found = FLAG_LIST.match(cursor.text, cursor.at)
    if found is None or len(found[1]) > cursor.limits.keyword_bytes:
        return each_once(cursor.parenthesized(flag, texts.FLAGS))
    cursor.at = found.end()
    return each_once(found[1].decode("ascii").split())


def keyword(cursor: CommandCursor) -> str:
    """flag-keyword = atom (RFC 9051 §9), the argument of SEARCH KEYWORD; system flags have their own search keys.

    Raises ClientError.
    """
    return cursor.expect(ATOM, texts.A_KEYWORD_SUCH_AS)[0].decode("ascii")


def objectid(cursor: CommandCursor) -> str:
    """objectid = 1*255(ALPHA / DIGIT / "_" / "-") (RFC 8474 §7), with or without quotes. Raises ClientError."""
    return cursor.expect(OBJECTID, texts.AN_OBJECTID)[2].decode("ascii")


# Dates


def day(cursor: CommandCursor) -> date:
    """date, with or without quotes (RFC 9051 §9). Raises ClientError."""
    start = cursor.at
    found = cursor.expect(DATE, texts.A_DATE)
    made = _day(found[2], found[3], found[4])
    if made is None:
        cursor.at = start
        raise cursor.wrong(texts.A_DATE)
    return made


def date_time(cursor: CommandCursor) -> tuple[int, int]:
    """date-time (RFC 9051 §9): seconds since 1970 UTC, and the zone in minutes east. Raises ClientError."""
    start = cursor.at
    found = cursor.expect(DATE_TIME, texts.A_DATE_TIME)
    made = _day(found[1], found[2], found[3])
    hour, minute, second, zone_hours, zone_minutes = map(int, found.group(4, 5, 6, 8, 9))
    # Second 60 is a leap second; it becomes the next second.
    if made is None or hour > 23 or minute > 59 or second > 60 or zone_hours > 23 or zone_minutes > 59:
        cursor.at = start
        raise cursor.wrong(texts.A_DATE_TIME)
    zone = (zone_hours * 60 + zone_minutes) * (-1 if found[7] == b"-" else 1)
    local = calendar.timegm((made.year, made.month, made.day, hour, minute, second))
    return local - zone * 60, zone


def read_date_time(octets: bytes) -> tuple[int, int]:
    """The seconds and the zone of ``strings.date_time``."""
    return date_time(CommandCursor((octets,), (), utf8=False, limits=DEFAULT_LIMITS))


def _day(day: bytes, month: bytes, year: bytes) -> date | None:
    number = MONTHS.get(month.lower())
    if number is None:
        return None
    try:
        return date(int(year), number, int(day))
    except ValueError:
        return None
