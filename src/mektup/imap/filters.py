"""Named search criteria (RFC 5466): entries of the server's metadata, which FILTER in a search names.

The criteria of a filter count as one key, as if they were in parentheses: ``NOT FILTER x`` is what does not match all
of x. A filter may name filters, up to PASSES deep; what names more, or itself, counts as a filter that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec.structs import replace

from mektup.imap import texts
from mektup.imap.server_metadata import entries_of_server
from mektup.store.metadata import Values, Wanted
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.search import And, Filter, Fuzzy, Not, Or, SearchKey, WithFilters
from mektup.terms.search_walk import Algebra, leaves, walk
from mektup.terms.texts import ABOUT
from mektup.wire.requests import Esearch, Search, Sort, Thread, needs_seqs
from mektup.wire.search_keys import is_filter_name, stored_criteria
from mektup.wire.texts import RELEVANCY_NEEDS_FUZZY

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

R = TypeVar("R", Search, Sort, Thread, Esearch)

PASSES: Final = 5
"""RFC 5466 §3.1: how many times filters are replaced by their criteria; at least 3."""

_ROOTS: Final = ("/private/filters/values/", "/shared/filters/values/")
"""Where filters are; the first one wins."""


async def with_criteria(session: Conversation, request: R) -> R:
    """*request* with the criteria of its filters in place of their names; costs one test where it names none.

    Raises Refused(UNDEFINED_FILTER) for a filter that does not exist or names itself, Refused(LIMIT) for criteria that
    are too many or too deep, ClientError for a charset other than UTF-8, for sequence numbers after ENABLE UIDONLY, and
    for RELEVANCY without FUZZY.
    """
    key = request.key
    if not isinstance(key, WithFilters):
        return request
    if request.charset not in (None, "UTF-8", "US-ASCII"):
        raise ClientError(texts.FILTERS_ARE_UTF8, code=Code.BADCHARSET)
    request = replace(request, key=await _expanded(session, key.key))
    if key.needs_fuzzy and not any(isinstance(leaf, Fuzzy) for leaf in leaves(request.key)):
        raise ClientError(RELEVANCY_NEEDS_FUZZY)
    if session.client.uidonly and needs_seqs(request):
        # RFC 9586 §3: not by way of a filter either
        raise ClientError(texts.UID_REQUIRED, code=Code.UIDREQUIRED)
    return request


async def _expanded(session: Conversation, key: SearchKey) -> SearchKey:
    for _ in range(PASSES):
        names = _names(key)
        if not names:
            return key
        criteria = await _criteria(session, names)
        key = walk(key, Algebra(partial(_replaced, criteria), Not, _all_of, _any_of))
        _require_bounded(key, session.services.limits)
    names = _names(key)
    if names:
        raise _undefined(names[0])
    return key


def _names(key: SearchKey) -> list[str]:
    return list(dict.fromkeys(leaf.name for leaf in leaves(key) if isinstance(leaf, Filter)))


async def _criteria(session: Conversation, names: Iterable[str]) -> Mapping[str, SearchKey]:
    """The criteria of the filters *names*."""
    wanted = Wanted(tuple(f"{root}{name}" for root in _ROOTS for name in names))
    stored = await entries_of_server(session, wanted)
    found: dict[str, SearchKey] = {}
    for name in names:
        value = next((stored[entry] for root in _ROOTS if (entry := f"{root}{name}") in stored), None)
        if value is None:
            raise _undefined(name)
        try:
            found[name] = stored_criteria(value, session.services.limits)
        except ClientError as mistake:
            # stored by a version that knew other keys, or with other limits
            raise Refused(Code.CANNOT, ABOUT.of(place=name, problem=mistake.whole)) from mistake
    return found


def _replaced(criteria: Mapping[str, SearchKey], leaf: SearchKey) -> SearchKey:
    return criteria[leaf.name] if isinstance(leaf, Filter) else leaf


def _all_of(keys: Iterable[SearchKey]) -> SearchKey:
    return And(tuple(keys))


def _any_of(keys: Iterable[SearchKey]) -> SearchKey:
    first, *others = keys
    for other in others:
        first = Or(first, other)
    return first


def _require_bounded(key: SearchKey, limits: Limits) -> None:
    """Raises Refused(LIMIT): filters multiply, and what walks a program relies on its bounds."""
    keys, fuzzy = 0, 0
    todo = [(key, 0)]
    while todo:
        node, level = todo.pop()
        keys, fuzzy = keys + 1, fuzzy + isinstance(node, Fuzzy)
        if keys > limits.search_keys or fuzzy > limits.fuzzy_keys or level > limits.nesting:
            raise Refused(Code.LIMIT, texts.FILTERS_TOO_LARGE)
        match node:
            case Not(below):
                todo.append((below, level + 1))
            case Or(left, right):
                todo += [(left, level + 1), (right, level + 1)]
            case And(several):
                todo += [(each, level + 1) for each in several]


def _undefined(name: str) -> Refused:
    return Refused(Code.UNDEFINED_FILTER, texts.UNDEFINED_FILTER, argument=name)


def check_filters(values: Values, limits: Limits) -> None:
    """Raises Refused(CANNOT) where one of the *values* is to be a filter, and is none (RFC 5466 §3.2)."""
    for entry, value in values.items():
        root = next((root for root in _ROOTS if entry.startswith(root)), None)
        if root is None or value is None:
            continue
        name = entry.removeprefix(root)
        if not is_filter_name(name):
            raise Refused(Code.CANNOT, texts.NO_FILTER_NAME)
        try:
            stored_criteria(value, limits)
        except ClientError as mistake:
            raise Refused(Code.CANNOT, ABOUT.of(place=name, problem=mistake.whole)) from mistake
