"""Splits what a session sends into lines for people. Literals and messages are only counted, unless they are wanted.

A session writes its answers in pieces of any size, such as a body that is streamed. Nothing is kept of a long line but
its beginning, so memory is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mektup.session.tap import CONTENT_BYTES, MASK, Answers

LINE_BYTES = 1000
"""At most so much of a line is shown."""

_TAIL_BYTES = 24
"""More than the announcement of a literal at the end of a line."""

_LITERAL = re.compile(rb"\{([0-9]{1,19})\}\r?\n?$")
_STATUS = re.compile(rb"[^ ]* (?:OK|NO|BAD|BYE|PREAUTH)(?: |$)")
"""Responses that end in text for people, which may look like a literal (RFC 9051 §7.1)."""

Tell = Callable[[bytes], None]


class AnswerLines:
    """The answers of one session."""

    def __init__(self, protocol: str, tell: Tell, *, wants_content: bool, hides_tag: bool) -> None:
        """*tell* gets each line without its end; *protocol* is ``addresses.Service.protocol``.

        *hides_tag*: the command that is being answered now is not known, and may be one that is hidden.
        """
        self._is_imap = protocol == "imap"
        self._tell = tell
        self._wants_content = wants_content
        # as if a hidden command was being answered, until it is known better
        self._answers = Answers.CHALLENGES
        self._hides_tag = hides_tag
        self._head = bytearray()
        self._tail = b""
        self._size = 0
        """Octets of the current line so far."""
        self._is_rest = False
        """Whether the current line follows a literal."""
        self._left = 0
        """Octets of the current literal that have yet to come."""
        self._in_message = False
        self._content = bytearray()
        self._content_size = 0

    def expect(self, answers: Answers) -> None:
        """The next answers are those to a new command."""
        self._answers, self._hides_tag = answers, False

    def expect_hidden(self) -> None:
        """The next answers are those to a command that is hidden, and so are its tag and all challenges."""
        self._answers, self._hides_tag = Answers.CHALLENGES, True

    def take(self, octets: bytes) -> None:
        """Takes the next octets."""
        at = 0
        while at < len(octets):
            if self._left:
                ends = min(len(octets), at + self._left)
                self._keep_content(octets[at : min(ends, at + CONTENT_BYTES)], ends - at)
                self._left -= ends - at
                at = ends
                if not self._left:
                    self._tell_content()
                continue
            stop = octets.find(b"\n", at) + 1 or len(octets)
            self._head += octets[at : min(stop, at + LINE_BYTES - len(self._head))]
            self._tail = (self._tail + octets[max(at, stop - _TAIL_BYTES) : stop])[-_TAIL_BYTES:]
            self._size += stop - at
            at = stop
            if self._tail.endswith(b"\n"):
                self._end_line()

    def _end_line(self) -> None:
        head, size = bytes(self._head).rstrip(b"\r\n"), self._size
        tail, is_rest = self._tail, self._is_rest
        self._head.clear()
        self._tail, self._size, self._is_rest = b"", 0, False
        if self._in_message:
            self._take_message_line(head, size)
            return
        if size > LINE_BYTES:
            head += b" ... %b octets in all" % _grouped(size)
        found = _LITERAL.search(tail) if self._is_imap and (is_rest or not _STATUS.match(head)) else None
        if found is not None:
            self._begin_literal(head, int(found[1]))
        elif not is_rest or head:
            self._tell(head if is_rest else self._masked(head))
            self._in_message = self._answers is Answers.MESSAGE and head.startswith(b"+OK")

    def _begin_literal(self, head: bytes, size: int) -> None:
        self._tell(head if self._wants_content else b"%b ... %b octets" % (head, _grouped(size)))
        self._left, self._is_rest = size, True
        self._content_size = 0

    def _take_message_line(self, line: bytes, size: int) -> None:
        if line != b".":
            self._keep_content(line + b"\r\n", size)
            return
        self._in_message, self._answers = False, Answers.LINES
        if not self._wants_content:
            self._tell(b"... %b octets" % _grouped(self._content_size))
        self._tell_content()
        self._tell(b".")

    def _keep_content(self, octets: bytes, size: int) -> None:
        self._content_size += size
        if self._wants_content:
            self._content += octets[: CONTENT_BYTES - len(self._content)]

    def _tell_content(self) -> None:
        if self._wants_content:
            for line in content_lines(self._content_size, bytes(self._content)):
                self._tell(line)
        self._content.clear()
        self._content_size = 0

    def _masked(self, line: bytes) -> bytes:
        if self._answers is Answers.CHALLENGES and line.startswith(b"+ ") and len(line) > 2:
            return b"+ " + MASK
        if self._answers is Answers.CHALLENGES and line.startswith(b"CONT\t"):
            return b"\t".join(line.split(b"\t")[:2]) + b"\t" + MASK
        if self._is_imap and self._hides_tag and not line.startswith((b"* ", b"+ ")):
            return MASK + b" " + line.partition(b" ")[2]
        return line


def content_lines(size: int, beginning: bytes | None) -> list[bytes]:
    """How *size* octets of content are shown."""
    if beginning is None:
        return [b"... %b octets" % _grouped(size)]
    lines = [b"| " + line[:LINE_BYTES].rstrip(b"\r") for line in beginning.removesuffix(b"\n").split(b"\n")]
    if size > len(beginning):
        lines.append(b"| ... %b more octets" % _grouped(size - len(beginning)))
    return lines


def _grouped(number: int) -> bytes:
    return f"{number:,}".encode()
