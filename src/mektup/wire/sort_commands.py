"""The grammar of SORT and THREAD (RFC 5256 §5), with RETURN of ESORT (RFC 5267 §3)."""

from __future__ import annotations

from typing import Final

from mektup.terms.search import SearchKey
from mektup.terms.sorting import SortCriterion, SortKey, ThreadAlgorithm
from mektup.wire import texts
from mektup.wire.cursor import CommandCursor
from mektup.wire.message_commands import asks_for_relevancy, return_options
from mektup.wire.requests import CancelUpdate, Sort, Thread
from mektup.wire.search_keys import charset_name, search_key

_SORT_KEYS: Final = {key.value.encode("ascii"): key for key in SortKey}
_A_CRITERION: Final = texts.A_CRITERION.of(keys=", ".join(key.value for key in SortKey))

_ALGORITHMS: Final = {algorithm.value.encode("ascii"): algorithm for algorithm in ThreadAlgorithm}


def sort(cursor: CommandCursor, tag: bytes, *, by_uid: bool) -> Sort:
    """sort = "SORT" [return-opts] SP sort-criteria SP search-criteria (RFC 5256 §5, RFC 5267 §5)."""
    cursor.expect_space(texts.SORT_CRITERIA)
    returned = return_options(cursor, texts.SORT_CRITERIA)
    criteria = cursor.parenthesized(_criterion, _A_CRITERION)
    if not criteria:
        raise cursor.wrong(texts.IN_PARENTHESES.of(what=_A_CRITERION))
    by_relevancy = any(criterion.key is SortKey.RELEVANCY for criterion in criteria)
    key, charset = _search_criteria(cursor, with_relevancy=by_relevancy or asks_for_relevancy(returned.names))
    # A repeated criterion has no effect: the first one has ordered all messages that differ in it.
    firsts: dict[SortKey, SortCriterion] = {}
    for criterion in criteria:
        firsts.setdefault(criterion.key, criterion)
    return Sort(tag, by_uid, tuple(firsts.values()), key, returned.names, charset, returned.page, returned.update_items)


def _criterion(cursor: CommandCursor) -> SortCriterion:
    """sort-criterion = ["REVERSE" SP] sort-key."""
    start = cursor.at
    word = cursor.expect_atom(_A_CRITERION)
    reverse = word == b"REVERSE"
    if reverse:
        cursor.expect_space(texts.A_SORT_KEY)
        start = cursor.at
        word = cursor.expect_atom(texts.A_SORT_KEY)
    if word not in _SORT_KEYS:
        cursor.at = start
        raise cursor.wrong(_A_CRITERION)
    return SortCriterion(_SORT_KEYS[word], reverse)


def cancel_update(cursor: CommandCursor, tag: bytes) -> CancelUpdate:
    """ "CANCELUPDATE" 1*(SP quoted) (RFC 5267 §5). Liberty: tags without quotes, as in all other commands."""
    cursor.expect_space(texts.A_TAG)
    tags = [cursor.astring(texts.A_TAG)]
    while cursor.take_space():
        tags.append(cursor.astring(texts.A_TAG))
    cursor.expect_end()
    return CancelUpdate(tag, tuple(tags))


def thread(cursor: CommandCursor, tag: bytes, *, by_uid: bool) -> Thread:
    """thread = "THREAD" SP thread-alg SP search-criteria (RFC 5256 §5)."""
    cursor.expect_space(texts.AN_ALGORITHM)
    start = cursor.at
    algorithm = _ALGORITHMS.get(cursor.expect_atom(texts.AN_ALGORITHM))
    if algorithm is None:
        cursor.at = start
        raise cursor.wrong(texts.AN_ALGORITHM)
    key, charset = _search_criteria(cursor)
    return Thread(tag, by_uid, algorithm, key, charset)


def _search_criteria(cursor: CommandCursor, *, with_relevancy: bool = False) -> tuple[SearchKey, str]:
    """search-criteria = charset 1*(SP search-key), to the end of the command."""
    cursor.expect_space(texts.CHARSET_AND_KEYS)
    charset = charset_name(cursor)
    # RFC 5256 §3: the charset is mandatory, unlike in SEARCH
    cursor.expect_space(texts.KEYS_AFTER_CHARSET)
    return search_key(cursor, charset, with_relevancy=with_relevancy), charset
