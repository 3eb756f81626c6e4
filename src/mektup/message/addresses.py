"""Address lists: From, To and similar fields, valid by RFC 5322 §3.4 or not.

Broken lists still give addresses, by three rules that mail programs share. Text in ``<...>`` is the address, and text
before it is the name. After unreadable text, the list goes on at the next "," or ";" outside of quotes, comments and
``<...>``. Outside of a group, ";" separates addresses like ",". Missing parts get Dovecot's words, which clients know:
``MISSING_DOMAIN`` for the host, ``MISSING_MAILBOX`` for the mailbox, ``SYNTAX_ERROR`` for the host of an unreadable
``<...>``. They cannot be NIL, which would mark a group (RFC 9051 §7.5.2).

Nearly every address has one plain form, which a single pattern matches. A small parser reads the others; it looks at
each octet a bounded number of times.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from mektup.message.comments import skip_comment
from mektup.message.headers import single_spaced


class Address(NamedTuple):
    """One address, or a group's start or end. Octets without quotes; encoded words stay; names have single spaces."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None
    """None for the start of a group, whose name is in *mailbox*, and for its end, where all four are None."""


GROUP_END = Address(None, None, None, None)
MISSING_MAILBOX = b"MISSING_MAILBOX"
MISSING_DOMAIN = b"MISSING_DOMAIN"
SYNTAX_ERROR = b"SYNTAX_ERROR"
_MOST_COMMENTS = 1000

# atext of RFC 5322 §3.2.3, and 8-bit octets (RFC 6532 §3.2).
_ATEXT = rb"A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-"
_PLAIN = re.compile(
    rb"[ \t]*"
    rb'(?:(?:"([^"\\\r\n\x00]*)"|((?:[%b][%b.]*)(?: [%b.]+)*))[ \t]*<|(<?))'
    rb"([%b.]*[%b])@([%b.]*[%b]|\[[0-9A-Fa-f:.]+\])(>?)[ \t]*(,|\Z)" % ((_ATEXT,) * 7)
)
_SPACE = re.compile(rb"[ \t\r\n]*")
_DOT_ATOM = re.compile(rb"[%b.]+" % _ATEXT)
_COMMAS = re.compile(rb"[ \t\r\n,]*")
_SEPARATORS = re.compile(rb"[ \t\r\n,;]*")
_CLOSING = re.compile(rb">")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
# Neither matches beyond the next opening of its kind. So they are linear even if many open and none closes.
_DOMAIN_LITERAL = re.compile(rb"\[(?:[^\[\]\\]|\\.)*\]", re.DOTALL)
_ANGLE = re.compile(rb'<(?![ \t\r\n]*>)(?:[^<>"]|"(?:[^"\\<]|\\.)*")*>', re.DOTALL)
_NO_MARK = re.compile(rb'(?:[^"(<:,;\[\\]+|\\.?)+', re.DOTALL)
_NO_MARK_BUT_COLON = re.compile(rb'(?:[^"(<,;\[\\]+|\\.?)+', re.DOTALL)


def parse_addresses(value: bytes, most: int) -> list[Address]:
    """The addresses and groups of an unfolded field value; about *most* at most."""
    addresses: list[Address] = []
    position = 0
    while len(addresses) < most:
        match = _PLAIN.match(value, position)
        if match is None:
            rest = _Parser(value, position, most - len(addresses)).address_list() if value[position:].strip() else []
            return addresses + rest
        quoted, phrase, opening, mailbox, host, closing, end = match.groups()
        named = opening is None
        if (named or bool(opening)) is not bool(closing):
            return addresses + _Parser(value, position, most - len(addresses)).address_list()
        addresses.append(Address(single_spaced(quoted) if quoted else phrase, None, mailbox, host))
        position = match.end()
        if not end or position == len(value):
            return addresses
    return addresses


class _Broken(Exception):
    """The text at the position does not have the expected form."""


class _Parser:
    """Reads all but the plain form: groups, routes, comments, quoted mailboxes, obsolete and broken syntax.

    A method moves past what it reads, and past the space and comments after it. It raises ``_Broken`` if the text has
    another form.
    """

    def __init__(self, value: bytes, position: int, most: int) -> None:
        self._value = value
        self._position = position
        self._most = most
        self._addresses: list[Address] = []
        self._comment: bytes | None = None
        self._comments = 0
        self._quotes_end = self._comments_end = True
        """False after a quote or comment without an end. From there on, ``"`` and ``(`` are ordinary characters."""

    def address_list(self) -> list[Address]:
        """address-list = (address *("," address)) / obs-addr-list."""
        self._list(self._address, is_group=False)
        return self._addresses

    def _list(self, item: Callable[[], bool], *, is_group: bool) -> None:
        """Items and the separators between them, which may be missing (RFC 5322 §4.4). Ends before a group's ";"."""
        separators, ends = (_COMMAS, b";") if is_group else (_SEPARATORS, b"")
        while len(self._addresses) < self._most:
            self._take(separators)
            self._skip()
            if self._next() in (b"", ends):
                return
            if self._next() in b",;":  # after a comment
                continue
            start, known = self._position, len(self._addresses)
            try:
                is_read = self._next() != b"(" and (item() or self._next() in (b"", b",", b";"))
            except _Broken:
                is_read = False
            if not is_read:
                self._recover(start, known, is_group=is_group)

    def _recover(self, start: int, known: int, *, is_group: bool) -> None:
        """Reads broken text from *start* by the rules above; *known* addresses were read before it."""
        self._position = start
        mark, text = self._to_mark(_NO_MARK_BUT_COLON if is_group else _NO_MARK)
        if mark == b":":
            del self._addresses[known:]
            self._group(_name(text))
        if mark != b"<":
            return
        del self._addresses[known:]
        angle = _ANGLE.match(self._value, self._position)
        assert angle is not None  # otherwise "<" is no mark
        self._angle_addr(_name(text) or None)
        self._position = angle.end()
        mark, _ = self._to_mark(_NO_MARK_BUT_COLON)
        if mark == b"<":  # a comma is missing
            self._position = angle.end()

    def _to_mark(self, no_mark: re.Pattern[bytes]) -> tuple[bytes, bytes]:
        """Moves to the next mark or complete ``<...>`` outside of quotes and comments, or to the end.

        Returns the mark, and the text before it, unquoted and without comments. *no_mark* matches all but marks.
        """
        pieces: list[bytes] = []
        while mark := self._next():
            if match := no_mark.match(self._value, self._position):
                pieces.append(match[0])
                self._position = match.end()
                continue
            if mark in b",;:" or (mark == b"<" and _ANGLE.match(self._value, self._position)):
                return mark, b"".join(pieces)
            pieces.append(self._one_piece(mark))
        return b"", b"".join(pieces)

    def _one_piece(self, mark: bytes) -> bytes:
        """Moves past a quoted string, comment or domain literal; if there is none, past the one octet *mark*."""
        if mark == b'"' and (quoted := self._match_quoted()):
            self._position = quoted.end()
            return _unquoted(quoted[1])
        if mark == b"(" and (end := self._comment_end()) is not None:
            self._position = end
            return b" "
        literal = _DOMAIN_LITERAL.match(self._value, self._position) if mark == b"[" else None
        self._position = literal.end() if literal else self._position + 1
        return literal[0] if literal else mark

    def _next(self) -> bytes:
        """The next octet; empty at the end."""
        return self._value[self._position : self._position + 1]

    def _pass(self) -> None:
        """Moves past the next octet, and the space after it."""
        self._position += 1
        self._skip()

    def _skip(self) -> None:
        """Skips CFWS. Remembers the last comment, which obsolete mail uses as the name: ``a@b (Ann)``."""
        while True:
            space = _SPACE.match(self._value, self._position)
            assert space is not None  # it also matches the empty text
            self._position = space.end()
            if self._next() != b"(":
                return
            end = self._comment_end()
            if end is None:
                return
            self._comment = _unquoted(self._value[self._position + 1 : end - 1]).strip(b" \t\r\n")
            self._position = end

    def _comment_end(self) -> int | None:
        """The position after the comment that opens here; None if it has no end. After too many, skips all the rest."""
        if not self._comments_end:
            return None
        self._comments += 1
        if self._comments > _MOST_COMMENTS:
            self._position = len(self._value)
            return self._position
        end = skip_comment(self._value, self._position)
        self._comments_end = end is not None
        return end

    def _match_quoted(self) -> re.Match[bytes] | None:
        match = _QUOTED.match(self._value, self._position) if self._quotes_end else None
        self._quotes_end = match is not None
        return match

    def _take(self, pattern: re.Pattern[bytes]) -> bytes:
        match = pattern.match(self._value, self._position)
        if match is None:
            raise _Broken
        self._position = match.end()
        return match[0]

    def _quoted_string(self) -> bytes:
        match = self._match_quoted()
        if match is None:
            raise _Broken
        self._position = match.end()
        return _unquoted(match[1])

    def _phrase(self) -> bytes:
        """phrase = 1*word / obs-phrase, which may contain dots. Joins the words with a space."""
        words: list[bytes] = []
        while True:
            words.append(self._quoted_string() if self._next() == b'"' else self._take(_DOT_ATOM))
            self._skip()
            if self._next() != b'"' and not _DOT_ATOM.match(self._next()):
                return b" ".join(words)

    def _dotted(self) -> bytes:
        """dot-atom, with space and comments allowed around the dots (RFC 5322 §4.4)."""
        atoms = [self._take(_DOT_ATOM)]
        self._skip()
        while self._next() == b"." or (atoms[-1].endswith(b".") and _DOT_ATOM.match(self._next())):
            atoms.append(self._take(_DOT_ATOM))
            self._skip()
        return b"".join(atoms)

    def _local_part(self) -> bytes:
        """word *("." word), each word quoted or not (RFC 5322 §4.4, obs-local-part). Returns it without quotes."""
        quoted = self._next() == b'"'
        words = [self._quoted_string() if quoted else self._take(_DOT_ATOM)]
        self._skip()
        while self._next() == b"." or (not quoted and words[-1].endswith(b".") and self._is_word_next()):
            quoted = self._next() == b'"'
            words.append(self._quoted_string() if quoted else self._take(_DOT_ATOM))
            self._skip()
        return b"".join(words)

    def _is_word_next(self) -> bool:
        if self._next() == b'"':
            return self._match_quoted() is not None
        return _DOT_ATOM.match(self._next()) is not None

    def _domain(self) -> bytes:
        """The domain after an ``@``."""
        self._pass()
        if self._next() != b"[":
            return self._dotted()
        literal = self._take(_DOMAIN_LITERAL)
        self._skip()
        return literal

    def _opening(self) -> bytes | None:
        """The phrase at the start of a name-addr or a group; empty before ``<``; None if there is no phrase."""
        if self._next() == b"<":
            return b""
        if self._next() == b".":
            return None
        try:
            return self._phrase()
        except _Broken:
            return None

    def _address(self) -> bool:
        """address = mailbox / group. Returns whether it is a group, which needs no separator after it."""
        start = self._position
        phrase = self._opening()
        if phrase is not None and self._next() == b":":
            self._group(phrase)
            return True
        self._mailbox(start, phrase)
        return False

    def _member(self) -> bool:
        start = self._position
        self._mailbox(start, self._opening())
        return False

    def _group(self, name: bytes) -> None:
        """group = display-name ":" [mailbox-list / CFWS] ";". Reads it from the colon on."""
        self._addresses.append(Address(None, None, single_spaced(name), None))
        self._pass()
        self._list(self._member, is_group=True)
        if self._next() == b";":
            self._pass()
        self._addresses.append(GROUP_END)

    def _mailbox(self, start: int, phrase: bytes | None) -> None:
        """mailbox = name-addr / addr-spec. It begins at *start*; its *phrase* has been read already."""
        if phrase is not None and self._next() == b"<":
            self._angle_addr(phrase or None)
            return
        after_phrase, self._position = self._position, start
        self._comment = None
        mailbox = host = None
        is_quoted = self._next() == b'"'
        try:
            if self._next() != b"@":
                mailbox = self._local_part()
            if self._next() == b"@":
                host = self._domain()
        finally:
            if phrase and host is None and (is_quoted or phrase != mailbox):  # words without an address
                self._position = after_phrase
                self._add(phrase, None, None, None)
            else:
                self._add(self._comment, None, mailbox, host)

    def _angle_addr(self, name: bytes | None) -> None:
        """angle-addr = "<" [route] addr-spec ">"."""
        route = mailbox = host = None
        try:
            self._pass()
            if self._next() == b"@":
                route = self._route()
            if self._next() != b">":
                mailbox = self._local_part()
            if self._next() == b"@":
                host = self._domain()
            self._take(_CLOSING)
        except _Broken:
            host = SYNTAX_ERROR
        self._add(name, route, mailbox, host)
        self._skip()

    def _route(self) -> bytes:
        """obs-route (RFC 5322 §4.4): ``@a,@b:``, without the colon."""
        domains: list[bytes] = []
        while self._next() == b"@":
            domains.append(b"@" + self._domain())
            while self._next() == b",":
                self._pass()
        if self._next() == b":":
            self._pass()
        return b",".join(domains)

    def _add(self, name: bytes | None, route: bytes | None, mailbox: bytes | None, host: bytes | None) -> None:
        name = single_spaced(name) if name else None
        self._addresses.append(Address(name, route, mailbox or MISSING_MAILBOX, host or MISSING_DOMAIN))


def _name(text: bytes) -> bytes:
    """A name that is no valid phrase, without unpaired quotes at its ends."""
    return text.strip(b' \t\r\n"')


def _unquoted(octets: bytes) -> bytes:
    return _QUOTED_PAIR.sub(rb"\1", octets) if b"\\" in octets else octets
