"""The grammar of the commands about mailboxes: SELECT, CREATE, DELETE, RENAME, LIST, STATUS and others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from mektup.terms.errors import ClientError
from mektup.terms.names import DELIMITER
from mektup.terms.texts import Text
from mektup.wire import texts
from mektup.wire.arguments import end_after_mailbox, mailbox, mailbox_and_old_name, mailbox_pattern
from mektup.wire.cursor import CommandCursor
from mektup.wire.grammar import ATOM_LIST, FLAG
from mektup.wire.known_state import known_state
from mektup.wire.metadata_commands import entries
from mektup.wire.requests import Create, Delete, KnownState, List, Lsub, Rename, Request, Select, Status

STATUS_ITEMS: Final = frozenset(
    {
        "MESSAGES",
        "UIDNEXT",
        "UIDVALIDITY",
        "UNSEEN",
        "DELETED",
        "SIZE",
        "RECENT",
        "HIGHESTMODSEQ",
        "MAILBOXID",
        "APPENDLIMIT",
        "DELETED-STORAGE",
    }
)
"""The items of STATUS: RFC 9051 §6.3.11, RFC 3501 §6.3.10 (RECENT), RFC 7162 §3.1.7, RFC 8474 §4.3, RFC 7889 §3,
RFC 9208 §4.1.4."""


def named(cursor: CommandCursor, tag: bytes, *, make: Callable[[bytes, str], Request]) -> Request:
    """A command whose only argument is a mailbox: SUBSCRIBE, UNSUBSCRIBE."""
    cursor.expect_space(texts.A_MAILBOX)
    name = mailbox(cursor)
    end_after_mailbox(cursor)
    return make(tag, name)


def select(cursor: CommandCursor, tag: bytes, *, read_only: bool) -> Select:
    """select = "SELECT" SP mailbox [SP "(" select-param ")"] (RFC 9051 §9; RFC 4466 §2.1, RFC 7162 §7)."""
    cursor.expect_space(texts.A_MAILBOX)
    name, old_name = mailbox_and_old_name(cursor)
    given: dict[bytes, KnownState | None] = {}
    if cursor.take_space():
        if not cursor.comes(b"("):
            raise cursor.wrong(texts.OPENING_OR_END)
        given = dict(cursor.parenthesized(_select_parameter, texts.CONDSTORE_OR_QRESYNC))
    cursor.expect_end()
    return Select(tag, name, read_only, b"CONDSTORE" in given, old_name, given.get(b"QRESYNC"))


def _select_parameter(cursor: CommandCursor) -> tuple[bytes, KnownState | None]:
    """select-param =/ "CONDSTORE" / "QRESYNC" SP "(" ... ")" (RFC 7162 §7)."""
    word = _one_of(cursor, (b"CONDSTORE", b"QRESYNC"), texts.CONDSTORE_OR_QRESYNC)
    return word, known_state(cursor) if word == b"QRESYNC" else None


def create(cursor: CommandCursor, tag: bytes) -> Create:
    """create = "CREATE" SP mailbox [SP "(" create-param ")"] (RFC 9051 §9; RFC 6154 §6)."""
    cursor.expect_space(texts.A_MAILBOX)
    # RFC 9051 §6.3.4: a trailing delimiter announces that names will be created below; it is no part of the name.
    name, old_name = mailbox_and_old_name(cursor)
    uses: list[str] = []
    if cursor.take_space():
        if not cursor.comes(b"("):
            raise cursor.wrong(texts.OPENING_OR_END)
        for use in cursor.parenthesized(_create_parameter, "USE"):
            uses += use
    cursor.expect_end()
    old_name = None if old_name is None else old_name.removesuffix(DELIMITER)
    return Create(tag, name.removesuffix(DELIMITER), tuple(uses), old_name)


def _create_parameter(cursor: CommandCursor) -> list[str]:
    """create-param =/ "USE" SP "(" [use-attr *(SP use-attr)] ")" (RFC 6154 §6)."""
    _one_of(cursor, (b"USE",), "USE")
    cursor.expect_space(texts.SPECIAL_USES_IN_LIST)
    return cursor.parenthesized(_special_use, texts.SPECIAL_USES)


def _special_use(cursor: CommandCursor) -> str:
    if not cursor.comes(b"\\"):
        raise cursor.wrong(texts.A_SPECIAL_USE)
    return cursor.expect(FLAG, texts.A_SPECIAL_USE)[0].decode("ascii")


def delete(cursor: CommandCursor, tag: bytes) -> Delete:
    """delete = "DELETE" SP mailbox (RFC 9051 §9)."""
    cursor.expect_space(texts.A_MAILBOX)
    name, old_name = mailbox_and_old_name(cursor)
    end_after_mailbox(cursor)
    return Delete(tag, name, old_name)


def rename(cursor: CommandCursor, tag: bytes) -> Rename:
    """rename = "RENAME" SP mailbox SP mailbox (RFC 9051 §9)."""
    cursor.expect_space(texts.A_MAILBOX)
    old, old_name = mailbox_and_old_name(cursor)
    cursor.expect_space(texts.NEW_NAME)
    new, new_as_given = mailbox_and_old_name(cursor, texts.NEW_NAME)
    end_after_mailbox(cursor)
    if old_name is None and new_as_given is not None:
        # RFC 9051 §6.3.6: if normalization changes either name, OLDNAME is the first name as given
        old_name = old
    # As for CREATE: a trailing delimiter is no part of the name.
    return Rename(tag, old, new.removesuffix(DELIMITER), old_name)


def lsub(cursor: CommandCursor, tag: bytes) -> Lsub:
    """lsub = "LSUB" SP mailbox SP list-mailbox (RFC 3501 §9)."""
    cursor.expect_space(texts.A_REFERENCE)
    reference = mailbox(cursor, texts.A_REFERENCE)
    cursor.expect_space(texts.A_PATTERN)
    pattern = mailbox_pattern(cursor)
    _check_patterns(cursor, reference, [pattern])
    cursor.expect_end()
    return Lsub(tag, reference, pattern)


# LIST

_SELECT_OPTIONS: Final = (b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE")
_RETURN_OPTIONS: Final = (b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE", b"STATUS", b"MYRIGHTS", b"METADATA")


def list_(cursor: CommandCursor, tag: bytes) -> List:
    """list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts] (RFC 9051 §9)."""
    cursor.expect_space(texts.A_REFERENCE)
    has_selection = cursor.comes(b"(")
    selected: set[bytes] = set()
    if has_selection:
        column = cursor.column
        selected.update(cursor.parenthesized(_select_option, texts.SELECTION_OPTIONS))
        # RFC 9051 §6.3.9.1: RECURSIVEMATCH needs another option that can select by itself.
        if b"RECURSIVEMATCH" in selected and b"SUBSCRIBED" not in selected:
            raise ClientError(texts.RECURSIVEMATCH_ALONE, column)
        cursor.expect_space(texts.A_REFERENCE)
    reference = mailbox(cursor, texts.A_REFERENCE)
    cursor.expect_space(texts.A_PATTERN)
    has_patterns = cursor.comes(b"(")
    most = cursor.limits.list_patterns
    if has_patterns:
        patterns = cursor.parenthesized(mailbox_pattern, texts.PATTERNS, most)
    else:
        patterns = [mailbox_pattern(cursor)]
    if not patterns:
        raise ClientError(texts.EXPECTED_A_PATTERN, cursor.column - 1)
    _check_patterns(cursor, reference, patterns)
    returned = _return_options(cursor) if cursor.take_space() else None
    cursor.expect_end()
    return List(
        tag,
        reference,
        tuple(patterns),
        extended=has_selection or has_patterns or returned is not None,
        select_subscribed=b"SUBSCRIBED" in selected,
        select_remote=b"REMOTE" in selected,
        select_special_use=b"SPECIAL-USE" in selected,
        recursive_match=b"RECURSIVEMATCH" in selected,
        return_subscribed=returned is not None and b"SUBSCRIBED" in returned,
        return_children=returned is not None and b"CHILDREN" in returned,
        return_special_use=returned is not None and b"SPECIAL-USE" in returned,
        return_status=None if returned is None else returned.get(b"STATUS"),
        return_myrights=returned is not None and b"MYRIGHTS" in returned,
        return_metadata=None if returned is None else returned.get(b"METADATA"),
    )


def _check_patterns(cursor: CommandCursor, reference: str, patterns: Sequence[str]) -> None:
    most = cursor.limits.list_pattern_bytes
    if sum(len(reference) + len(pattern) for pattern in patterns) > most:
        raise cursor.wrong(texts.PATTERNS_TOO_LONG.of(most=most))


def _select_option(cursor: CommandCursor) -> bytes:
    return _one_of(cursor, _SELECT_OPTIONS, texts.A_SELECTION_OPTION)


def _return_options(cursor: CommandCursor) -> dict[bytes, tuple[str, ...]]:
    """list-return-opts = "RETURN" SP "(" [list-return-opt *(SP list-return-opt)] ")"."""
    _one_of(cursor, (b"RETURN",), texts.RETURN_OR_END)
    cursor.expect_space(texts.RETURN_OPTIONS_SUCH_AS)
    return dict(cursor.parenthesized(_return_option, texts.RETURN_OPTIONS))


def _return_option(cursor: CommandCursor) -> tuple[bytes, tuple[str, ...]]:
    """return-option, with the items of STATUS or the entries of METADATA.

    RFC 9051 §9; RFC 6154 §6, RFC 5819 §5, RFC 8440 §5, RFC 9590 §5.
    """
    word = _one_of(cursor, _RETURN_OPTIONS, texts.A_RETURN_OPTION)
    if word == b"METADATA":
        cursor.expect_space(texts.ENTRIES_SUCH_AS)
        return word, tuple(dict.fromkeys(entries(cursor)))
    if word != b"STATUS":
        return word, ()
    cursor.expect_space(texts.STATUS_ITEMS)
    return word, _status_items(cursor)


# STATUS


def status(cursor: CommandCursor, tag: bytes) -> Status:
    """status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")" (RFC 9051 §9)."""
    cursor.expect_space(texts.A_MAILBOX)
    name = mailbox(cursor)
    cursor.expect_space(texts.STATUS_ITEMS)
    items = _status_items(cursor)
    cursor.expect_end()
    return Status(tag, name, items)


def _status_items(cursor: CommandCursor) -> tuple[str, ...]:
    found = ATOM_LIST.match(cursor.text, cursor.at)
    if found is not None:
        known = dict.fromkeys(found[1].decode("ascii").upper().split())
        if known.keys() <= STATUS_ITEMS:
            cursor.at = found.end()
            return tuple(known)
    items = cursor.parenthesized(_status_item, texts.STATUS_ITEMS)
    if not items:
        raise ClientError(texts.EXPECTED.of(expected=texts.A_STATUS_ITEM), cursor.column - 1)
    return tuple(dict.fromkeys(items))


def _status_item(cursor: CommandCursor) -> str:
    start = cursor.at
    item = cursor.expect_atom(texts.A_STATUS_ITEM).decode("ascii")
    if item not in STATUS_ITEMS:
        cursor.at = start
        raise cursor.wrong(texts.A_STATUS_ITEM)
    return item


def _one_of(cursor: CommandCursor, words: tuple[bytes, ...], what: Text | str) -> bytes:
    start = cursor.at
    word = cursor.take_atom()
    if word is None or word not in words:
        cursor.at = start
        raise cursor.wrong(what)
    return word
