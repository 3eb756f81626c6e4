"""Reads responses of a server (RFC 9051 §9 response): octets to values, with a bound on everything.

A response is a line. A string in it may be a *literal*, which the line announces with its size; then the line goes on
behind it. Literals are small and stay in memory, except a message: its octets go to a spool as they come.

Values are plain: an atom or a number is a str, a string is bytes, a list is a list, and a message is a Message.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Protocol

from mektup.migration.imap import texts
from mektup.migration.imap.errors import NotUnderstood
from mektup.store.spool import Spool
from mektup.terms.limits import KIB, MIB
from mektup.terms.numbers import MAX_UINT32
from mektup.terms.printable import escaped_octets

LINE_BYTES: Final = 8 * MIB
"""The longest line. VANISHED may put all numbers of a mailbox into one."""

LITERAL_BYTES: Final = 64 * KIB
"""The longest literal that is no message: names of mailboxes, texts."""

RESPONSE_BYTES: Final = 16 * MIB
"""All lines and literals of a response, without messages."""

NESTING: Final = 50
"""The deepest list."""

SHOWN_BYTES: Final = 120
"""How much of a wrong response is shown."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was received; its owner closes the spool."""

    spool: Spool
    announced: int
    """The size of its literal."""


Value = str | bytes | Message | list["Value"]


@dataclass(frozen=True, slots=True)
class Untagged:
    """``* ...``: data."""

    kind: str
    """The word that says what it is, in upper case: LIST, FETCH, EXISTS."""
    number: int | None
    """The number before the word, where there is one."""
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class Status:
    """``OK``, ``NO``, ``BAD``, ``BYE`` or ``PREAUTH`` (RFC 9051 §7.1)."""

    tag: bytes
    """``*`` for an untagged one."""
    word: str
    code: str
    """What is in brackets; empty for nothing."""
    text: str
    """For people; printable."""

    @property
    def code_word(self) -> str:
        """The first word in brackets, in upper case."""
        return self.code.partition(" ")[0].upper()


@dataclass(frozen=True, slots=True)
class Continuation:
    """``+ ...`` (RFC 9051 §7.6)."""

    text: bytes


Response = Untagged | Status | Continuation


class Octets(Protocol):
    """Where responses come from."""

    async def line(self, most: int) -> bytes:
        """The next line without its CRLF. Raises NotUnderstood where it is longer than *most* octets."""

    def pieces(self, count: int) -> AsyncIterator[bytes]:
        """The next *count* octets."""


_LITERAL_AT_END = re.compile(rb"~?\{(\d{1,20})\+?\}\Z")
_MESSAGE_AT_END = re.compile(rb"(?is)\* \d+ FETCH \(.*\bBODY\[\] ~?\{\d+\+?\}\Z")
_STATUS = re.compile(rb"(?is)(OK|NO|BAD|BYE|PREAUTH)(?: |\Z)(?:\[([^\]]*)\] ?)?(.*)\Z")
_NUMBERED = re.compile(rb"(\d{1,10}) ([A-Za-z]+) ?")
_WORD = re.compile(rb"([A-Za-z][A-Za-z0-9.-]*) ?")
_TAG = re.compile(rb"[A-Za-z0-9]+\Z")


async def read_response(source: Octets, new_spool: Callable[[], Spool]) -> Response:
    """The next response. Raises NotUnderstood for what is none, or too much."""
    line = await source.line(LINE_BYTES)
    if line.startswith(b"+"):
        return Continuation(line[2:])
    tag, _, rest = line.partition(b" ")
    if tag != b"*" and not _TAG.match(tag):
        raise not_a_response(line)
    # the text of a status is for people: it may end like a literal, but has none
    if (found := _STATUS.match(rest)) is not None:
        return Status(tag, found[1].decode().upper(), _ascii(found[2] or b""), escaped_octets(found[3]))
    if tag != b"*":
        raise not_a_response(line)
    return await _data(source, line, new_spool)


async def _data(source: Octets, line: bytes, new_spool: Callable[[], Spool]) -> Untagged:
    parts: list[bytes | Message | _Literal] = [line[2:]]
    total = len(line)
    start = line
    with ExitStack() as opened:
        while (literal := _LITERAL_AT_END.search(line)) is not None:
            size = int(literal[1])
            text = parts[-1]
            assert isinstance(text, bytes)
            parts[-1] = text[: len(text) - len(literal[0])]
            if len(parts) == 1 and _MESSAGE_AT_END.match(start):
                spool = new_spool()
                opened.callback(spool.close)
                parts.append(await _message(source, size, spool))
            else:
                total += size
                parts.append(await _literal(source, size))
            line = await source.line(LINE_BYTES)
            total += len(line)
            if total > RESPONSE_BYTES:
                raise NotUnderstood(texts.HUGE_RESPONSE.of(octets=RESPONSE_BYTES))
            parts.append(line)
        response = _untagged(parts, start)
        # from here on, the spool is the caller's
        opened.pop_all()
        return response


@dataclass(frozen=True, slots=True)
class _Literal:
    octets: bytes


async def _literal(source: Octets, size: int) -> _Literal:
    if size > LITERAL_BYTES:
        raise NotUnderstood(texts.HUGE_LITERAL.of(octets=size, most=LITERAL_BYTES))
    return _Literal(b"".join([piece async for piece in source.pieces(size)]))


async def _message(source: Octets, size: int, spool: Spool) -> Message:
    if size > MAX_UINT32:
        raise NotUnderstood(texts.HUGE_LITERAL.of(octets=size, most=MAX_UINT32))
    async for piece in source.pieces(size):
        spool.write(piece)
    return Message(spool, size)


def _untagged(parts: Sequence[bytes | Message | _Literal], line: bytes) -> Untagged:
    head = parts[0]
    assert isinstance(head, bytes)
    if (numbered := _NUMBERED.match(head)) is not None:
        kind, number, start = numbered[2], int(numbered[1]), numbered.end()
    elif (word := _WORD.match(head)) is not None:
        kind, number, start = word[1], None, word.end()
    else:
        raise not_a_response(line)
    return Untagged(kind.decode().upper(), number, _values([head[start:], *parts[1:]], line))


_TOKEN = re.compile(rb' *(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|([^ ()"]+)|\Z)', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def _values(parts: Sequence[bytes | Message | _Literal], line: bytes) -> list[Value]:
    """The values in *parts*. Keeps its own stack, because input decides the depth."""
    stack: list[list[Value]] = [[]]
    for part in parts:
        if isinstance(part, _Literal):
            stack[-1].append(part.octets)
        elif isinstance(part, Message):
            stack[-1].append(part)
        else:
            at = 0
            while at < len(part):
                if (token := _TOKEN.match(part, at)) is None:
                    raise not_a_response(line)
                at = token.end()
                _take(token, stack, line)
    if len(stack) != 1:
        raise not_a_response(line)
    return stack[0]


def _take(token: re.Match[bytes], stack: list[list[Value]], line: bytes) -> None:
    opened, closed, text, atom = token.groups()
    if opened:
        inner: list[Value] = []
        stack[-1].append(inner)
        stack.append(inner)
        if len(stack) > NESTING:
            raise not_a_response(line)
    elif closed:
        if len(stack) == 1:
            raise not_a_response(line)
        stack.pop()
    elif text is not None:
        stack[-1].append(_ESCAPED.sub(rb"\1", text))
    elif atom:
        stack[-1].append(_ascii(atom))


def _ascii(octets: bytes) -> str:
    return octets.decode("ascii", "replace")


def not_a_response(line: bytes) -> NotUnderstood:
    """The error for *line*, of which the beginning is shown."""
    return NotUnderstood(texts.NO_RESPONSE.of(line=escaped_octets(line[:SHOWN_BYTES])))
