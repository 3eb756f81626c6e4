"""The grammar of APPEND: the whole command, or its start up to an offered message (RFC 9051 §6.3.12, RFC 3502)."""

from __future__ import annotations

from mektup.wire import texts
from mektup.wire.arguments import date_time, flag_list, mailbox_and_old_name
from mektup.wire.cursor import CommandCursor
from mektup.wire.requests import Append, AppendMessage, AppendStart, StoredLiteral


def append(cursor: CommandCursor, tag: bytes) -> Append:
    """append = "APPEND" SP mailbox 1*append-message (RFC 3502 §6).

    append-message = [SP flag-list] [SP date-time] SP literal
    """
    cursor.expect_space(texts.A_MAILBOX)
    name, old_name = mailbox_and_old_name(cursor)
    messages = [_message(cursor)]
    while cursor.take_space():
        messages.append(_arguments_and_message(cursor))
    cursor.expect_end()
    return Append(tag, name, tuple(messages), old_name)


def append_start(cursor: CommandCursor, tag: bytes) -> AppendStart | None:
    """The same, up to the literal announced at the end of the text; None if that literal is the mailbox's name.

    Text between earlier messages was checked when each message was announced, so it is not parsed again.
    """
    cursor.expect_space(texts.A_MAILBOX)
    if len(cursor.fragments) == 1 and cursor.at == len(cursor.text):
        return None
    name, old_name = mailbox_and_old_name(cursor)
    cursor.expect_space(texts.A_MESSAGE)
    flags, internaldate = _arguments(cursor)
    if cursor.at_literal:
        cursor.stored_literal(texts.A_MESSAGE)
        cursor.skip_to_last_fragment()
        cursor.expect_space(texts.A_MESSAGE)
        flags, internaldate = _arguments(cursor)
    if cursor.at != len(cursor.text):
        raise cursor.wrong(texts.A_MESSAGE)
    return AppendStart(tag, name, flags, internaldate, old_name)


def _message(cursor: CommandCursor) -> AppendMessage:
    cursor.expect_space(texts.A_MESSAGE)
    return _arguments_and_message(cursor)


def _arguments_and_message(cursor: CommandCursor) -> AppendMessage:
    flags, internaldate = _arguments(cursor)
    message: StoredLiteral = cursor.stored_literal(texts.A_MESSAGE)
    return AppendMessage(flags, internaldate, message)


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
