"""The grammar of APPEND and REPLACE: the whole command, or its start up to an offered literal.

RFC 9051 §6.3.12, RFC 3502 (several messages), RFC 4469 (CATENATE), RFC 8508 (REPLACE).
"""

from __future__ import annotations

import re
from typing import Final

from mektup.terms.sets import STAR, SequenceSet
from mektup.wire import texts
from mektup.wire.arguments import date_time, flag_list, mailbox_and_old_name
from mektup.wire.cursor import CommandCursor
from mektup.wire.requests import Append, AppendMessage, AppendStart, Catenated, Replace, Replaced, StoredLiteral, Url

# append-data =/ "CATENATE" SP "(" cat-part *(SP cat-part) ")" (RFC 4469 §5)
_CATENATE: Final = re.compile(rb"CATENATE +\(", re.IGNORECASE)
# append-data =/ "UTF8" SP "(" literal8 ")" (RFC 6855 §4). RFC 9755 does not need it, but clients still send it.
_UTF8: Final = re.compile(rb"UTF8 +\(", re.IGNORECASE)
# cat-part = "TEXT" SP literal / "URL" SP astring
_PART: Final = re.compile(rb"(?:TEXT|URL)(?= )", re.IGNORECASE)
# seq-number = nz-number / "*"; uniqueid = nz-number
_NUMBER: Final = re.compile(rb"(?:([1-9][0-9]{0,8})|\*)(?= )")


def append(cursor: CommandCursor, tag: bytes) -> Append:
    """append = "APPEND" SP mailbox 1*append-message (RFC 3502 §6).

    append-message = [SP flag-list] [SP date-time] SP append-data; append-data = literal / literal8 / CATENATE ...
    """
    cursor.expect_space(texts.A_MAILBOX)
    name, old_name = mailbox_and_old_name(cursor)
    messages = [_message(cursor)]
    while cursor.take_space():
        messages.append(_arguments_and_message(cursor))
    cursor.expect_end()
    return Append(tag, name, tuple(messages), old_name)


def replace(cursor: CommandCursor, tag: bytes, *, by_uid: bool) -> Replace:
    """replace = "REPLACE" SP seq-number SP mailbox append-message (RFC 8508 §5)."""
    replaced = _replaced(cursor, by_uid=by_uid)
    cursor.expect_space(texts.A_MAILBOX)
    name, old_name = mailbox_and_old_name(cursor)
    message = _message(cursor)
    cursor.expect_end()
    return Replace(tag, by_uid, replaced.number, name, message, old_name)


def append_start(cursor: CommandCursor, tag: bytes, before: AppendStart | None) -> AppendStart | None:
    """APPEND up to the literal announced at the end of the text; None if that literal is the mailbox's name.

    *before* is the result for the literal before, if that was no name. Text before it was checked then, so it is not
    parsed again.
    """
    cursor.expect_space(texts.A_MAILBOX)
    return _start(cursor, tag, None, before)


def replace_start(cursor: CommandCursor, tag: bytes, before: AppendStart | None, *, by_uid: bool) -> AppendStart | None:
    """The same for REPLACE."""
    replaced = _replaced(cursor, by_uid=by_uid)
    cursor.expect_space(texts.A_MAILBOX)
    return _start(cursor, tag, replaced, before)


def _start(
    cursor: CommandCursor, tag: bytes, replaced: Replaced | None, before: AppendStart | None
) -> AppendStart | None:
    if before is None:
        if len(cursor.fragments) == 1 and cursor.at == len(cursor.text):
            return None
        name, old_name = mailbox_and_old_name(cursor)
    else:
        name, old_name = before.mailbox, before.old_name
        cursor.skip_to_last_fragment()
        if before.parenthesized:
            cursor.expect_octet(b")", texts.END)
    flags: tuple[str, ...] = ()
    internaldate: tuple[int, int] | None = None
    catenates = before is not None and before.catenates
    is_message, parenthesized = True, False
    while True:
        if catenates:
            is_text = _parts_to_literal(cursor)
            if is_text is not None:
                is_message = is_text
                break
            catenates = False
            if replaced is not None:
                raise cursor.wrong(texts.END)
        cursor.expect_space(texts.A_MESSAGE)
        flags, internaldate = _arguments(cursor)
        if not cursor.take(_CATENATE):
            parenthesized = _takes_utf8(cursor)
            if cursor.at != len(cursor.text):
                raise cursor.wrong(texts.A_MESSAGE)
            break
        catenates = True
        is_text = _part_to_literal(cursor)
        if is_text is not None:
            is_message = is_text
            break
    return AppendStart(tag, name, flags, internaldate, old_name, replaced, catenates, is_message, parenthesized)


def _takes_utf8(cursor: CommandCursor) -> bool:
    """Whether a message in the parentheses of ``UTF8`` comes here; only clients that enabled UTF8=ACCEPT send it."""
    return cursor.utf8 and cursor.take(_UTF8) is not None


def _parts_to_literal(cursor: CommandCursor) -> bool | None:
    """Reads parts of CATENATE after the first one.

    Returns, at the literal at the end of the text, whether it is that of a TEXT; None after the ")" that ends them.
    """
    while not cursor.take_octet(b")"):
        cursor.expect_space(texts.CATENATED_PARTS)
        is_text = _part_to_literal(cursor)
        if is_text is not None:
            return is_text
    return None


def _part_to_literal(cursor: CommandCursor) -> bool | None:
    """Reads a part; at its literal, which ends the text, returns whether it is a TEXT; else None."""
    is_text = cursor.expect(_PART, texts.A_CATENATED_PART)[0].upper() == b"TEXT"
    cursor.expect_space(texts.A_MESSAGE if is_text else texts.A_URL)
    if cursor.at == len(cursor.text):
        return is_text
    if is_text:
        raise cursor.wrong(texts.A_MESSAGE)
    cursor.astring(texts.A_URL)
    return None


def _replaced(cursor: CommandCursor, *, by_uid: bool) -> Replaced:
    cursor.expect_space(texts.ONE_NUMBER)
    found = cursor.expect(_NUMBER, texts.ONE_NUMBER)
    number = STAR if found[1] is None else int(found[1])
    return Replaced(SequenceSet(((number, number),)), by_uid)


def _message(cursor: CommandCursor) -> AppendMessage:
    cursor.expect_space(texts.A_MESSAGE)
    return _arguments_and_message(cursor)


def _arguments_and_message(cursor: CommandCursor) -> AppendMessage:
    flags, internaldate = _arguments(cursor)
    if cursor.take(_CATENATE):
        return AppendMessage(flags, internaldate, _catenated(cursor))
    parenthesized = _takes_utf8(cursor)
    message = cursor.stored_literal(texts.A_MESSAGE)
    if parenthesized:
        cursor.expect_octet(b")", texts.END)
    return AppendMessage(flags, internaldate, message)


def _catenated(cursor: CommandCursor) -> Catenated:
    """cat-part *(SP cat-part) ")"."""
    parts: list[StoredLiteral | Url] = []
    most = cursor.limits.literals
    while True:
        if len(parts) == most:
            raise cursor.wrong(texts.MOST_ITEMS.of(most=most, what=texts.CATENATED_PARTS))
        if cursor.expect(_PART, texts.A_CATENATED_PART)[0].upper() == b"TEXT":
            cursor.expect_space(texts.A_MESSAGE)
            parts.append(cursor.stored_literal(texts.A_MESSAGE))
        else:
            cursor.expect_space(texts.A_URL)
            parts.append(Url(cursor.astring(texts.A_URL)))
        if cursor.take_octet(b")"):
            return Catenated(tuple(parts))
        cursor.expect_space(texts.CATENATED_PARTS)


def _arguments(cursor: CommandCursor) -> tuple[tuple[str, ...], tuple[int, int] | None]:
    """[flag-list SP] [date-time SP]; the space before them has been read already."""
    flags: tuple[str, ...] = ()
    internaldate: tuple[int, int] | None = None
    if cursor.comes(b"("):
        flags = flag_list(cursor)
        cursor.expect_space(texts.A_MESSAGE)
    if cursor.comes(b'"'):
        internaldate = date_time(cursor)
        cursor.expect_space(texts.A_MESSAGE)
    return flags, internaldate
