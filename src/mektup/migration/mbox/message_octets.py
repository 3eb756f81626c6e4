"""The octets of a message in an mbox, without what the form added: quoted "From " lines, fields of programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from mektup.migration.mbox.scanning import Octets, content_length, has_mark
from mektup.migration.mbox.status_fields import Status, without_fields

PIECE_BYTES: Final = 256 * 1024

LONGEST_LINE: Final = 1024 * 1024
"""A longer line is written in pieces."""

_QUOTED: Final = re.compile(rb"(?m)^>(>*From )")
_UUCP: Final = re.compile(rb"(?:>From [^\n]*\n)+")


def write_message(
    octets: Octets, head: int, header: bytes, stop: int, status: Status, write: Callable[[bytes], object]
) -> None:
    """Writes the message from *head*, which begins with *header*, to *stop*. Raises OSError.

    One ">" is taken from each line that begins with ">From ", as mboxrd has it; mboxo quotes only "From ", so there it
    is right for all but a line that was quoted before. A body that has an unquoted "From " line within its
    Content-Length is mboxcl2, which quotes nothing.
    """
    uucp = _UUCP.match(header)
    begin = header if uucp is None else header[uucp.end() :]
    if begin is not header:
        shift = len(header) - len(begin)
        status.spans = [(start - shift, end - shift) for start, end in status.spans]
    body = head + len(header)
    length = content_length(header)
    has_length = length is not None and body + length in (stop, stop + 1, stop + 2)
    is_quoted = not (has_length and has_mark(octets, body, stop))
    size = 0
    kept = without_fields(begin, status)
    if status.own is not None:
        kept = _QUOTED.sub(rb"\1", kept)  # our export quotes lines of the header, too
    for piece in _lines(octets, body, stop):
        write(kept)
        size += crlf_size(kept)
        kept = _QUOTED.sub(rb"\1", piece) if is_quoted else piece
    if status.own is not None and kept.endswith(b"\n") and size + crlf_size(kept[:-1]) == status.own.size:
        # the message had no end of line at its end, and an mbox cannot have that
        kept = kept[:-1]
    write(kept)


def crlf_size(octets: bytes) -> int:
    """The size of *octets* once each bare LF is a CRLF."""
    return len(octets) + octets.count(b"\n") - octets.count(b"\r\n")


def _lines(octets: Octets, start: int, stop: int) -> Iterator[bytes]:
    """The octets in pieces that end with a line, where lines are not very long."""
    left = b""
    while start < stop:
        piece = octets.at(start, min(PIECE_BYTES, stop - start))
        if not piece:
            break
        start += len(piece)
        left += piece
        end = left.rfind(b"\n") + 1
        if end == 0 and len(left) >= LONGEST_LINE:
            end = len(left) - 1  # so that no CRLF is cut
        if end:
            yield left[:end]
            left = left[end:]
    if left:
        yield left
