"""The values of a message that FETCH, SEARCH, SORT and THREAD use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from mektup.message.comparing import COMPARISONS
from mektup.message.text import fold, fold_header, header_values, search_text
from mektup.store.arrival import Arrival, field_chooser, internaldate, one_form
from mektup.store.columns import AnyColumn, Column, Form, HeaderColumn, HeaderFields
from mektup.store.rules import compared_texts, fuzzy
from mektup.store.rules.emailids import digest_named, emailid
from mektup.store.rules.keyword_sets import AnyKeywordSets
from mektup.store.rules.relevancy import relevancies
from mektup.store.rules.search_cost import seconds_of
from mektup.store.rules.threads import thread_named, threadid
from mektup.store.sorting.columns import Column as SortColumn
from mektup.store.sorting.columns import MessageIds
from mektup.store.sorting.sort_keys import KEY_LETTERS, TEXT_FIELDS, ComparedKey, Key, ThreadKey, require_few
from mektup.terms import search as terms
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import Uid
from mektup.terms.search import AddressField, SearchKey
from mektup.terms.search_walk import set_algebra, walk
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sorting import SortKey
from mektup.wire.strings import string
from tests.support.naive.state import Folder, Message, State

RAW_BYTES = 10_000


def _small(octets: Any) -> Any:
    return octets if len(octets) <= RAW_BYTES else None


_COLUMNS: Mapping[AnyColumn, Callable[[Message, Arrival], Any]] = {
    Column.UID: lambda message, arrival: message.uid,
    Column.FLAGS: lambda message, arrival: message.word,
    Column.MODSEQ: lambda message, arrival: message.modseq,
    Column.INTERNALDATE: lambda message, arrival: internaldate(message.arrived, message.zone),
    Column.SAVEDATE: lambda message, arrival: internaldate(message.saved, 0),
    Column.SIZE: lambda message, arrival: message.size,
    Column.ENVELOPE: lambda message, arrival: arrival.envelope,
    Column.BODY: lambda message, arrival: one_form(arrival.body, rev1=False),
    Column.BODY_REV1: lambda message, arrival: one_form(arrival.body, rev1=True),
    Column.BODYSTRUCTURE: lambda message, arrival: one_form(arrival.bodystructure, rev1=False),
    Column.BODYSTRUCTURE_REV1: lambda message, arrival: one_form(arrival.bodystructure, rev1=True),
    Column.CONTENT: lambda message, arrival: message.content,
    Column.LAYOUT: lambda message, arrival: arrival.layout,
    Column.HEADER: lambda message, arrival: arrival.raw[: arrival.header_size],
    Column.RAW: lambda message, arrival: _small(arrival.raw),
    Column.PREVIEW: lambda message, arrival: string(arrival.preview.encode()),
    Column.EMAILID: lambda message, arrival: emailid(arrival.digest),
    HeaderColumn.SMALL: lambda message, arrival: _small(arrival.raw[: arrival.header_size]),
    HeaderColumn.SIZE: lambda message, arrival: arrival.header_size,
}


def value(column: AnyColumn, message: Message, arrival: Arrival) -> Any:
    """The value of a column, see ``store.columns.Column``."""
    if isinstance(column, HeaderFields):
        return field_chooser(column.names)(arrival.raw[: arrival.header_size])
    if column is Column.THREADID:
        return threadid(message.thread)
    return _COLUMNS[column](message, arrival)


def line(form: Form, number: int, message: Message, arrival: Arrival) -> bytes | None:
    """The line of *form*; None if *form* has no words for the flags, or the message is large."""
    known = {None: number, Column.FLAGS: dict(form.words).get(message.word)}
    made = [
        piece if isinstance(piece, bytes) else known[piece] if piece in known else value(piece, message, arrival)
        for piece in form.pieces
    ]
    return None if None in made else b"".join(each if isinstance(each, bytes) else str(each).encode() for each in made)


def search(state: State, folder: Folder, key: SearchKey, within: Uids, keyword_sets: AnyKeywordSets) -> Uids:
    """The messages of *within* that match *key*."""
    every = folder.uids & within

    def leaf(part: SearchKey) -> Uids:
        there = [(message, state.contents[message.content]) for message in folder.some(every)]
        return NumberSet.of_sorted([each[0].uid for each in there if _matches(part, *each, keyword_sets)])

    return walk(key, set_algebra(leaf, every))


_search_text = lru_cache(64)(search_text)


def _matches(key: SearchKey, message: Message, arrival: Arrival, keyword_sets: AnyKeywordSets) -> bool:
    raw = bytes(arrival.raw[: arrival.size])
    match key:
        case terms.All():
            return True
        case terms.HasFlag(flag):
            return keyword_sets.has(message.word, flag)
        case terms.InUids(uids):
            return message.uid in uids
        case terms.Arrived(when, day):
            return message.arrived + message.zone * 60 in seconds_of(when, day)
        case terms.Saved(when, day):
            return message.saved in seconds_of(when, day)
        case terms.Sent(when, day):
            return arrival.sent is not None and arrival.sent + arrival.sent_zone * 60 in seconds_of(when, day)
        case terms.Older(seconds):
            return message.arrived <= int(time.time()) - seconds
        case terms.Younger(seconds):
            return message.arrived >= int(time.time()) - seconds
        case terms.Larger(octets):
            return message.size > octets
        case terms.Smaller(octets):
            return message.size < octets
        case terms.ChangedSince(modseq):
            return message.modseq >= modseq
        case terms.HasEmailId(objectid):
            return digest_named(objectid) == arrival.digest
        case terms.InThread(objectid):
            return thread_named(objectid) == message.thread
        case terms.InAddress(field, text):
            values = dict(zip(AddressField, (arrival.from_, arrival.to, arrival.cc, arrival.bcc), strict=True))
            return fold_header(text) in values[field]
        case terms.InSubject(text):
            return fold_header(text) in arrival.subject
        case terms.InHeader(name, text):
            return any(fold_header(text) in each for each in header_values(raw[: arrival.header_size], name))
        case terms.InBody(text):
            return fold(text) in _search_text(raw)[1]
        case terms.InText(text):
            return fold_header(text) in _search_text(raw)[0] or fold(text) in _search_text(raw)[1]
        case terms.Fuzzy():
            return fuzzy_relevancy(key, arrival) > 0
        case terms.Compared():
            return _compared(key, raw, arrival)
    raise TypeError(f"{type(key).__name__} is for the session to resolve")


def _compared(key: terms.Compared, raw: bytes, arrival: Arrival) -> bool:
    header, text, comparator = raw[: arrival.header_size], key.key.text, key.comparator
    match key.key:
        case terms.InAddress(field):
            return not text or compared_texts.field_has(header, field.value, text, comparator, DEFAULT_LIMITS)
        case terms.InSubject():
            return not text or compared_texts.field_has(header, "subject", text, comparator, DEFAULT_LIMITS)
        case terms.InHeader(name):
            return compared_texts.field_has(header, name, text, comparator, DEFAULT_LIMITS)
    texts = search_text(raw, DEFAULT_LIMITS, COMPARISONS[comparator].fold)
    return compared_texts.texts_have(texts, text, comparator, in_headers=isinstance(key.key, terms.InText))


def fuzzy_relevancy(key: terms.Fuzzy, arrival: Arrival) -> int:
    """The relevancy of a message for *key*; 0 where it does not match."""
    raw = bytes(arrival.raw[: arrival.size])
    asked = fuzzy.sought(key.key.text)

    def of(*texts: tuple[str, float]) -> int:
        return fuzzy.relevancy(asked, [(fuzzy.plain(text), factor) for text, factor in texts])

    match key.key:
        case terms.InAddress(field):
            values = dict(zip(AddressField, (arrival.from_, arrival.to, arrival.cc, arrival.bcc), strict=True))
            return of((values[field], 1))
        case terms.InSubject():
            return of((arrival.subject, 1))
        case terms.InHeader(name):
            found = header_values(raw[: arrival.header_size], name)
            return max((of((value, 1)) for value in found), default=0)
        case terms.InBody():
            return of((_search_text(raw)[1], 1))
        case terms.InText():
            headers, body = _search_text(raw)
            return of((headers, 1), (body, fuzzy.OF_BODY))


def relevancy(state: State, folder: Folder, key: SearchKey, uids: Uids) -> list[int]:
    """See ``interface.Account.relevancy``."""

    def of_key(part: terms.Fuzzy) -> dict[Uid, int]:
        return {each.uid: fuzzy_relevancy(part, state.contents[each.content]) for each in folder.some(uids)}

    return relevancies(key, uids, of_key)


_SORT_KEYS: Mapping[Key, Callable[[Message, Arrival], Any]] = {
    SortKey.ARRIVAL: lambda message, arrival: message.arrived,
    # RFC 5256 §2.2: if the sent date cannot be determined, the internal date is used
    SortKey.DATE: lambda message, arrival: message.arrived if arrival.sent is None else arrival.sent,
    SortKey.SIZE: lambda message, arrival: message.size,
    ThreadKey.IS_REPLY: lambda message, arrival: arrival.is_reply,
    ThreadKey.MESSAGE_IDS: lambda message, arrival: " ".join((arrival.message_id, *(arrival.references or ("",)))),
}


def sort_key(key: Key, message: Message, arrival: Arrival) -> Any:
    """A value for ``sorting``."""
    if isinstance(key, ComparedKey):
        header = bytes(arrival.raw[: arrival.header_size])
        return compared_texts.sort_text(header, key.key, key.comparator, DEFAULT_LIMITS)
    field = TEXT_FIELDS.get(key)
    return _SORT_KEYS[key](message, arrival) if field is None else getattr(arrival, field)[:KEY_LETTERS]


class KeysOfFolder:
    """A ``sorting.sort_keys.Source``."""

    def __init__(self, state: State, folder: Folder) -> None:
        self._contents, self._folder = state.contents, folder
        self.expunged_since = folder.expunged_since

    def state(self) -> tuple[int, int, int]:
        return self._folder.highestmodseq, self._folder.uidnext, len(self._folder.messages)

    def read(self, uids: Uids, columns: Mapping[Key, SortColumn], most: int) -> Uids:
        there = self._folder.some(uids)
        for key, column in columns.items():
            column.feed([sort_key(key, message, self._contents[message.content]) for message in there])
            column.settle()
            if isinstance(column, MessageIds):
                require_few(column, most)
        return NumberSet.of_sorted([message.uid for message in there])
