"""The MIME structure of a message, in one pass from its first octet to its last.

The idea: nothing changes between two lines that are open boundaries, so only these lines are examined. One stack holds
the open parts, another the boundaries that may end them. Each boundary is searched for separately, and no stretch
twice. So the other lines cost no step each, even if millions of them begin with ``--``. There is no recursion, and
``Limits`` bounds the depth and the number of parts: all beyond is one opaque part, so every message has a structure.

The rules for broken mail are Dovecot's, which clients know:

* A line ends a part if it *begins* with ``--`` and an open boundary; the longest such boundary counts, then the
  innermost. So an inner boundary may extend an outer one, and an outer boundary closes all parts inside it.
* A boundary line also ends a header that has no empty line.
* A multipart in which no part begins has one empty part, because BODYSTRUCTURE must show one.
* A multipart without a boundary parameter is text/plain, and so is a part without a valid type (RFC 2045 §5.2).
* Content fields of a message count only if it is MIME: it has MIME-Version or Content-Type.
* message/rfc822 is parsed even if it claims to be encoded, which RFC 2046 §5.2.1 forbids. If the claim is false, it is
  read as it is. If it is encoded, as message/global may be (RFC 6532 §3.5), it is decoded, and its parts have
  positions in the decoded octets (``Part.source``).

Lines end in CRLF (see ``store.spool``). A message with other line ends also gets a structure, but a less exact one.
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
"""How many octets of a boundary are compared: the 70 of RFC 2046 §5.1.1, and some more for longer ones in real mail."""

_TIMES_ENCODED = 3
"""How many levels of nested encoded messages are parsed; each is decoded as a whole."""
_MOST_ENCODED = 16 * 1024 * 1024
"""The most octets of an encoded message that is parsed, because it is decoded in memory."""

_SOUGHT_AT_ONCE = 256 * 1024
_COUNTED_AT_ONCE = 1024 * 1024
_MESSAGES = frozenset({b"message/rfc822", b"message/global"})


@dataclass(slots=True, eq=False)
class Part:
    """One MIME entity: the message itself, a part of a multipart, or a message inside of a message/rfc822."""

    header_start: int
    fields: Fields
    """The fields of its header; those about content only if it is MIME."""
    content_type: ContentType
    encoding: bytes | None
    """Content-Transfer-Encoding as written; None if it is missing or no token."""
    content_start: int
    """The position after its header, empty line included."""
    stop: int
    is_text: bool
    is_multipart: bool
    is_message: bool
    """message/rfc822 or message/global: its one child is the message inside."""
    path: Path = ()
    """RFC 9051 §6.4.5.1. A multipart that is a whole message has no number of its own; its path is the message's."""
    is_numbered: bool = True
    """Whether its path is its own."""
    lines: int = 0
    """Lines of its content; only for text and messages."""
    children: list[Part] = field(default_factory=list)
    source: bytes | None = None
    """If the part is within an encoded message: that message's decoded octets, to which all offsets refer."""
    is_encoded: bool = False
    """Whether it is an encoded message, whose child has its own *source*."""
    around: Part | None = None
    """The encoded message whose decoded octets are in *source*."""

    @property
    def octets(self) -> int:
        """Octets of its content, still encoded."""
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
    """The parts of the encoded message in *part*, which becomes their parent.

    *known*: the number of parts so far.
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
    """An open boundary."""

    __slots__ = ("line", "multipart", "name", "sought", "sought_to")

    def __init__(self, name: bytes, multipart: Part) -> None:
        self.name = name
        self.multipart = multipart
        """The multipart that it divides."""
        self.sought = b"\n--" + name
        self.line = -1
        """The next line that begins with it, at or after the start of the last search; -1 if none was found."""
        self.sought_to = 0
        """If *line* is -1: no line up to here begins with it."""


class _Scanner:
    """The pass over a message: its open parts and boundaries, and the limits that are left."""

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
        """The parts that are encoded messages. The pass does not look into them."""
        self._open: list[Part] = []
        """The open parts, from the message to the part that is being read."""
        self._boundaries: list[_Boundary] = []
        """The open boundaries, outermost first."""
        # The next ones at or after the start of the last search, so that no stretch is searched twice.
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
        """Begins a part and, if it is a message, the message inside. Returns the position from which to search on."""
        while True:
            header_stop, is_cut = self._header_stop(position)
            part = self._add(parent, position, header_stop)
            self._open.append(part)
            if len(self._parts) >= self._limits.mime_parts:
                self._close_the_search(part)
            elif part.is_multipart and not is_cut:
                self._expect(part)
            if self._boundaries and not is_cut and self._is_empty(part):
                # RFC 2046 §5.1.1: the line break before a boundary belongs to the boundary, even that of an empty line.
                header_stop = part.content_start = part.stop = max(position, header_stop - 2)
                is_cut = True
            if is_cut and part.is_message:
                self._add_empty(part, header_stop)
            if is_cut or not part.is_message:
                return header_stop
            parent, position = part, header_stop

    def _is_empty(self, part: Part) -> bool:
        """Whether an outer boundary ends the part directly after its header's empty line."""
        line = self._boundary_from(part.content_start)
        if line != part.content_start or line == self._size:
            return False
        return self._boundaries[self._which_at(line)].multipart is not part

    def _add(self, parent: Part | None, header_start: int, content_start: int) -> Part:
        """Adds a part with this header and the type that the header names; its content is not read yet."""
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
        """Adds the part that *parent* must have, but does not."""
        part = Part(position, {}, TEXT_PLAIN, None, position, position, True, False, False)
        self._parts.append(part)
        parent.children.append(part)

    def _expect(self, part: Part) -> None:
        """Opens the boundary of the multipart *part*."""
        boundary = part.content_type.param(b"boundary")
        assert boundary, "or it would be no multipart"
        self._boundaries.append(_Boundary(boundary[:_BOUNDARY_BYTES], part))
        self._boundary_line = -1

    def _close_the_search(self, part: Part) -> None:
        """The limit of parts is reached: *part* is the last one, and contains all the rest."""
        part.content_type, part.is_text, part.is_multipart, part.is_message = OPAQUE, False, False, False
        self._boundaries.clear()

    def _cross(self, line: int, index: int) -> int:
        """The line at *line* is boundary *index*: ends all open parts inside its multipart.

        Returns the position from which to search on.
        """
        crossed = self._boundaries[index]
        # RFC 2046 §5.1.1: the line break before a boundary belongs to the boundary.
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
        """The position after the header at *position*, and whether a boundary ends it."""
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
        """The first line at or after *position* that is an open boundary; the message's size if there is none."""
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
        """Finds the next line with *boundary* from *position* to *last*, where another boundary was found already.

        So a boundary that an outer one closes is searched for only within its own multipart.
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
        """The index of the open boundary at *line*: the longest one, and of equally long ones the innermost."""
        if len(self._boundaries) == 1:
            return 0
        lengths = [len(boundary.name) if boundary.line == line else 0 for boundary in self._boundaries]
        longest = max(lengths)
        return max(index for index, length in enumerate(lengths) if length == longest)


def _find(raw: Octets, sought: bytes, start: int, stop: int) -> int:
    """``raw.find(sought, start, stop)``, in pieces if it is far, because a search holds Python's lock."""
    if stop - start <= _SOUGHT_AT_ONCE:
        return raw.find(sought, start, stop)
    for at in range(start, stop, _SOUGHT_AT_ONCE):
        # A search in a copy in memory is many times faster than in a mapped file.
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
    """Sets the path of *part*, which is the whole message at the path *enclosing*."""
    part.is_numbered = not part.is_multipart
    part.path = (*enclosing, 1) if part.is_numbered else enclosing


def _count_lines(raw: Octets, parts: list[Part]) -> None:
    """Fills in ``lines``. Messages contain messages, so each stretch between two ends is counted once for all parts."""
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
