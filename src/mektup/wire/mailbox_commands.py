"""The grammar of the commands about mailboxes: SELECT, CREATE, DELETE, RENAME, LIST, STATUS and others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from mektup.terms.errors import ClientError
from mektup.terms.names import DELIMITER
from mektup.wire.arguments import end_after_mailbox, mailbox, mailbox_and_old_name, mailbox_pattern
from mektup.wire.cursor import CommandCursor
from mektup.wire.grammar import ATOM_LIST, FLAG
from mektup.wire.known_state import known_state
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
    }
)
"""The items of STATUS: RFC 9051 §6.3.11, RFC 3501 §6.3.10 (RECENT), RFC 7162 §3.1.7, RFC 8474 §4.3, RFC 7889 §3."""

_STATUS_ITEM: Final = "a STATUS item such as MESSAGES or UIDNEXT"


def named(cursor: CommandCursor, tag: bytes, *, make: Callable[[bytes, str], Request]) -> Request:
    """A command whose only argument is a mailbox: SUBSCRIBE, UNSUBSCRIBE."""
    cursor.expect_space("a mailbox name")
    name = mailbox(cursor)
    end_after_mailbox(cursor)
    return make(tag, name)


def select(cursor: CommandCursor, tag: bytes, *, read_only: bool) -> Select:
    """select = "SELECT" SP mailbox [SP "(" select-param ")"] (RFC 9051 §9; RFC 4466 §2.1, RFC 7162 §7)."""
    cursor.expect_space("a mailbox name")
    name, old_name = mailbox_and_old_name(cursor)
    given: dict[bytes, KnownState | None] = {}
    if cursor.take_space():
        if not cursor.comes(b"("):
            raise cursor.wrong("( or the end of the command (put a mailbox name with spaces in quotes)")
        given = dict(cursor.parenthesized(_select_parameter, "CONDSTORE or QRESYNC"))
    cursor.expect_end()
    return Select(tag, name, read_only, b"CONDSTORE" in given, old_name, given.get(b"QRESYNC"))


def _select_parameter(cursor: CommandCursor) -> tuple[bytes, KnownState | None]:
    """select-param =/ "CONDSTORE" / "QRESYNC" SP "(" ... ")" (RFC 7162 §7)."""
    word = _one_of(cursor, (b"CONDSTORE", b"QRESYNC"), "CONDSTORE or QRESYNC")
    return word, known_state(cursor) if word == b"QRESYNC" else None


def create(cursor: CommandCursor, tag: bytes) -> Create:
    """create = "CREATE" SP mailbox [SP "(" create-param ")"] (RFC 9051 §9; RFC 6154 §6)."""
    cursor.expect_space("a mailbox name")
    # RFC 9051 §6.3.4: a trailing delimiter announces that names will be created below; it is no part of the name.
    name, old_name = mailbox_and_old_name(cursor)
    uses: list[str] = []
    if cursor.take_space():
        if not cursor.comes(b"("):
            raise cursor.wrong("( or the end of the command (put a mailbox name with spaces in quotes)")
        for use in cursor.parenthesized(_create_parameter, "USE"):
            uses += use
    cursor.expect_end()
    old_name = None if old_name is None else old_name.removesuffix(DELIMITER)
    return Create(tag, name.removesuffix(DELIMITER), tuple(uses), old_name)


def _create_parameter(cursor: CommandCursor) -> list[str]:
    """create-param =/ "USE" SP "(" [use-attr *(SP use-attr)] ")" (RFC 6154 §6)."""
    _one_of(cursor, (b"USE",), "USE")
    cursor.expect_space("special uses such as (\\Drafts)")
    return cursor.parenthesized(_special_use, "special uses such as \\Drafts")


def _special_use(cursor: CommandCursor) -> str:
    if not cursor.comes(b"\\"):
        raise cursor.wrong("a special use such as \\Drafts")
    return cursor.expect(FLAG, "a special use such as \\Drafts")[0].decode("ascii")


def delete(cursor: CommandCursor, tag: bytes) -> Delete:
    """delete = "DELETE" SP mailbox (RFC 9051 §9)."""
    cursor.expect_space("a mailbox name")
    name, old_name = mailbox_and_old_name(cursor)
    end_after_mailbox(cursor)
    return Delete(tag, name, old_name)


def rename(cursor: CommandCursor, tag: bytes) -> Rename:
    """rename = "RENAME" SP mailbox SP mailbox (RFC 9051 §9)."""
    cursor.expect_space("a mailbox name")
    old, old_name = mailbox_and_old_name(cursor)
    cursor.expect_space("the mailbox's new name")
    new, new_as_given = mailbox_and_old_name(cursor, "the mailbox's new name")
    end_after_mailbox(cursor)
    if old_name is None and new_as_given is not None:
        # RFC 9051 §6.3.6: if normalization changes either name, OLDNAME is the first name as given
        old_name = old
    # As for CREATE: a trailing delimiter is no part of the name.
    return Rename(tag, old, new.removesuffix(DELIMITER), old_name)


def lsub(cursor: CommandCursor, tag: bytes) -> Lsub:
    """lsub = "LSUB" SP mailbox SP list-mailbox (RFC 3501 §9)."""
    cursor.expect_space('a reference such as ""')
    reference = mailbox(cursor, 'a reference such as ""')
    cursor.expect_space('a pattern such as "*"')
    pattern = mailbox_pattern(cursor)
    _check_patterns(cursor, reference, [pattern])
    cursor.expect_end()
    return Lsub(tag, reference, pattern)


# LIST

_SELECT_OPTIONS: Final = (b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE")
_RETURN_OPTIONS: Final = (b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE", b"STATUS")


def list_(cursor: CommandCursor, tag: bytes) -> List:
    """list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts] (RFC 9051 §9)."""
    cursor.expect_space('a reference such as ""')
    has_selection = cursor.comes(b"(")
    selected: set[bytes] = set()
    if has_selection:
        column = cursor.column
        selected.update(cursor.parenthesized(_select_option, "selection options"))
        # RFC 9051 §6.3.9.1: RECURSIVEMATCH needs another option that can select by itself.
        if b"RECURSIVEMATCH" in selected and b"SUBSCRIBED" not in selected:
            raise ClientError("RECURSIVEMATCH needs SUBSCRIBED beside it", column)
        cursor.expect_space('a reference such as ""')
    reference = mailbox(cursor, 'a reference such as ""')
    cursor.expect_space('a pattern such as "*"')
    has_patterns = cursor.comes(b"(")
    most = cursor.limits.list_patterns
    patterns = cursor.parenthesized(mailbox_pattern, "patterns", most) if has_patterns else [mailbox_pattern(cursor)]
    if not patterns:
        raise ClientError('Expected a pattern such as "*"', cursor.column - 1)
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
    )


def _check_patterns(cursor: CommandCursor, reference: str, patterns: Sequence[str]) -> None:
    most = cursor.limits.list_pattern_bytes
    if sum(len(reference) + len(pattern) for pattern in patterns) > most:
        raise cursor.wrong(f"patterns of at most {most} letters in all")


def _select_option(cursor: CommandCursor) -> bytes:
    return _one_of(cursor, _SELECT_OPTIONS, "SUBSCRIBED, REMOTE, RECURSIVEMATCH or SPECIAL-USE")


def _return_options(cursor: CommandCursor) -> dict[bytes, tuple[str, ...]]:
    """list-return-opts = "RETURN" SP "(" [list-return-opt *(SP list-return-opt)] ")"."""
    _one_of(cursor, (b"RETURN",), "RETURN or the end of the command (put a pattern with spaces in quotes)")
    cursor.expect_space("return options such as (CHILDREN)")
    return dict(cursor.parenthesized(_return_option, "return options"))


def _return_option(cursor: CommandCursor) -> tuple[bytes, tuple[str, ...]]:
    """return-option = "SUBSCRIBED" / "CHILDREN" / status-option / "SPECIAL-USE"; with the items of STATUS."""
    word = _one_of(cursor, _RETURN_OPTIONS, "SUBSCRIBED, CHILDREN, SPECIAL-USE or STATUS")
    if word != b"STATUS":
        return word, ()
    cursor.expect_space("STATUS items such as (MESSAGES UNSEEN)")
    return word, _status_items(cursor)


# STATUS


def status(cursor: CommandCursor, tag: bytes) -> Status:
    """status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")" (RFC 9051 §9)."""
    cursor.expect_space("a mailbox name")
    name = mailbox(cursor)
    cursor.expect_space("STATUS items such as (MESSAGES UNSEEN)")
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
    items = cursor.parenthesized(_status_item, "STATUS items such as (MESSAGES UNSEEN)")
    if not items:
        raise ClientError(f"Expected {_STATUS_ITEM}", cursor.column - 1)
    return tuple(dict.fromkeys(items))


def _status_item(cursor: CommandCursor) -> str:
    start = cursor.at
    item = cursor.expect_atom(_STATUS_ITEM).decode("ascii")
    if item not in STATUS_ITEMS:
        cursor.at = start
        raise cursor.wrong(_STATUS_ITEM)
    return item


def _one_of(cursor: CommandCursor, words: tuple[bytes, ...], what: str) -> bytes:
    start = cursor.at
    word = cursor.take_atom()
    if word is None or word not in words:
        cursor.at = start
        raise cursor.wrong(what)
    return word
