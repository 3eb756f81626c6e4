"""Address lists: From, To and their like, as RFC 5322 §3.4 writes them and as people do.

What is broken still yields addresses, by three rules that mail programs share: what stands in ``<...>`` is the address,
and what is before it the name; behind what cannot be read, the list goes on at the next "," or ";" outside of quotes,
comments and ``<...>``; and ";" outside of a group parts addresses as "," does. What an address lacks is filled in with
Dovecot's words, which clients know: an address without a host has ``MISSING_DOMAIN``, one without a mailbox
``MISSING_MAILBOX``, one whose ``<...>`` cannot be read ``SYNTAX_ERROR``. None of these may be NIL, which would mark a
group (RFC 9051 §7.5.2).

Nearly every address is of one plain form, which one pattern takes whole; the others go through a small parser that
looks at each octet a bounded number of times.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from mektup.message.comments import skip_comment
from mektup.message.headers import even


class Address(NamedTuple):
    """One address, or a mark of a group; octets, unquoted, encoded words as they are, white space in names even."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None
    """None for the start of a group, whose name then is *mailbox*, and for its end, where all four are None."""


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
# Neither of these goes beyond where the next of its kind opens: so they are linear where many open and none closes.
_DOMAIN_LITERAL = re.compile(rb"\[(?:[^\[\]\\]|\\.)*\]", re.DOTALL)
_ANGLE = re.compile(rb'<(?![ \t\r\n]*>)(?:[^<>"]|"(?:[^"\\<]|\\.)*")*>', re.DOTALL)
_NO_MARK = re.compile(rb'(?:[^"(<:,;\[\\]+|\\.?)+', re.DOTALL)
_NO_MARK_BUT_COLON = re.compile(rb'(?:[^"(<,;\[\\]+|\\.?)+', re.DOTALL)


def parse_addresses(value: bytes, most: int) -> list[Address]:
    """The addresses and groups of an unfolded field value, at most about *most* of them."""
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
        addresses.append(Address(even(quoted) if quoted else phrase, None, mailbox, host))
        position = match.end()
        if not end or position == len(value):
            return addresses
    return addresses


class _Broken(Exception):
    """What is here cannot be what was looked for."""


class _Parser:
    """Reads what the plain form is not: groups, routes, comments, quoted mailboxes, obsolete and broken syntax.

    Methods move on past what they read and the space and comments behind it; ``_Broken`` says that it is not there.
    """

    def __init__(self, value: bytes, position: int, most: int) -> None:
        self._value = value
        self._position = position
        self._most = most
        self._addresses: list[Address] = []
        self._comment: bytes | None = None
        self._comments = 0
        self._quotes_end = self._comments_end = True
        """Not after one that does not: from there on, ``"`` and ``(`` are characters as any other."""

    def address_list(self) -> list[Address]:
        """address-list = (address *("," address)) / obs-addr-list."""
        self._list(self._address, is_group=False)
        return self._addresses

    def _list(self, item: Callable[[], bool], *, is_group: bool) -> None:
        """Items with separators between; RFC 5322 §4.4: there may be none between two. Ends before a group's ";"."""
        separators, ends = (_COMMAS, b";") if is_group else (_SEPARATORS, b"")
        while len(self._addresses) < self._most:
            self._take(separators)
            self._skip()
            if self._next() in (b"", ends):
                return
            if self._next() in b",;":  # behind a comment
                continue
            start, known = self._position, len(self._addresses)
            try:
                is_read = self._next() != b"(" and (item() or self._next() in (b"", b",", b";"))
            except _Broken:
                is_read = False
            if not is_read:
                self._recover(start, known, is_group=is_group)

    def _recover(self, start: int, known: int, *, is_group: bool) -> None:
        """Reads what begins at *start* by the rules for what is broken; *known* addresses were there before."""
        self._position = start
        mark, text = self._to_mark(_NO_MARK_BUT_COLON if is_group else _NO_MARK)
        if mark == b":":
            del self._addresses[known:]
            self._group(_name(text))
        if mark != b"<":
            return
        del self._addresses[known:]
        angle = _ANGLE.match(self._value, self._position)
        assert angle is not None  # or it would be no mark
        self._angle_addr(_name(text) or None)
        self._position = angle.end()
        mark, _ = self._to_mark(_NO_MARK_BUT_COLON)
        if mark == b"<":  # a comma was forgotten
            self._position = angle.end()

    def _to_mark(self, no_mark: re.Pattern[bytes]) -> tuple[bytes, bytes]:
        """Moves on to the next mark or whole ``<...>`` outside of quotes and comments, or to the end.

        Yields what is there, and the text before it, unquoted and without comments. *no_mark*: what is no mark.
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
        """Over a quoted string, a comment or a domain literal; where none is there, over the one octet *mark*."""
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
        """The octet to come; empty at the end."""
        return self._value[self._position : self._position + 1]

    def _pass(self) -> None:
        """Over that octet, and the space behind it."""
        self._position += 1
        self._skip()

    def _skip(self) -> None:
        """CFWS. Remembers the last comment, which obsolete mail uses for a name: ``a@b (Ann)``."""
        while True:
            space = _SPACE.match(self._value, self._position)
            assert space is not None  # it matches nothing at all, too
            self._position = space.end()
            if self._next() != b"(":
                return
            end = self._comment_end()
            if end is None:
                return
            self._comment = _unquoted(self._value[self._position + 1 : end - 1]).strip(b" \t\r\n")
            self._position = end

    def _comment_end(self) -> int | None:
        """Where the comment that opens here has ended; None where it does not. After too many, nothing is read."""
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
        """phrase = 1*word / obs-phrase, which has dots too; a space between words."""
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
        """word *("." word), each of them quoted or not (RFC 5322 §4.4, obs-local-part); without the quotes."""
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
        """Behind an ``@``."""
        self._pass()
        if self._next() != b"[":
            return self._dotted()
        literal = self._take(_DOMAIN_LITERAL)
        self._skip()
        return literal

    def _opening(self) -> bytes | None:
        """The phrase that a name-addr or a group begins with; empty before a ``<``, None for what is no phrase."""
        if self._next() == b"<":
            return b""
        if self._next() == b".":
            return None
        try:
            return self._phrase()
        except _Broken:
            return None

    def _address(self) -> bool:
        """address = mailbox / group. Yields whether it is a group, behind which no separator is needed."""
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
        """group = display-name ":" [mailbox-list / CFWS] ";", from its colon."""
        self._addresses.append(Address(None, None, even(name), None))
        self._pass()
        self._list(self._member, is_group=True)
        if self._next() == b";":
            self._pass()
        self._addresses.append(GROUP_END)

    def _mailbox(self, start: int, phrase: bytes | None) -> None:
        """mailbox = name-addr / addr-spec, which begins at *start* and has been read up to behind its *phrase*."""
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
            if phrase and host is None and (is_quoted or phrase != mailbox):  # words, but no address
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
        name = even(name) if name else None
        self._addresses.append(Address(name, route, mailbox or MISSING_MAILBOX, host or MISSING_DOMAIN))


def _name(text: bytes) -> bytes:
    """A name that is no phrase, with the quotes that do not pair off it."""
    return text.strip(b' \t\r\n"')


def _unquoted(octets: bytes) -> bytes:
    return _QUOTED_PAIR.sub(rb"\1", octets) if b"\\" in octets else octets
