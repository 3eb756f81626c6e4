"""The MIME structure of a message, in one pass from its first octet to its last.

The idea: between two lines that are open boundaries nothing can change, so only those lines are looked at. A stack
holds the parts that are open, another the boundaries that may end them. Each boundary is searched for by itself, and
no stretch twice, so the lines in between, of which there may be millions that begin with ``--``, cost no step each.
Nothing recurses, and ``Limits`` bounds how deep and how many the parts can be: what lies beyond is one opaque part, so
every message has an answer.

The rules where mail is broken are Dovecot's, as clients are used to them:

* A line ends a part when it *begins* with ``--`` and an open boundary; the longest such boundary counts, then the
  innermost. So an inner boundary may extend an outer one, and an outer one that appears closes all that is inside.
* A boundary line ends a header, too, that has no empty line.
* A multipart in which no part begins has one that is empty, for BODYSTRUCTURE must show one.
* A multipart that names no boundary is text/plain, and so is what has no valid type (RFC 2045 §5.2).
* Content fields count in a message only when it says that it is MIME: by MIME-Version or by Content-Type itself.
* message/rfc822 is looked into even where it claims to be encoded, which RFC 2046 §5.2.1 forbids. What claims so and
  is not is read as it stands. What is encoded, as message/global may be (RFC 6532 §3.5), is decoded, and the parts of
  the message inside lie in octets of their own (``Part.source``).

Lines end in CRLF (see ``store.spool``); a message with other line ends is answered too, only less well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from mektup.message.headers import Fields, index_fields
from mektup.message.params import (
    MESSAGE_RFC822,
    OPAQUE,
    TEXT_PLAIN,
    ContentType,
    parse_content_type,
    parse_token,
)
from mektup.message.part_decoder import decoded_message
from mektup.message.transfer import Octets as Octets
from mektup.message.transfer import is_encoded
from mektup.terms.limits import DEFAULT_LIMITS, Limits

Path = tuple[int, ...]
"""Part numbers, outermost first; empty for the message itself."""

_BOUNDARY_BYTES = 80
"""Of a boundary, so many octets are compared: the 70 of RFC 2046 §5.1.1, and some for those who make longer ones."""

_TIMES_ENCODED = 3
"""How many encoded messages in each other are looked into: each is decoded whole."""
_MOST_ENCODED = 16 * 1024 * 1024
"""Octets of an encoded message that is looked into: it is held in memory, decoded."""

_SOUGHT_AT_ONCE = 256 * 1024
_COUNTED_AT_ONCE = 1024 * 1024
_MESSAGES = frozenset({b"message/rfc822", b"message/global"})


@dataclass(slots=True, eq=False)
class Part:
    """One MIME entity: the message itself, a part of a multipart, or a message inside of a message/rfc822."""

    header_start: int
    fields: Fields
    """Of its header, those about content only where it is MIME."""
    content_type: ContentType
    encoding: bytes | None
    """Content-Transfer-Encoding as it is written; None where there is none, or none that is a token."""
    content_start: int
    """Where its header has ended, empty line included."""
    stop: int
    is_text: bool
    is_multipart: bool
    is_message: bool
    """message/rfc822 or message/global: then its one child is the message inside."""
    path: Path = ()
    """RFC 9051 §6.4.5.1. A multipart that is all of a message has no number of its own: its path is the message's."""
    is_numbered: bool = True
    """Whether its path is its own."""
    lines: int = 0
    """Of its content; for text and messages only."""
    children: list[Part] = field(default_factory=list)
    source: bytes | None = None
    """Where its offsets count: in the decoded octets of an encoded message around it; None: in the message's own."""
    is_encoded: bool = False
    """Whether it is a message that lies there encoded, and its child has a *source* of its own."""
    around: Part | None = None
    """The encoded message whose decoded octets *source* is."""

    @property
    def octets(self) -> int:
        """Of its content, as it is encoded."""
        return self.stop - self.content_start


def scan(raw: Octets, limits: Limits = DEFAULT_LIMITS) -> list[Part]:
    """The parts of a message, each before its children; the first is the message itself."""
    parts = _scan(raw, limits, 0)
    _number(parts[0])
    return parts


def _scan(raw: Octets, limits: Limits, times_encoded: int) -> list[Part]:
    scanner = _Scanner(raw, limits)
    parts = scanner.scan()
    _count_lines(raw, parts)
    for part in scanner.encoded_messages:
        if times_encoded == _TIMES_ENCODED or part.octets > _MOST_ENCODED or len(parts) >= limits.mime_parts:
            part.content_type = OPAQUE
        else:
            parts += _decoded_parts(raw, part, limits, len(parts), times_encoded)
    return parts


def _decoded_parts(raw: Octets, part: Part, limits: Limits, known: int, times_encoded: int) -> list[Part]:
    """The parts of the message that lies encoded in *part*, which becomes their parent.

    *known*: how many parts there are already.
    """
    encoding = (part.encoding or b"").decode("latin-1").lower()
    source = decoded_message(raw, part.content_start, part.stop, encoding)
    inner = _scan(source, replace(limits, mime_parts=limits.mime_parts - known), times_encoded + 1)
    for each in inner:
        if each.source is None:
            each.source, each.around = source, part
    part.is_message = part.is_encoded = True
    part.children = inner[:1]
    part.lines = source.count(b"\n")
    return inner


class _Boundary:
    """A boundary that is open."""

    __slots__ = ("line", "multipart", "name", "sought", "sought_to")

    def __init__(self, name: bytes, multipart: Part) -> None:
        self.name = name
        self.multipart = multipart
        """What it divides."""
        self.sought = b"\n--" + name
        self.line = -1
        """The next that begins with it, at or behind where it was last looked for; where none was found, -1."""
        self.sought_to = 0
        """Where *line* is -1: no line up to here begins with it."""


class _Scanner:
    """The pass: where it is, what is open, what may come."""

    def __init__(self, raw: Octets, limits: Limits) -> None:
        self._raw = raw
        self._size = len(raw)
        self._find: Callable[[bytes, int, int], int] = (
            raw.find if self._size <= _SOUGHT_AT_ONCE else partial(_find, raw)
        )
        self._limits = limits
        self._header_bytes_left = limits.header_bytes
        self._parts: list[Part] = []
        self.encoded_messages: list[Part] = []
        """The parts that are a message, encoded: to the pass they are like any other that is not looked into."""
        self._open: list[Part] = []
        """From the message to the part that is being read."""
        self._boundaries: list[_Boundary] = []
        """The open ones, outermost first."""
        # The next at or behind where it was last looked for: no stretch is searched twice.
        self._empty_line = -1
        self._boundary_line = -1

    def scan(self) -> list[Part]:
        position = self._begin(None, 0)
        while self._boundaries:
            line = self._boundary_from(position)
            if line == self._size:
                break
            position = self._cross(line, self._which_at(line))
        for part in self._open:
            part.stop = self._size
        for part in [part for part in self._parts if part.is_multipart and not part.children]:
            self._add_empty(part, part.stop)
        return self._parts

    def _begin(self, parent: Part | None, position: int) -> int:
        """A part begins, and where it is a message, the message inside it as well. Yields where the search goes on."""
        while True:
            header_stop, is_cut = self._header_stop(position)
            part = self._add(parent, position, header_stop)
            self._open.append(part)
            if len(self._parts) >= self._limits.mime_parts:
                self._close_the_search(part)
            elif part.is_multipart and not is_cut:
                self._expect(part)
            if self._boundaries and not is_cut and self._is_empty(part):
                # RFC 2046 §5.1.1: the line break before a boundary belongs to it, even that of an empty line.
                header_stop = part.content_start = part.stop = max(position, header_stop - 2)
                is_cut = True
            if is_cut and part.is_message:
                self._add_empty(part, header_stop)
            if is_cut or not part.is_message:
                return header_stop
            parent, position = part, header_stop

    def _is_empty(self, part: Part) -> bool:
        """Whether the part, whose header has just ended with an empty line, ends at once by a boundary around it."""
        line = self._boundary_from(part.content_start)
        if line != part.content_start or line == self._size:
            return False
        return self._boundaries[self._which_at(line)].multipart is not part

    def _add(self, parent: Part | None, header_start: int, content_start: int) -> Part:
        """A part with this header, of the type that the header says; its content is still to come."""
        header_stop = min(content_start, header_start + self._header_bytes_left)
        self._header_bytes_left -= header_stop - header_start
        fields = index_fields(
            self._raw[header_start:header_stop], self._limits.header_field_bytes, self._limits.header_fields
        )
        in_multipart = parent is not None and parent.is_multipart
        if not (in_multipart or b"content-type" in fields or b"mime-version" in fields):
            fields = {name: values for name, values in fields.items() if not name.startswith(b"content-")}
        content_type = _content_type(fields, parent)
        essence = content_type.essence
        is_text = essence.startswith(b"text/")
        is_multipart = essence.startswith(b"multipart/")
        encodings = fields.get(b"content-transfer-encoding")
        encoding = parse_token(encodings[0]) if encodings else None
        is_message = essence in _MESSAGES
        lies_encoded = is_message and encoding is not None and is_encoded(self._raw, content_start, encoding)
        if lies_encoded:
            is_message = False
        if (is_multipart or is_message) and len(self._open) + 1 >= self._limits.mime_depth:
            content_type, is_multipart, is_message = OPAQUE, False, False
        kinds = is_text, is_multipart, is_message
        part = Part(header_start, fields, content_type, encoding, content_start, content_start, *kinds)
        self._parts.append(part)
        if lies_encoded:
            self.encoded_messages.append(part)
        if parent is not None:
            parent.children.append(part)
        return part

    def _add_empty(self, parent: Part, position: int) -> None:
        """The part that *parent* must have, and lacks."""
        part = Part(position, {}, TEXT_PLAIN, None, position, position, True, False, False)
        self._parts.append(part)
        parent.children.append(part)

    def _expect(self, part: Part) -> None:
        """From now on, the boundary of the multipart *part* counts."""
        boundary = part.content_type.param(b"boundary")
        assert boundary, "or it would be no multipart"
        self._boundaries.append(_Boundary(boundary[:_BOUNDARY_BYTES], part))
        self._boundary_line = -1

    def _close_the_search(self, part: Part) -> None:
        """There are as many parts as may be: *part* is the last, and holds all the rest."""
        part.content_type, part.is_text, part.is_multipart, part.is_message = OPAQUE, False, False, False
        self._boundaries.clear()

    def _cross(self, line: int, index: int) -> int:
        """The line at *line* is that boundary: what is open inside its multipart ends. Yields where to search on."""
        crossed = self._boundaries[index]
        # RFC 2046 §5.1.1: the line break before a boundary belongs to it.
        stop = line - 2 if self._raw[line - 2 : line] == b"\r\n" else line - 1
        while self._open[-1] is not crossed.multipart:
            part = self._open.pop()
            part.stop = max(part.content_start, stop)
        behind = line + 2 + len(crossed.name)
        is_last = self._raw[behind : behind + 2] == b"--"
        del self._boundaries[index if is_last else index + 1 :]
        self._boundary_line = -1
        line_end = self._raw.find(b"\n", line)
        if line_end < 0:
            return self._size
        return line_end + 1 if is_last else self._begin(crossed.multipart, line_end + 1)

    def _header_stop(self, position: int) -> tuple[int, bool]:
        """Where the header at *position* has ended, and whether a boundary has ended it."""
        if self._raw[position : position + 2] == b"\r\n":
            end = position + 2
        else:
            if self._empty_line < position:
                found = self._find(b"\r\n\r\n", position, self._size)
                self._empty_line = found if found >= 0 else self._size
            end = min(self._empty_line + 4, self._size)
        if self._boundaries and (line := self._boundary_from(position)) < end:
            return max(position, line - 2), True
        return end, False

    def _boundary_from(self, position: int) -> int:
        """The first line at or behind *position* that is an open boundary; the size where there is none."""
        if self._boundary_line < position:
            nearest = self._size
            for boundary in self._boundaries:
                if boundary.line < position:
                    self._seek(boundary, position, nearest)
                if position <= boundary.line < nearest:
                    nearest = boundary.line
            self._boundary_line = nearest
        return self._boundary_line

    def _seek(self, boundary: _Boundary, position: int, last: int) -> None:
        """Finds the next line with *boundary*, from *position* to *last*: behind that, another one is nearer.

        So of those that are closed by another one, each is sought in its own multipart alone.
        """
        start = max(position - 1, boundary.sought_to, 0)
        stop = min(last + 2 + len(boundary.name), self._size)
        found = self._find(boundary.sought, start, stop)
        if found >= 0:
            boundary.line = found + 1
        else:
            boundary.line = self._size if stop == self._size else -1
            boundary.sought_to = last

    def _which_at(self, line: int) -> int:
        """Which of the open boundaries the line at *line* is: the longest, and of those the innermost."""
        if len(self._boundaries) == 1:
            return 0
        lengths = [len(boundary.name) if boundary.line == line else 0 for boundary in self._boundaries]
        longest = max(lengths)
        return max(index for index, length in enumerate(lengths) if length == longest)


def _find(raw: Octets, sought: bytes, start: int, stop: int) -> int:
    """``raw.find(sought, start, stop)``, in pieces where it is far: a search lets no other thread run meanwhile."""
    if stop - start <= _SOUGHT_AT_ONCE:
        return raw.find(sought, start, stop)
    for at in range(start, stop, _SOUGHT_AT_ONCE):
        # of octets in memory, for which the search is many times faster than that of a mapped file
        found = raw[at : min(at + _SOUGHT_AT_ONCE + len(sought) - 1, stop)].find(sought)
        if found >= 0:
            return at + found
    return -1


def _content_type(fields: Fields, parent: Part | None) -> ContentType:
    values = fields.get(b"content-type")
    if values:
        return parse_content_type(values[0])
    if parent is not None and parent.is_multipart and parent.content_type.subtype.lower() == b"digest":
        return MESSAGE_RFC822  # RFC 2046 §5.1.5
    return TEXT_PLAIN


def _number(message: Part) -> None:
    """Gives each part its path (RFC 9051 §6.4.5.1)."""
    _number_whole(message, ())
    waiting = [message]
    while waiting:
        part = waiting.pop()
        for number, child in enumerate(part.children, 1):
            if part.is_multipart:
                child.path = (*part.path, number)
            else:
                _number_whole(child, part.path)
            waiting.append(child)


def _number_whole(part: Part, enclosing: Path) -> None:
    """*part* is all of a message, which has the path *enclosing*."""
    part.is_numbered = not part.is_multipart
    part.path = (*enclosing, 1) if part.is_numbered else enclosing


def _count_lines(raw: Octets, parts: list[Part]) -> None:
    """Fills in ``lines``. Messages lie in messages, so each stretch between two ends is counted once, for all."""
    counted = [part for part in parts if part.is_message or part.is_text]
    if len(counted) == 1:
        counted[0].lines = _newlines(raw, counted[0].content_start, counted[0].stop)
        return
    marks = sorted({mark for part in counted for mark in (part.content_start, part.stop)})
    before: dict[int, int] = {}
    lines = 0
    last = 0
    for mark in marks:
        lines += _newlines(raw, last, mark)
        before[mark] = lines
        last = mark
    for part in counted:
        part.lines = before[part.stop] - before[part.content_start]


def _newlines(raw: Octets, start: int, stop: int) -> int:
    if isinstance(raw, bytes) and stop - start <= _COUNTED_AT_ONCE:
        return raw.count(b"\n", start, stop)
    return sum(raw[at : min(at + _COUNTED_AT_ONCE, stop)].count(b"\n") for at in range(start, stop, _COUNTED_AT_ONCE))
