"""The grammar of SEARCH's program (RFC 9051 §9 search-program): parses it to the tree of ``terms.search``.

NOT, OR, FUZZY and parentheses nest. The parser uses a stack and no recursion, so that no client controls the depth of
Python's recursion. The tree is at most ``limits.nesting`` deep, so code that walks the tree may recurse. Text is
decoded here, because only this module knows the charset.
"""

from __future__ import annotations

import encodings
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from encodings.aliases import aliases
from enum import Enum, auto
from functools import partial
from typing import Final

from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.flags import SYSTEM_FLAG_NAMES
from mektup.terms.limits import Limits
from mektup.terms.numbers import MAX_UINT32
from mektup.terms.search import (
    AddressField,
    All,
    And,
    Arrived,
    ChangedSince,
    Filter,
    Fuzzy,
    HasEmailId,
    HasFlag,
    InAddress,
    InBody,
    InHeader,
    InSeqs,
    InSubject,
    InText,
    InThread,
    InUids,
    InUidSet,
    Larger,
    Not,
    Older,
    Or,
    Recent,
    Saved,
    SearchKey,
    Sent,
    Smaller,
    When,
    WithFilters,
    Younger,
)
from mektup.terms.sets import NumberSet
from mektup.terms.texts import Text
from mektup.wire import texts
from mektup.wire.arguments import day, keyword, numbers, objectid
from mektup.wire.cursor import CommandCursor
from mektup.wire.grammar import ATOM

# charset = atom / quoted
_CHARSET_NAME: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:()+-]{0,39}")
_NO_CHARSETS: Final = frozenset(
    {"aliases", "idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem", "charmap"}
    | {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}
)
"""Python's codecs that are no charsets."""
_CHARSETS: Final = (frozenset(module.name for module in pkgutil.iter_modules(encodings.__path__))) - _NO_CHARSETS
"""Python's codecs that are charsets. Names are checked here first, because Python remembers every name looked up."""

# A word that starts a key. Sequence sets and lists have other starts.
_WORD: Final = re.compile(rb"[A-Za-z]+(?=[ )]|\Z)")
_SET_START: Final = re.compile(rb"(?=[0-9*$])")
# Liberty: a space before ")", left by programs that build a list key by key.
_CLOSE: Final = re.compile(rb" *\)")
# search-modseq-ext = SP entry-name SP entry-type-req, after MODSEQ (RFC 7162 §7)
_ENTRY_TYPE: Final = re.compile(rb"(?:priv|shared|all)(?= )", re.IGNORECASE)


def search_key(cursor: CommandCursor, charset: str | None, *, with_relevancy: bool = False) -> SearchKey:
    """The keys from here to the end of the command, as one key; all of them must match.

    *charset*: its name, or None. *with_relevancy*: the command asks for RELEVANCY. Raises ClientError, and
    Refused(BADCHARSET) for an unknown charset.
    """
    program = _Program(cursor, _codec(charset))
    column = cursor.column
    key = program.read()
    needs_fuzzy = with_relevancy and not program.is_fuzzy
    if program.names_filters:
        return WithFilters(key, needs_fuzzy)
    if needs_fuzzy:
        # RFC 6203 §4, §6: not without a FUZZY key. No single key is at fault: the column is that of the first one.
        raise ClientError(texts.RELEVANCY_NEEDS_FUZZY, column)
    return key


def stored_criteria(octets: bytes, limits: Limits) -> SearchKey:
    """The search keys that are stored as a filter, in UTF-8 (RFC 5466 §3.2). Raises ClientError."""
    if b"\0" in octets or b"\r" in octets or b"\n" in octets:
        raise ClientError(texts.FILTER_ON_ONE_LINE)
    return _Program(CommandCursor((octets,), (), utf8=True, limits=limits), "utf_8").read()


def is_filter_name(name: str) -> bool:
    """filter-name = 1*<any ATOM-CHAR except "/"> (RFC 5466 §4)."""
    return "/" not in name and ATOM.fullmatch(name.encode("ascii")) is not None


def charset_name(cursor: CommandCursor) -> str:
    """The charset after CHARSET, in upper case. Raises ClientError."""
    return cursor.astring(texts.A_CHARSET).decode("ascii", "replace").upper()


def _codec(charset: str | None) -> str:
    """Python's codec name for *charset*.

    Liberty: UTF-8, a superset of ASCII, if no charset is named. K-9 Mail and others search so for words like "käse".
    """
    if charset is None:
        return "utf_8"
    if _CHARSET_NAME.fullmatch(charset.encode("ascii", "replace")):
        name = encodings.normalize_encoding(charset).lower()
        name = aliases.get(name, name)
        if name in _CHARSETS:
            return name
    raise Refused(Code.BADCHARSET, texts.UNKNOWN_CHARSET)


_SEEN: Final = HasFlag("\\Seen")
_CONSTANTS: Final[dict[bytes, SearchKey]] = {
    b"ALL": All(),
    # RFC 3501 §6.4.4: NEW is (RECENT UNSEEN), OLD is NOT RECENT.
    b"NEW": And((Recent(), Not(_SEEN))),
    b"OLD": Not(Recent()),
    b"RECENT": Recent(),
    # RFC 8514 §4.3: matches all messages, because every mailbox has their save dates.
    b"SAVEDATESUPPORTED": All(),
}
_FLAGS: Final[dict[bytes, SearchKey]] = {
    name[1:].upper().encode("ascii"): HasFlag(name) for name in SYSTEM_FLAG_NAMES.values()
}
_WITHOUT_ARGUMENT: Final = _CONSTANTS | _FLAGS | {b"UN" + word: Not(key) for word, key in _FLAGS.items()}
_OF_TEXT: Final[dict[bytes, Callable[[str], InAddress | InSubject | InBody | InText]]] = {
    b"BODY": InBody,
    b"SUBJECT": InSubject,
    b"TEXT": InText,
    **{field.name.encode("ascii"): partial(InAddress, field) for field in AddressField},
}
_OF_DATE: Final[dict[bytes, Callable[[date], SearchKey]]] = {
    **{when.name.encode("ascii"): partial(Arrived, when) for when in When},
    **{b"SAVED" + when.name.encode("ascii"): partial(Saved, when) for when in When},
    **{b"SENT" + when.name.encode("ascii"): partial(Sent, when) for when in When},
}
_OF_OCTETS: Final[dict[bytes, Callable[[int], SearchKey]]] = {b"LARGER": Larger, b"SMALLER": Smaller}
_OF_SECONDS: Final[dict[bytes, Callable[[int], SearchKey]]] = {b"OLDER": Older, b"YOUNGER": Younger}


class _Kind(Enum):
    """The kinds of constructs that contain keys."""

    ALL_OF = auto()
    """The program itself, or a list in parentheses."""
    NOT = auto()
    OR = auto()
    FUZZY = auto()


_KINDS: Final = {b"NOT": _Kind.NOT, b"OR": _Kind.OR, b"FUZZY": _Kind.FUZZY}
"""The words that have keys after them; FUZZY by RFC 6203 §7."""


@dataclass(slots=True)
class _Open:
    """A construct whose keys are not all read yet."""

    kind: _Kind
    keys: list[SearchKey]


class _Program:
    """Reads one search program. Between two steps, either a key must follow, or a key is just complete."""

    __slots__ = ("_codec", "_count", "_cursor", "_fuzzy", "_fuzzy_keys", "_open", "is_fuzzy", "names_filters")

    def __init__(self, cursor: CommandCursor, codec: str) -> None:
        self._cursor = cursor
        self._codec = codec
        self._open = [_Open(_Kind.ALL_OF, [])]
        self._count = 0
        self._fuzzy = 0
        """How many FUZZY are not complete."""
        self._fuzzy_keys = 0
        self.is_fuzzy = False
        """Whether there was a FUZZY."""
        self.names_filters = False
        """Whether FILTER was read."""

    def read(self) -> SearchKey:
        cursor = self._cursor
        while True:
            self._read_key()
            while cursor.take(_CLOSE):
                self._close()
            if not cursor.take_space():
                break
        if self._open[-1].kind is _Kind.OR:
            raise cursor.wrong(texts.SECOND_KEY_OF_OR)
        if len(self._open) > 1:
            raise cursor.wrong(texts.END_OF_KEYS)
        cursor.expect_end()
        return _all_of(self._open[0].keys)

    def _read_key(self) -> None:
        """Reads any NOT, OR, FUZZY and ``(``, then one key without keys in it."""
        cursor = self._cursor
        while True:
            self._bound()
            if cursor.take_octet(b"("):
                self._open.append(_Open(_Kind.ALL_OF, []))
                cursor.skip_spaces()
            elif cursor.take(_SET_START):
                return self._give(InSeqs(numbers(cursor)))
            else:
                start = cursor.at
                word = cursor.expect(_WORD, texts.A_SEARCH_KEY)[0].upper()
                kind = _KINDS.get(word)
                if kind is None:
                    key = self._key(word)
                    if key is None:
                        cursor.at = start
                        raise cursor.wrong(texts.A_SEARCH_KEY)
                    return self._give(key)
                self._open.append(_Open(kind, []))
                if kind is _Kind.FUZZY:
                    self._fuzzy += 1
                    self.is_fuzzy = True
                cursor.expect_space(texts.A_SEARCH_KEY)

    def _bound(self) -> None:
        limits = self._cursor.limits
        self._count += 1
        if self._count > limits.search_keys:
            raise self._cursor.wrong(texts.MOST_SEARCH_KEYS.of(most=limits.search_keys))
        if len(self._open) - 1 > limits.nesting:
            raise self._cursor.wrong(texts.DEEPEST_SEARCH_KEYS.of(most=limits.nesting))

    def _give(self, key: SearchKey) -> None:
        """Adds a complete key to the innermost open construct, which may then be complete too."""
        while True:
            waiting = self._open[-1]
            waiting.keys.append(key)
            if waiting.kind is _Kind.NOT:
                key = Not(key)
            elif waiting.kind is _Kind.FUZZY:
                self._fuzzy -= 1
            elif waiting.kind is _Kind.OR and len(waiting.keys) == 2:
                key = Or(*waiting.keys)
            else:
                return
            self._open.pop()

    def _close(self) -> None:
        if len(self._open) == 1 or self._open[-1].kind is not _Kind.ALL_OF:
            raise ClientError(texts.CLOSES_NOTHING, self._cursor.column - 1)
        self._give(_all_of(self._open.pop().keys))

    def _key(self, word: bytes) -> SearchKey | None:
        """The key of *word* and its arguments; None for an unknown word."""
        key = _WITHOUT_ARGUMENT.get(word)
        if key is not None:
            return key
        if make_of_text := _OF_TEXT.get(word):
            return self._of_text(make_of_text(self._text()))
        cursor = self._cursor
        if make_of_date := _OF_DATE.get(word):
            cursor.expect_space(texts.A_DATE)
            return make_of_date(day(cursor))
        if make_of_octets := _OF_OCTETS.get(word):
            cursor.expect_space(texts.OCTETS)
            return make_of_octets(cursor.number64(texts.OCTETS))
        if make_of_seconds := _OF_SECONDS.get(word):
            return make_of_seconds(self._seconds())
        match word:
            case b"UID":
                cursor.expect_space(texts.UIDS)
                return InUidSet(numbers(cursor))
            case b"KEYWORD" | b"UNKEYWORD":
                cursor.expect_space(texts.A_KEYWORD)
                has = HasFlag(keyword(cursor))
                return has if word == b"KEYWORD" else Not(has)
            case b"HEADER":
                name = self._text(texts.A_HEADER_FIELD)
                return self._of_text(InHeader(name.lower(), self._text()))
            case b"MODSEQ":
                return self._modseq()
            case b"FILTER":
                return self._filter()
            case b"EMAILID" | b"THREADID":
                make_of_objectid = HasEmailId if word == b"EMAILID" else InThread
                cursor.expect_space(texts.AN_OBJECTID)
                return make_of_objectid(objectid(cursor))
            case b"UIDAFTER" | b"UIDBEFORE" if cursor.limits.message_limit:
                return self._beyond_uid(before=word == b"UIDBEFORE")
        return None

    def _of_text(self, key: InAddress | InSubject | InHeader | InBody | InText) -> SearchKey:
        if not self._fuzzy:
            return key
        self._fuzzy_keys += 1
        if self._fuzzy_keys > self._cursor.limits.fuzzy_keys:
            raise self._cursor.wrong(texts.MOST_FUZZY_KEYS.of(most=self._cursor.limits.fuzzy_keys))
        return Fuzzy(key)

    def _text(self, what: Text = texts.SEARCHED_TEXT) -> str:
        cursor = self._cursor
        cursor.expect_space(what)
        column = cursor.column
        octets = cursor.astring(what)
        try:
            return octets.decode(self._codec)
        except UnicodeError as error:
            raise ClientError(
                texts.TEXT_IN_CHARSET.of(charset=self._codec.upper().replace("_", "-")), column
            ) from error

    def _filter(self) -> Filter:
        self._cursor.expect_space(texts.A_FILTER)
        column = self._cursor.column
        name = self._cursor.expect(ATOM, texts.A_FILTER)[0].decode("ascii").lower()
        if not is_filter_name(name):
            raise ClientError(texts.EXPECTED.of(expected=texts.A_FILTER), column)
        self.names_filters = True
        return Filter(name)

    def _seconds(self) -> int:
        # RFC 5032 §3: an nz-number.
        self._cursor.expect_space(texts.SECONDS)
        column = self._cursor.column
        seconds = self._cursor.number(texts.SECONDS)
        if seconds == 0:
            raise ClientError(texts.AT_LEAST_ONE_SECOND, column)
        return seconds

    def _beyond_uid(self, *, before: bool) -> InUids:
        """UIDs above or below one (RFC 9738 §3.2). Known only where MESSAGELIMIT is announced."""
        self._cursor.expect_space(texts.A_UID)
        column = self._cursor.column
        uid = self._cursor.number(texts.A_UID)
        if uid == 0:
            raise ClientError(texts.EXPECTED.of(expected=texts.A_UID), column)
        return InUids(NumberSet.span(1, uid - 1) if before else NumberSet.span(uid + 1, MAX_UINT32))

    def _modseq(self) -> ChangedSince:
        """search-modsequence = "MODSEQ" [search-modseq-ext] SP mod-sequence-valzer (RFC 7162 §7)."""
        cursor = self._cursor
        cursor.expect_space(texts.A_MODSEQ)
        if cursor.comes(b'"'):
            # RFC 7162 §3.1.5: a server with one modseq per message ignores the entry's name and type.
            cursor.string(texts.AN_ENTRY)
            cursor.expect_space(texts.AN_ENTRY_TYPE)
            cursor.expect(_ENTRY_TYPE, texts.AN_ENTRY_TYPE)
            cursor.expect_space(texts.A_MODSEQ)
        return ChangedSince(cursor.number64(texts.A_MODSEQ))


def _all_of(keys: list[SearchKey]) -> SearchKey:
    return keys[0] if len(keys) == 1 else And(tuple(keys))
