"""A position in a command, with methods to parse it: ``take`` reads optional elements, ``expect`` required ones.

So a parsing function reads like its ABNF, and every error has a column. Columns count octets from 1, through the
fragments and literals of a command in the order sent; the ``{n}`` between them do not count.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from mektup.terms.errors import ClientError
from mektup.terms.limits import Limits
from mektup.terms.numbers import MAX_MODSEQ, MAX_UINT32
from mektup.terms.texts import Text
from mektup.wire import texts
from mektup.wire.grammar import ASTRING_ATOM, ATOM, ESCAPED, LIST_ATOM, NIL, NUMBER, QUOTED, QUOTED_START, SPACE
from mektup.wire.requests import StoredLiteral

T = TypeVar("T")


class CommandCursor:
    """Reads one command from left to right, never backwards."""

    __slots__ = ("_before", "_index", "at", "fragments", "limits", "literals", "text", "utf8")

    def __init__(
        self, fragments: tuple[bytes, ...], literals: tuple[bytes | StoredLiteral, ...], *, utf8: bool, limits: Limits
    ) -> None:
        """At the start of the command that :class:`~mektup.wire.receiver.RawCommand` describes."""
        self.fragments = fragments
        self.literals = literals
        self.utf8 = utf8
        """Whether mailbox names are UTF-8."""
        self.limits = limits
        self.text = fragments[0]
        """The present fragment; no pattern reads past its end."""
        self.at = 0
        """Position in *text*."""
        self._index = 0
        self._before = 0

    # Position and errors

    @property
    def column(self) -> int:
        """The column of the next octet."""
        return self._before + self.at + 1

    @property
    def at_literal(self) -> bool:
        """Whether a literal comes next."""
        return self.at == len(self.text) and self._index < len(self.literals)

    @property
    def at_end(self) -> bool:
        """Whether the command ends here."""
        return self.at == len(self.text) and self._index >= len(self.literals)

    def wrong(self, expected: Text | str) -> ClientError:
        """The error that *expected* was expected here: a text, or a str for a word of the protocol."""
        return ClientError(texts.EXPECTED.of(expected=expected), self.column)

    # Terminals

    def take(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """The match of *pattern* here, and moves past it; None if it does not match."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def expect(self, pattern: re.Pattern[bytes], what: Text | str) -> re.Match[bytes]:
        """Like :meth:`take`, but raises ClientError, which names *what* was expected, if it does not match."""
        found = pattern.match(self.text, self.at)
        if found is None:
            raise self.wrong(what)
        self.at = found.end()
        return found

    def comes(self, octet: bytes) -> bool:
        """Whether *octet* comes next; does not move."""
        return self.text[self.at : self.at + 1] == octet

    def take_octet(self, octet: bytes) -> bool:
        """Whether *octet* comes next; if so, moves past it."""
        if self.text[self.at : self.at + 1] != octet:
            return False
        self.at += 1
        return True

    def expect_octet(self, octet: bytes, what: Text | str) -> None:
        """Moves past *octet*. Raises ClientError if it does not come next."""
        if not self.take_octet(octet):
            raise self.wrong(what)

    def skip_spaces(self) -> None:
        """Moves past any spaces."""
        if self.text[self.at : self.at + 1] == b" ":
            self.take(SPACE)

    def expect_space(self, what: Text | str) -> None:
        """Moves past the space before *what*. Raises ClientError if there is none."""
        if self.text[self.at : self.at + 1] != b" ":
            raise self.wrong(texts.SPACE_AND.of(what=what))
        self.at += 1
        self.skip_spaces()

    def take_space(self) -> bool:
        """Whether a space and more text come next; moves past the space. False for a space at the command's end."""
        if self.text[self.at : self.at + 1] != b" ":
            return False
        self.skip_spaces()
        return not self.at_end

    def expect_end(self) -> None:
        """Raises ClientError if anything is left.

        Liberty: trailing spaces are accepted. People type them, and clients leave them when they omit an argument.
        """
        if self.at == len(self.text) and self._index == len(self.literals):
            return
        self.skip_spaces()
        if not self.at_end:
            raise self.wrong(texts.END)

    def take_atom(self) -> bytes | None:
        """An atom in upper case, for the grammar's own words; None if there is none."""
        found = self.take(ATOM)
        return None if found is None else found[0].upper()

    def expect_atom(self, what: Text | str) -> bytes:
        """Like :meth:`take_atom`, but raises ClientError if there is none."""
        return self.expect(ATOM, what)[0].upper()

    # Strings

    def astring(self, what: Text | str) -> bytes:
        """An astring's octets (RFC 9051 §9). Raises ClientError."""
        found = self.take(ASTRING_ATOM)
        return self.string(what) if found is None else found[0]

    def list_mailbox(self, what: Text | str) -> bytes:
        """A list-mailbox's octets: an astring in which ``%`` and ``*`` need no quotes. Raises ClientError."""
        found = self.take(LIST_ATOM)
        return self.string(what) if found is None else found[0]

    def nstring(self, what: Text | str) -> bytes | None:
        """A string's octets, or None for NIL. Raises ClientError."""
        return None if self.take(NIL) else self.string(what)

    def string(self, what: Text | str) -> bytes:
        """A quoted string's octets, or a literal's. Raises ClientError."""
        found = QUOTED.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
            octets = found[1]
            return ESCAPED.sub(rb"\1", octets) if b"\\" in octets else octets
        if self.at_literal:
            return self._take_literal_octets()
        if self.comes(b'"'):
            raise self._wrong_quoted()
        raise self.wrong(what)

    def nstring8(self, what: Text | str) -> bytes | None:
        """A string's octets, or None for NIL; a literal may contain NUL (RFC 9051 §9 literal8). Raises ClientError."""
        if self.at_literal:
            literal = self.literals[self._index]
            if isinstance(literal, bytes):
                self._pass_literal(len(literal))
                return literal
        return self.nstring(what)

    def stored_literal(self, what: Text | str) -> StoredLiteral:
        """A literal that went into one of the session's sinks. Raises ClientError."""
        if self.at_literal:
            literal = self.literals[self._index]
            if not isinstance(literal, bytes):
                self._pass_literal(0)
                return literal
        raise self.wrong(what)

    def _take_literal_octets(self) -> bytes:
        literal = self.literals[self._index]
        if not isinstance(literal, bytes):
            raise self.wrong(texts.NO_MESSAGE)
        # RFC 9051 §9 rule 3: a literal contains no NUL, unless it is a message.
        if 0 in literal:
            raise ClientError(texts.NUL_IN_STRING, self.column + literal.index(0))
        self._pass_literal(len(literal))
        return literal

    def _pass_literal(self, size: int) -> None:
        self._before += len(self.text) + size
        self._index += 1
        self.text = self.fragments[self._index]
        self.at = 0

    def skip_to_last_fragment(self) -> None:
        """Moves to the start of the last fragment; all literals that are passed must be stored ones."""
        passed = self.fragments[self._index : -1]
        self._before += sum(map(len, passed))
        self._index = len(self.fragments) - 1
        self.text, self.at = self.fragments[-1], 0

    def _wrong_quoted(self) -> ClientError:
        start = QUOTED_START.match(self.text, self.at)
        self.at = len(self.text) if start is None else start.end()
        if self.comes(b"\\"):
            return self.wrong(texts.ESCAPED)
        return self.wrong(texts.END_OF_QUOTED)

    # Numbers

    def number(self, what: Text | str) -> int:
        """A number of 32 bits. Raises ClientError."""
        return self._number(what, MAX_UINT32)

    def number64(self, what: Text | str) -> int:
        """A number of 63 bits. Raises ClientError."""
        return self._number(what, MAX_MODSEQ)

    def _number(self, what: Text | str, largest: int) -> int:
        found = NUMBER.match(self.text, self.at)
        if found is None or int(found[0]) > largest:
            raise self.wrong(texts.NUMBER_UP_TO.of(what=what, most=largest))
        self.at = found.end()
        return int(found[0])

    # Lists

    def parenthesized(self, item: Callable[[CommandCursor], T], what: Text | str, most: int | None = None) -> list[T]:
        """Items in parentheses with a space between two items; may be empty. Raises ClientError, also above *most*.

        Liberty: spaces after "(" and before ")". People type them, and some clients leave one at the end.
        """
        if not self.take_octet(b"("):
            raise self.wrong(texts.OPENING_AND.of(what=what))
        self.skip_spaces()
        items: list[T] = []
        while not self.take_octet(b")"):
            if len(items) == most:
                raise self.wrong(texts.MOST_ITEMS.of(most=most, what=what))
            items.append(item(self))
            if not self.comes(b")"):
                if not self.comes(b" "):
                    raise self.wrong(texts.SPACE_OR_CLOSING)
                self.skip_spaces()
        return items
