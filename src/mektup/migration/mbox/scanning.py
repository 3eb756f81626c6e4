"""Finds the messages of an mbox, however large it is: where each begins and ends, without its octets."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from mektup.migration.mbox.from_lines import LONGEST, MARK, begins_message
from mektup.store import system

SEARCHED_AT_ONCE: Final = 1024 * 1024
HEADER_BYTES: Final = 2 * 1024
"""Read first for a header; longer ones are read in more steps."""
MOST_HEADER_BYTES: Final = 1024 * 1024
LONGEST_END: Final = 8
"""Octets of the end of a header, which may lie across two steps."""

_CANDIDATE: Final = re.compile(rb"\nFrom ")
_END_OF_HEADER: Final = re.compile(rb"\r?\n(?:\r?\n|(?=From ))")
"""An empty line; or what may be the next message, so that the headers of many messages are not read many times."""
_CONTENT_LENGTH: Final = re.compile(rb"(?im)^Content-Length:[ \t]*(\d{1,12})[ \t]*\r?$")


@dataclass(slots=True)
class Spans:
    """Where the messages are: 16 octets for each."""

    starts: array[int] = field(default_factory=lambda: array("Q"))
    """The offset of the line that begins with "From "."""
    stops: array[int] = field(default_factory=lambda: array("Q"))
    """The offset after the message, without the empty line that ends it."""
    before: int = 0
    """Octets before the first message, which belong to none."""

    def add(self, start: int, stop: int) -> None:
        """Adds a message."""
        self.starts.append(start)
        self.stops.append(stop)


class Octets:
    """The octets of an open file, by position, without moving it."""

    def __init__(self, file: int, size: int) -> None:
        self._file = file
        self.size = size

    def at(self, start: int, octets: int) -> bytes:
        """Up to *octets* from *start*; fewer at the end. Raises OSError."""
        return system.read_at(self._file, max(0, min(octets, self.size - start)), start)

    def line(self, start: int, most: int = LONGEST) -> bytes:
        """The line at *start* with its end, or the first *most* octets of it."""
        octets = self.at(start, most)
        end = octets.find(b"\n")
        return octets if end < 0 else octets[: end + 1]

    def header(self, start: int, stop: int) -> bytes:
        """The header at *start*, with the empty line, at most MOST_HEADER_BYTES of it.

        It ends before a line that begins with "From ", too, which is in no header.
        """
        found = b""
        while len(found) < min(stop - start, MOST_HEADER_BYTES):
            # each step doubles what was read, so that a long header costs no more than it has
            more = min(max(HEADER_BYTES, len(found)), stop - start - len(found))
            piece = self.at(start + len(found), more)
            if not piece:
                break
            found += piece
            # a message without header begins with the empty line
            if found.startswith((b"\n", b"\r\n")):
                return found[: found.index(b"\n") + 1]
            if end := _END_OF_HEADER.search(found, max(0, len(found) - len(piece) - LONGEST_END)):
                return found[: end.end()]
        return found


def scan(octets: Octets) -> Spans:
    """All messages of the file. Raises OSError."""
    found = Spans()
    start: int | None = None
    skip_to = 0
    for at in _candidates(octets, 0, octets.size):
        if at < skip_to or not _is_separator(octets, at):
            continue
        if start is None:
            found.before = at
        else:
            found.add(start, _without_empty_line(octets, start, at))
        start = at
        skip_to = _end_by_length(octets, at)
    if start is not None:
        found.add(start, _without_empty_line(octets, start, octets.size))
    else:
        found.before = octets.size
    return found


def has_mark(octets: Octets, start: int, stop: int) -> bool:
    """Whether a line from *start* to *stop* begins with "From ", unquoted. Raises OSError."""
    return next(_candidates(octets, start, stop), None) is not None


def _candidates(octets: Octets, start: int, stop: int) -> Iterator[int]:
    """The offsets of lines that begin with "From "; *start* is the beginning of a line."""
    if octets.at(start, min(len(MARK), stop - start)) == MARK:
        yield start
    while start < stop:
        piece = octets.at(start, min(SEARCHED_AT_ONCE, stop - start))
        if not piece:
            return
        for match in _CANDIDATE.finditer(piece):
            yield start + match.start() + 1
        # a mark may lie across two pieces
        start += len(piece) - len(MARK) if start + len(piece) < stop else len(piece)


def _is_separator(octets: Octets, at: int) -> bool:
    line = octets.line(at)
    if not line.endswith(b"\n") and at + len(line) < octets.size:
        return False  # longer than any
    before = octets.at(max(0, at - 4), min(at, 4))
    after_empty_line = at == 0 or before.endswith((b"\n\n", b"\n\r\n")) or before in (b"\n", b"\r\n")
    return begins_message(line, octets.line(at + len(line)), after_empty_line=after_empty_line)


def content_length(header: bytes) -> int | None:
    """The octets of the body as *header* says; None where it does not, or says it twice."""
    lengths = _CONTENT_LENGTH.findall(header)
    return int(lengths[0]) if len(lengths) == 1 else None


def _end_by_length(octets: Octets, at: int) -> int:
    """Where the next message begins by the Content-Length of the one at *at*; 0 where it has none, or a wrong one."""
    head = at + len(octets.line(at))
    header = octets.header(head, octets.size)
    length = content_length(header)
    if length is None:
        return 0
    end = head + len(header) + length
    if end == octets.size:
        return end
    after = octets.at(end, 2 + len(MARK)) if end < octets.size else b""
    for line_end in (b"", b"\n", b"\r\n"):
        if after.startswith(line_end + MARK) and (line_end or octets.at(end - 1, 1) == b"\n"):
            return end + len(line_end)
        if line_end and end + len(line_end) == octets.size and after == line_end:
            return octets.size
    return 0


def _without_empty_line(octets: Octets, start: int, stop: int) -> int:
    """Where the message ends that is before *stop*: the empty line there belongs to the form."""
    tail = octets.at(max(start, stop - 4), min(4, stop - start))
    if tail.endswith(b"\n\r\n"):
        return stop - 2
    return stop - 1 if tail.endswith(b"\n\n") else stop
