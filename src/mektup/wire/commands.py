"""Parses a RawCommand to one frozen request: the command grammar of RFC 9051 and RFC 3501.

This module reads a command's tag and word. The table names the function that reads the arguments of each command.
Commands about messages, mailboxes and identity have their own modules.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final

from mektup.terms.errors import ClientError, Refused
from mektup.terms.limits import Limits
from mektup.wire import texts
from mektup.wire.access_commands import authenticate, comparator, compress, enable, id_, language, login
from mektup.wire.acl_commands import delete_acl, list_rights, set_acl
from mektup.wire.append_command import append, append_start, replace, replace_start
from mektup.wire.cursor import CommandCursor
from mektup.wire.esearch_command import esearch
from mektup.wire.grammar import COMMAND, REPEATED, WITH_SEQUENCE_NUMBERS, tag_in
from mektup.wire.mailbox_commands import create, delete, list_, lsub, named, rename, select, status
from mektup.wire.message_commands import copy, expunge, fetch, search, store, uid_batches, uid_expunge
from mektup.wire.metadata_commands import get_metadata, set_metadata
from mektup.wire.notify_command import notify
from mektup.wire.quota_commands import get_quota, get_quota_root, set_quota
from mektup.wire.receiver import RawCommand
from mektup.wire.repeated import LINE_BYTES, MOST, with_tag, with_tag_and_number
from mektup.wire.requests import (
    AppendStart,
    Capability,
    Check,
    Close,
    Copy,
    GetAcl,
    Idle,
    Logout,
    Move,
    MyRights,
    Namespace,
    Noop,
    Request,
    StartTls,
    StoredLiteral,
    Subscribe,
    Unauthenticate,
    Unselect,
    Unsubscribe,
)
from mektup.wire.sort_commands import cancel_update, sort, thread

Parser = Callable[[CommandCursor, bytes], Request]
"""Reads a command's arguments, from after its word to its end; the octets are its tag."""


def bare(make: Callable[[bytes], Request]) -> Parser:
    """The parser of a command without arguments."""

    def read(cursor: CommandCursor, tag: bytes) -> Request:
        cursor.expect_end()
        return make(tag)

    return read


COMMANDS: Final[dict[bytes, Parser]] = {
    # Any state
    b"CAPABILITY": bare(Capability),
    b"NOOP": bare(Noop),
    b"LOGOUT": bare(Logout),
    b"ID": id_,
    b"LANGUAGE": language,
    # Not authenticated
    b"STARTTLS": bare(StartTls),
    b"AUTHENTICATE": authenticate,
    b"LOGIN": login,
    # Authenticated
    b"UNAUTHENTICATE": bare(Unauthenticate),
    b"COMPRESS": compress,
    b"COMPARATOR": comparator,
    b"ENABLE": enable,
    b"SELECT": partial(select, read_only=False),
    b"EXAMINE": partial(select, read_only=True),
    b"CREATE": create,
    b"DELETE": delete,
    b"RENAME": rename,
    b"SUBSCRIBE": partial(named, make=Subscribe),
    b"UNSUBSCRIBE": partial(named, make=Unsubscribe),
    b"LIST": list_,
    b"LSUB": lsub,
    b"NAMESPACE": bare(Namespace),
    b"STATUS": status,
    b"SETACL": set_acl,
    b"DELETEACL": delete_acl,
    b"GETACL": partial(named, make=GetAcl),
    b"LISTRIGHTS": list_rights,
    b"MYRIGHTS": partial(named, make=MyRights),
    b"GETMETADATA": get_metadata,
    b"SETMETADATA": set_metadata,
    b"GETQUOTA": get_quota,
    b"GETQUOTAROOT": get_quota_root,
    b"SETQUOTA": set_quota,
    b"APPEND": append,
    b"IDLE": bare(Idle),
    b"ESEARCH": esearch,
    # Liberty: the examples in RFC 7377 §2 have a UID that its grammar has not.
    b"UID ESEARCH": esearch,
    b"NOTIFY": notify,
    # Selected
    b"CHECK": bare(Check),
    b"CLOSE": bare(Close),
    b"UNSELECT": bare(Unselect),
    b"EXPUNGE": expunge,
    b"SEARCH": partial(search, by_uid=False),
    b"CANCELUPDATE": cancel_update,
    b"SORT": partial(sort, by_uid=False),
    b"THREAD": partial(thread, by_uid=False),
    b"FETCH": partial(fetch, by_uid=False),
    b"STORE": partial(store, by_uid=False),
    b"COPY": partial(copy, make=Copy, by_uid=False),
    b"MOVE": partial(copy, make=Move, by_uid=False),
    b"UIDBATCHES": uid_batches,
    b"REPLACE": partial(replace, by_uid=False),
    b"UID COPY": partial(copy, make=Copy, by_uid=True),
    b"UID EXPUNGE": uid_expunge,
    b"UID FETCH": partial(fetch, by_uid=True),
    b"UID MOVE": partial(copy, make=Move, by_uid=True),
    b"UID REPLACE": partial(replace, by_uid=True),
    b"UID SEARCH": partial(search, by_uid=True),
    b"UID SORT": partial(sort, by_uid=True),
    b"UID STORE": partial(store, by_uid=True),
    b"UID THREAD": partial(thread, by_uid=True),
}
"""Every command, by its word in upper case; or by its two words with one space between them."""

SECRET_COMMANDS: Final = frozenset({b"LOGIN", b"AUTHENTICATE"})
"""The commands with a password in their arguments, or in the lines after them. No log shows these."""


def parse(command: RawCommand, *, utf8: bool, limits: Limits) -> Request:
    """The request of *command*.

    *utf8*: mailbox names are UTF-8 (after ENABLE IMAP4rev2 or UTF8=ACCEPT); otherwise modified UTF-7, and plain UTF-8
    is accepted too. Raises ClientError with the column, and Refused(BADCHARSET) for an unknown SEARCH charset.
    """
    line = command.fragments[0]
    repeated = None if command.literals or len(line) > LINE_BYTES else REPEATED.fullmatch(line)
    if repeated is not None:
        tag, rest, before, number, after = repeated.groups()
        try:
            if rest is not None:
                return _whole(rest, utf8, limits)(tag)
            return _of_one_message(before, after, utf8, limits)(tag, int(number))
        except (ClientError, Refused):
            pass  # parsed again below, so that the error has the column in the client's own line
    return _parsed(command.fragments, command.literals, utf8=utf8, limits=limits)


@lru_cache(MOST)
def _whole(line: bytes, utf8: bool, limits: Limits) -> Callable[[bytes], Request]:
    return with_tag(_parsed((b"a " + line,), (), utf8=utf8, limits=limits))


@lru_cache(MOST)
def _of_one_message(before: bytes, after: bytes, utf8: bool, limits: Limits) -> Callable[[bytes, int], Request]:
    return with_tag_and_number(_parsed((b"a %b1%b" % (before, after),), (), utf8=utf8, limits=limits))


def _parsed(
    fragments: tuple[bytes, ...], literals: tuple[bytes | StoredLiteral, ...], *, utf8: bool, limits: Limits
) -> Request:
    cursor = CommandCursor(fragments, literals, utf8=utf8, limits=limits)
    tag, read = _begin(cursor)
    return read(cursor, tag)


def parse_append_start(
    command: RawCommand, *, utf8: bool, limits: Limits, before: AppendStart | None = None
) -> AppendStart | None:
    """The beginning of an APPEND or REPLACE, up to an offered literal; None for another command.

    Also None if the offered literal is the mailbox's name. *before* is the result for the literal before. Raises
    ClientError, also for an unknown command, whose literal is then refused (RFC 9051 §7.6).
    """
    cursor = CommandCursor(command.fragments, command.literals, utf8=utf8, limits=limits)
    tag, read = _begin(cursor)
    if read is append:
        return append_start(cursor, tag, before)
    if isinstance(read, partial) and read.func is replace:
        return replace_start(cursor, tag, before, **read.keywords)
    return None


def _begin(cursor: CommandCursor) -> tuple[bytes, Parser]:
    """Reads a command's tag and word; returns the tag, and the parser of the arguments. Raises ClientError."""
    found = COMMAND.match(cursor.text)
    if found is None:
        raise _wrong_start(cursor)
    tag, word = found.groups()
    read = COMMANDS.get(word.upper()) or COMMANDS.get(b" ".join(word.upper().split()))
    if read is None:
        raise _unknown(tag, word, found.start(2) + 1)
    cursor.at = found.end()
    return tag, read


def tag_of(command: RawCommand) -> bytes | None:
    """The tag, also of a command that cannot be parsed; None if there is none."""
    return tag_in(command.fragments[0])


def uses_sequence_numbers(line: bytes) -> bool:
    """Whether *line* begins a command with sequence numbers in it or in its answer (RFC 9051 §5.5)."""
    return WITH_SEQUENCE_NUMBERS.match(line) is not None


def _wrong_start(cursor: CommandCursor) -> ClientError:
    """The error for a line that does not begin with ``tag SP word``."""
    tag = tag_in(cursor.text)
    if tag is None:
        return cursor.wrong(texts.TAG_AND_COMMAND)
    cursor.at = len(tag)
    if tag.upper() in COMMANDS:
        return ClientError(texts.EXPECTED_TAG, 1)
    cursor.skip_spaces()
    return cursor.wrong(texts.COMMAND_AFTER_TAG)


def unknown_command(tag: bytes) -> ClientError:
    """The error for a command that a client must not know, with *tag*."""
    return ClientError(texts.UNKNOWN_COMMAND, len(tag) + 2)


def _unknown(tag: bytes, word: bytes, column: int) -> ClientError:
    """The error for a word that is no command; names the command that may be meant."""
    if tag.upper() in COMMANDS:
        return ClientError(texts.EXPECTED_TAG, 1)
    if word[:4].upper() in (b"UID", b"UID "):
        return ClientError(texts.EXPECTED_AFTER_UID, column)
    known = [name.decode("ascii") for name in COMMANDS]
    near = difflib.get_close_matches(word[:20].upper().decode("ascii"), known, n=1)
    return ClientError(texts.MISSPELT_COMMAND.of(near=near[0]) if near else texts.UNKNOWN_COMMAND, column)
