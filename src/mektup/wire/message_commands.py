"""The grammar of the commands about messages in the selected mailbox, by sequence number or by UID."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from mektup.terms.errors import ClientError, Code
from mektup.terms.flags import FlagChange, each_once
from mektup.terms.partial_range import PartialRange
from mektup.terms.texts import Text
from mektup.wire import texts
from mektup.wire.arguments import end_after_mailbox, flag, flag_list, mailbox, numbers, partial_range
from mektup.wire.cursor import CommandCursor
from mektup.wire.fetch_grammar import fetch_items
from mektup.wire.fetch_items import FetchItem
from mektup.wire.requests import Copy, Expunge, Fetch, Move, Search, Store, UidBatches
from mektup.wire.search_keys import charset_name, search_key

# store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
_STORE_WHAT: Final = re.compile(rb"([+-]?FLAGS)(\.SILENT)?(?= |\Z)", re.IGNORECASE)
_CHANGES: Final = {change.value.encode("ascii"): change for change in FlagChange}

_RETURN: Final = re.compile(rb"RETURN(?= )", re.IGNORECASE)
_LIST_FOLLOWS: Final = re.compile(rb" *(?=\()")
_CHARSET: Final = re.compile(rb"CHARSET(?= )", re.IGNORECASE)
_RETURN_OPTIONS: Final = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE", "PARTIAL", "RELEVANCY", "CONTEXT", "UPDATE"})


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


def uid_batches(cursor: CommandCursor, tag: bytes) -> UidBatches:
    """uidbatches = "UIDBATCHES" SP nz-number [SP nz-number ":" nz-number]."""
    cursor.expect_space(texts.MESSAGES_OF_A_BATCH)
    size = _nz_number(cursor, texts.MESSAGES_OF_A_BATCH)
    wanted = None
    if cursor.take_space():
        column = cursor.column
        first = _nz_number(cursor, texts.BATCHES_SUCH_AS)
        cursor.expect_octet(b":", texts.BATCHES_SUCH_AS)
        wanted = first, _nz_number(cursor, texts.BATCHES_SUCH_AS)
        if wanted[0] > wanted[1]:
            # RFC 10022 §3.1.5
            raise ClientError(texts.BATCHES_ASCEND, column, code=Code.CLIENTBUG)
    cursor.expect_end()
    return UidBatches(tag, size, wanted)


def _nz_number(cursor: CommandCursor, what: Text) -> int:
    start = cursor.at
    number = cursor.number(what)
    if number == 0:
        cursor.at = start
        raise cursor.wrong(what)
    return number


def fetch(cursor: CommandCursor, tag: bytes, *, by_uid: bool) -> Fetch:
    """fetch = "FETCH" SP sequence-set SP (macro / fetch-att / list) [fetch-modifiers] (RFC 9051 §9, RFC 7162 §7)."""
    cursor.expect_space(texts.NUMBERS)
    asked = numbers(cursor)
    cursor.expect_space(texts.ITEMS_SUCH_AS)
    items = fetch_items(cursor)
    given: Mapping[bytes, Any] = {}
    if cursor.take_space():
        if not cursor.comes(b"("):
            raise cursor.wrong(texts.END_AFTER_ITEMS)
        given = _fetch_modifiers(cursor, by_uid=by_uid)
    cursor.expect_end()
    return Fetch(tag, by_uid, asked, items, given.get(b"CHANGEDSINCE"), b"VANISHED" in given, given.get(b"PARTIAL"))


def _fetch_modifiers(cursor: CommandCursor, *, by_uid: bool) -> Mapping[bytes, Any]:
    """fetch-modifier =/ "CHANGEDSINCE" SP mod-sequence-value / "VANISHED" / modifier-partial.

    RFC 7162 §7, RFC 9394 §4. Returns the argument of each one given. Liberty: CHANGEDSINCE 0 too, which the mail client
    of iOS sends for a new mailbox.
    """
    column = cursor.column
    # RFC 7162 §3.2.6: VANISHED is allowed only with UID FETCH, and only together with CHANGEDSINCE.
    # RFC 9394 §3.3: PARTIAL is a modifier of UID FETCH.
    known = {b"CHANGEDSINCE": _modseq, b"VANISHED": _nothing, b"PARTIAL": partial_range}
    if by_uid:
        given = _modifiers(cursor, known, texts.FETCH_MODIFIERS)
    else:
        given = _modifiers(cursor, {b"CHANGEDSINCE": _modseq}, texts.CHANGEDSINCE)
    if b"VANISHED" in given and b"CHANGEDSINCE" not in given:
        raise ClientError(texts.VANISHED_ALONE, column)
    return given


def _modseq(cursor: CommandCursor) -> int:
    cursor.expect_space(texts.A_MODSEQ)
    return cursor.number64(texts.A_MODSEQ)


def _nothing(cursor: CommandCursor) -> None:
    """The argument of a modifier that has none."""


def _modifiers(
    cursor: CommandCursor, known: Mapping[bytes, Callable[[CommandCursor], Any]], what: Text
) -> dict[bytes, Any]:
    """ "(" [modifier *(SP modifier)] ")" (RFC 4466 §2.4, §2.5), each at most once.

    *known*: the allowed modifiers, and how the argument of each one is read, with the space before it.
    """
    given: dict[bytes, Any] = {}

    def modifier(cursor: CommandCursor) -> None:
        start = cursor.at
        name = cursor.take_atom()
        if name is None or name not in known or name in given:
            cursor.at = start
            raise cursor.wrong(texts.EACH_MODIFIER_ONCE if name in given else what)
        given[name] = known[name](cursor)

    cursor.parenthesized(modifier, what)
    return given


def store(cursor: CommandCursor, tag: bytes, *, by_uid: bool) -> Store:
    """store = "STORE" SP sequence-set [store-modifiers] SP store-att-flags (RFC 9051 §9, RFC 4466 §2.5)."""
    cursor.expect_space(texts.NUMBERS)
    asked = numbers(cursor)
    cursor.expect_space(texts.STORE_ARGUMENTS)
    unchanged_since = None
    if cursor.comes(b"("):
        unchanged_since = _modifiers(cursor, {b"UNCHANGEDSINCE": _modseq}, texts.UNCHANGEDSINCE).get(b"UNCHANGEDSINCE")
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
    returned = return_options(cursor, texts.SEARCH_KEYS)
    charset = charset_option(cursor)
    key = search_key(cursor, charset, with_relevancy=asks_for_relevancy(returned.names))
    return Search(tag, by_uid, key, returned.names, charset, returned.page, returned.update_items)


def asks_for_relevancy(options: frozenset[str] | None) -> bool:
    """Whether RELEVANCY is among the RETURN *options* (RFC 6203 §4)."""
    return options is not None and "RELEVANCY" in options


def charset_option(cursor: CommandCursor) -> str | None:
    """["CHARSET" SP charset SP] (RFC 9051 §9 search-program); None if there is none. Raises ClientError."""
    if not cursor.take(_CHARSET):
        return None
    cursor.skip_spaces()
    charset = charset_name(cursor)
    cursor.expect_space(texts.SEARCH_KEYS)
    return charset


@dataclass(slots=True)
class ReturnOptions:
    """What stands in RETURN."""

    names: frozenset[str] | None = None
    """The names of the options; None without RETURN."""
    page: PartialRange | None = None
    """The range of PARTIAL."""
    update_items: tuple[FetchItem, ...] = ()
    """The items of UPDATE."""


NO_OPTIONS: Final = ReturnOptions()
"""Without RETURN."""


def return_options(cursor: CommandCursor, following: Text) -> ReturnOptions:
    """search-return-opts = "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" (RFC 9051 §9).

    Also moves past the space before *following*, the next element. Raises ClientError.
    """
    if not cursor.take(_RETURN):
        return NO_OPTIONS
    options = ReturnOptions()
    cursor.skip_spaces()
    column = cursor.column
    names = cursor.parenthesized(partial(_return_option, options), texts.A_SEARCH_OPTION)
    # RFC 9394 §3.1, RFC 5267 §4.4: either one PARTIAL, or ALL, or neither
    if names.count("PARTIAL") + ("ALL" in names) > 1:
        raise ClientError(texts.ONE_PAGE, column)
    cursor.expect_space(following)
    # RFC 9051 §6.4.4: an empty list of options means ALL.
    options.names = frozenset(names) or frozenset({"ALL"})
    return options


def _return_option(options: ReturnOptions, cursor: CommandCursor) -> str:
    """The name of an option; what is below it goes into *options*."""
    start = cursor.at
    option = cursor.expect_atom(texts.A_SEARCH_OPTION).decode("ascii")
    if option not in _RETURN_OPTIONS:
        cursor.at = start
        raise cursor.wrong(texts.A_SEARCH_OPTION)
    if option == "PARTIAL":
        # modifier-partial = "PARTIAL" SP partial-range (RFC 9394 §4)
        options.page = partial_range(cursor)
    elif option == "UPDATE" and cursor.take(_LIST_FOLLOWS):
        # modifier-update = "UPDATE" [ "(" fetch-att *(SP fetch-att) ")" ] (RFC 5465 §8); its examples have a space
        options.update_items = fetch_items(cursor)
    return option
