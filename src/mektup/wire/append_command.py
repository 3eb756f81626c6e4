"""The grammar of APPEND, whole and up to the point where a message is offered (RFC 9051 §6.3.12, RFC 3502)."""

from __future__ import annotations

from mektup.wire.arguments import date_time, flag_list, mailbox_and_old_name
from mektup.wire.cursor import CommandCursor
from mektup.wire.requests import Append, AppendMessage, AppendStart, StoredLiteral

_MESSAGE = "the message as a literal such as {310}"


def append(cursor: CommandCursor, tag: bytes) -> Append:
    """append = "APPEND" SP mailbox 1*append-message (RFC 3502 §6).

    append-message = [SP flag-list] [SP date-time] SP literal
    """
    cursor.expect_space("a mailbox name")
    name, old_name = mailbox_and_old_name(cursor)
    messages = [_message(cursor)]
    while cursor.take_space():
        messages.append(_arguments_and_message(cursor))
    cursor.expect_end()
    return Append(tag, name, tuple(messages), old_name)


def append_start(cursor: CommandCursor, tag: bytes) -> AppendStart | None:
    """The same, up to the literal that is announced where the text ends; None where that is the mailbox's name.

    What stands between the messages before it is not read again, as it was when each of them was announced.
    """
    cursor.expect_space("a mailbox name")
    if len(cursor.fragments) == 1 and cursor.at == len(cursor.text):
        return None
    name, old_name = mailbox_and_old_name(cursor)
    cursor.expect_space(_MESSAGE)
    flags, internaldate = _arguments(cursor)
    if cursor.at_literal:
        cursor.stored_literal(_MESSAGE)
        cursor.skip_to_last_fragment()
        cursor.expect_space(_MESSAGE)
        flags, internaldate = _arguments(cursor)
    if cursor.at != len(cursor.text):
        raise cursor.wrong(_MESSAGE)
    return AppendStart(tag, name, flags, internaldate, old_name)


def _message(cursor: CommandCursor) -> AppendMessage:
    cursor.expect_space(_MESSAGE)
    return _arguments_and_message(cursor)


def _arguments_and_message(cursor: CommandCursor) -> AppendMessage:
    flags, internaldate = _arguments(cursor)
    message: StoredLiteral = cursor.stored_literal(_MESSAGE)
    return AppendMessage(flags, internaldate, message)


def _arguments(cursor: CommandCursor) -> tuple[tuple[str, ...], tuple[int, int] | None]:
    """[flag-list SP] [date-time SP], as the space before each was read already."""
    flags: tuple[str, ...] = ()
    internaldate: tuple[int, int] | None = None
    if cursor.comes(b"("):
        flags = flag_list(cursor)
        cursor.expect_space(_MESSAGE)
    if cursor.comes(b'"'):
        internaldate = date_time(cursor)
        cursor.expect_space(_MESSAGE)
    return flags, internaldate
