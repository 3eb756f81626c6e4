"""The grammar of the commands about messages in the selected mailbox, by sequence number or by UID."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mektup.terms.errors import ClientError
from mektup.terms.flags import FlagChange, each_once
from mektup.terms.texts import Text
from mektup.wire import texts
from mektup.wire.arguments import end_after_mailbox, flag, flag_list, mailbox, numbers
from mektup.wire.cursor import CommandCursor
from mektup.wire.fetch_grammar import fetch_items
from mektup.wire.requests import Copy, Expunge, Fetch, Move, Search, Store
from mektup.wire.search_keys import charset_name, search_key

# store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
_STORE_WHAT: Final = re.compile(rb"([+-]?FLAGS)(\.SILENT)?(?= |\Z)", re.IGNORECASE)
_CHANGES: Final = {change.value.encode("ascii"): change for change in FlagChange}

_RETURN: Final = re.compile(rb"RETURN(?= )", re.IGNORECASE)
_CHARSET: Final = re.compile(rb"CHARSET(?= )", re.IGNORECASE)
_RETURN_OPTIONS: Final = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE"})


def expunge(cursor: CommandCursor, tag: bytes) -> Expunge:
    """ "EXPUNGE" (RFC 9051 §6.4.3)."""
    cursor.expect_end()
    return Expunge(tag, None)


def uid_expunge(cursor: CommandCursor, tag: bytes) -> Expunge:
    """uid-expunge = "EXPUNGE" SP sequence-set (RFC 9051 §6.4.9)."""
    cursor.expect_space(texts.UIDS_SUCH_AS)
    uids = numbers(cursor)
    cursor.expect_end()
    return Expunge(tag, uids)


def fetch(cursor: CommandCursor, tag: bytes, *, by_uid: bool) -> Fetch:
    """fetch = "FETCH" SP sequence-set SP (macro / fetch-att / list) [fetch-modifiers] (RFC 9051 §9, RFC 7162 §7)."""
    cursor.expect_space(texts.NUMBERS)
    asked = numbers(cursor)
    cursor.expect_space(texts.ITEMS_SUCH_AS)
    items = fetch_items(cursor)
    changed_since, vanished = None, False
    if cursor.take_space():
        if not cursor.comes(b"("):
            raise cursor.wrong(texts.END_AFTER_ITEMS)
        changed_since, vanished = _fetch_modifiers(cursor, by_uid=by_uid)
    cursor.expect_end()
    return Fetch(tag, by_uid, asked, items, changed_since, vanished)


def _fetch_modifiers(cursor: CommandCursor, *, by_uid: bool) -> tuple[int | None, bool]:
    """fetch-modifier =/ "CHANGEDSINCE" SP mod-sequence-value / "VANISHED" (RFC 7162 §7).

    Returns the modseq of CHANGEDSINCE, and whether VANISHED was given. Liberty: CHANGEDSINCE 0 too, which the mail
    client of iOS sends for a new mailbox.
    """
    column = cursor.column
    # RFC 7162 §3.2.6: VANISHED is allowed only with UID FETCH, and only together with CHANGEDSINCE.
    if by_uid:
        given = _modifiers(cursor, {b"CHANGEDSINCE": True, b"VANISHED": False}, texts.CHANGEDSINCE_OR_VANISHED)
    else:
        given = _modifiers(cursor, {b"CHANGEDSINCE": True}, texts.CHANGEDSINCE)
    if b"VANISHED" in given and b"CHANGEDSINCE" not in given:
        raise ClientError(texts.VANISHED_ALONE, column)
    return given.get(b"CHANGEDSINCE"), b"VANISHED" in given


def _modifiers(cursor: CommandCursor, known: Mapping[bytes, bool], what: Text) -> dict[bytes, int]:
    """ "(" [modifier *(SP modifier)] ")" (RFC 4466 §2.4, §2.5), each at most once.

    *known*: the allowed modifiers, and whether a modseq follows each one. Without a modseq, the value is 0.
    """
    given: dict[bytes, int] = {}

    def modifier(cursor: CommandCursor) -> None:
        start = cursor.at
        name = cursor.take_atom()
        if name is None or name not in known or name in given:
            cursor.at = start
            raise cursor.wrong(texts.EACH_MODIFIER_ONCE if name in given else what)
        given[name] = 0
        if known[name]:
            cursor.expect_space(texts.A_MODSEQ)
            given[name] = cursor.number64(texts.A_MODSEQ)

    cursor.parenthesized(modifier, what)
    return given


def store(cursor: CommandCursor, tag: bytes, *, by_uid: bool) -> Store:
    """store = "STORE" SP sequence-set [store-modifiers] SP store-att-flags (RFC 9051 §9, RFC 4466 §2.5)."""
    cursor.expect_space(texts.NUMBERS)
    asked = numbers(cursor)
    cursor.expect_space(texts.STORE_ARGUMENTS)
    unchanged_since = None
    if cursor.comes(b"("):
        unchanged_since = _modifiers(cursor, {b"UNCHANGEDSINCE": True}, texts.UNCHANGEDSINCE).get(b"UNCHANGEDSINCE")
        cursor.expect_space(texts.STORE_ARGUMENTS)
    found = cursor.expect(_STORE_WHAT, texts.STORE_ARGUMENTS)
    cursor.expect_space(texts.FLAGS_SUCH_AS)
    flags = flag_list(cursor) if cursor.comes(b"(") else _bare_flags(cursor)
    cursor.expect_end()
    change, silent = _CHANGES[found[1].upper()], found[2] is not None
    return Store(tag, by_uid, asked, change, silent, flags, unchanged_since)


def _bare_flags(cursor: CommandCursor) -> tuple[str, ...]:
    """flag *(SP flag), each once."""
    flags = [flag(cursor)]
    while cursor.take_space():
        flags.append(flag(cursor))
    return each_once(flags)


def copy(cursor: CommandCursor, tag: bytes, *, make: type[Copy] | type[Move], by_uid: bool) -> Copy | Move:
    """copy = "COPY" SP sequence-set SP mailbox; move has the same arguments (RFC 9051 §9)."""
    cursor.expect_space(texts.NUMBERS)
    asked = numbers(cursor)
    cursor.expect_space(texts.A_MAILBOX)
    target = mailbox(cursor)
    end_after_mailbox(cursor)
    return make(tag, by_uid, asked, target)


def search(cursor: CommandCursor, tag: bytes, *, by_uid: bool) -> Search:
    """search = "SEARCH" [search-return-opts] SP search-program (RFC 9051 §9)."""
    cursor.expect_space(texts.SEARCH_KEYS)
    options = return_options(cursor, texts.SEARCH_KEYS)
    charset = None
    if cursor.take(_CHARSET):
        cursor.skip_spaces()
        charset = charset_name(cursor)
        cursor.expect_space(texts.SEARCH_KEYS)
    return Search(tag, by_uid, search_key(cursor, charset), options, charset)


def return_options(cursor: CommandCursor, following: Text) -> frozenset[str] | None:
    """search-return-opts = "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" (RFC 9051 §9).

    Also moves past the space before *following*, the next element. None if there is no RETURN. Raises ClientError.
    """
    if not cursor.take(_RETURN):
        return None
    cursor.skip_spaces()
    options = frozenset(cursor.parenthesized(_return_option, texts.A_SEARCH_OPTION))
    cursor.expect_space(following)
    # RFC 9051 §6.4.4: an empty list of options means ALL.
    return options or frozenset({"ALL"})


def _return_option(cursor: CommandCursor) -> str:
    start = cursor.at
    option = cursor.expect_atom(texts.A_SEARCH_OPTION).decode("ascii")
    if option not in _RETURN_OPTIONS:
        cursor.at = start
        raise cursor.wrong(texts.A_SEARCH_OPTION)
    return option
