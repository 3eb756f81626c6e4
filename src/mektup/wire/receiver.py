"""Bytes in, commands out: splits what a client sends into lines and literals, before anything is parsed.

A command of IMAP is a line, but for its literals: a line that ends in ``{n}`` is followed by n octets of anything
and then by the rest of the command, which is a line again, and may end in ``{n}`` again. So where a command ends
can be known without understanding it, and that is all this module does. Parsing comes after, on whole commands, and
garbage can always be skipped up to where the next command starts.

*A literal is a question.* ``{n}`` means that the client waits for ``+`` before it sends a single octet; ``{n+}``
that it sends at once. Either way the receiver stops, hands out a :class:`LiteralOffered` and does nothing until it
is told ``accept`` (hold it in memory), ``accept_into`` (a message: pass it on as it arrives) or ``refuse``.

*Three outcomes.* ``next_event`` gives a thing (a command, an offer), a fault, or None for "more bytes". After a
fault the rest of that command is skipped by itself: a client that pipelines has sent it already, and to read it as
commands would let anyone who can put octets into a literal give orders in the victim's name.

*The states*, each with the one step that is taken in it::

    FIRST        nothing came yet               -> LINE, or CLOSED where it is no IMAP at all
    LINE         a line is being read           -> LINE, OFFERED, SKIP_LITERAL, SKIP_LINE, CLOSED
    OFFERED      the session is asked           -> LITERAL, SINK (accepted); LINE, SKIP_LITERAL (refused)
    LITERAL      octets go to memory            -> LINE
    SINK         octets go to a sink            -> LINE
    SKIP_LITERAL octets go nowhere              -> SKIP_LINE
    SKIP_LINE    the rest of a command, unread  -> LINE, SKIP_LITERAL, CLOSED
    SKIP_BARE    the rest of a bare line        -> LINE
    CLOSED       after a fatal fault            -> nothing leads out

A step returns an event; or None with another state, and goes on; or None in the same state, for "more bytes".

*Every size is bounded here*: of a line, of a literal, of all literals and lines of a command together, and their
number; more tightly before login. Only a message may be larger than ``literal_bytes``, it goes to a sink and never
into memory, and only an APPEND after login can have one. Nothing is allocated because a client announced it.

The traps: a literal may hold CRLF, and anything else, so no octet of it may ever be looked at; ``{n+}`` must be
found at the end of each line, of one that is too long too, and of one that is skipped (RFC 7888 §3); the session
may log in between two commands that came in one packet, so bounds are looked up and never kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Protocol

from msgspec import Struct

from mektup.terms.errors import ClientError, Code
from mektup.terms.limits import Limits
from mektup.terms.lines import without_end
from mektup.wire.grammar import ANNOUNCEMENT, APPEND, APPEND_WITH_MAILBOX, ID, tag_in
from mektup.wire.requests import StoredLiteral


class LiteralSink(StoredLiteral, Protocol):
    """Takes the octets of a message literal as they arrive, so that none need be held in memory."""

    def write(self, octets: bytes | memoryview) -> None:
        """Takes the next octets; they are valid until it returns."""


class RawCommand(Struct, frozen=True):
    """One command, complete: its text with a hole at each literal.

    *fragments* are the pieces of its lines, without CRLF and without the ``{n}`` announcements; the literal
    ``literals[i]`` stands between ``fragments[i]`` and ``fragments[i+1]``.
    """

    fragments: tuple[bytes, ...]
    literals: tuple[bytes | StoredLiteral, ...] = ()

    def __repr__(self) -> str:
        words = self.fragments[0].split(b" ", 2)
        if len(words) > 1 and words[1].upper() in (b"LOGIN", b"AUTHENTICATE"):
            # what follows is a secret, which no log may show
            return f"RawCommand({words[:2]} ...)"
        return f"RawCommand({self.fragments}, {self.literals})"


@dataclass(frozen=True, slots=True)
class LiteralOffered:
    """A literal was announced, and the client may be waiting for leave to send it.

    Answer with one of ``accept``, ``accept_into`` or ``refuse`` of the receiver before asking for the next event.
    A literal larger than ``limits.literal_bytes`` is offered only where a message may stand, at any size where the
    client waits: refusing it costs nothing then, and can be explained.
    """

    command: RawCommand
    """What of the command was read so far; has one fragment more than literals, the last ends at the announcement."""
    size: int
    synchronizing: bool
    """Whether the client waits for ``+`` (RFC 9051 §4.3); false for ``{n+}``."""
    binary: bool
    """``~{n}``, literal8."""


@dataclass(frozen=True, slots=True)
class CommandFault:
    """What came is no command, or is too large; it has been, or will be, skipped up to its end."""

    tag: bytes | None
    """The tag, where one could be read."""
    text: str
    column: int | None = None
    fatal: bool = False
    """Nothing after it can be trusted, or it is not worth skipping: BYE and close."""
    code: Code | None = None
    """TOOBIG for a message (RFC 7888 §5)."""


Event = RawCommand | LiteralOffered | CommandFault


class ReceiverState(IntEnum):
    """What is being read; the essay above tells what leads where."""

    FIRST = 0
    LINE = 1
    OFFERED = 2
    LITERAL = 3
    SINK = 4
    SKIP_LITERAL = 5
    SKIP_LINE = 6
    SKIP_BARE = 7
    CLOSED = 8


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The sizes that hold at the moment."""

    line: int
    literals: int
    literal: int
    command: int
    skipped: int
    """The largest literal that is worth reading only to throw it away."""
    messages: bool
    """Whether there can be a message at all."""

    @classmethod
    def before_login(cls, limits: Limits) -> _Bounds:
        literals = limits.login_literals * limits.login_literal_bytes
        command = limits.login_line_bytes + literals
        line, literal = limits.login_line_bytes, limits.login_literal_bytes
        return cls(line, limits.login_literals, literal, command, skipped=limits.literal_bytes, messages=False)

    @classmethod
    def of_id(cls, limits: Limits) -> _Bounds:
        """Of an ID before login."""
        octets = limits.login_id_bytes
        literals, literal = 2 * limits.id_fields, limits.login_literal_bytes
        return cls(octets, literals, literal, octets, skipped=limits.literal_bytes, messages=False)

    @classmethod
    def after_login(cls, limits: Limits) -> _Bounds:
        line, literal, command = limits.line_bytes, limits.literal_bytes, limits.command_bytes
        return cls(line, limits.literals, literal, command, skipped=limits.message_bytes, messages=True)


@dataclass(frozen=True, slots=True)
class _Announced:
    """``{n}``, ``{n+}`` or ``~{n}`` at the end of a line."""

    start: int
    """Where in the line it starts."""
    size: int
    synchronizing: bool
    binary: bool


_MAX_SIZE_DIGITS: Final = 19
"""number64 has no more."""
_ANNOUNCEMENT_BYTES: Final = 32
"""Longer than any announcement with its line end."""


def _announced(line: bytes) -> _Announced | None:
    """The literal that *line* announces at its end."""
    start = line.rfind(b"{")
    found = ANNOUNCEMENT.fullmatch(line, start) if start >= 0 else None
    if found is None:
        return None
    digits = found[1]
    # A number that cannot be a number64 is still an announcement; nothing of such a size is ever read.
    size = int(digits) if len(digits) <= _MAX_SIZE_DIGITS else 10**_MAX_SIZE_DIGITS
    binary = line.endswith(b"~", 0, start)
    return _Announced(start - 1 if binary else start, size, synchronizing=not found[2], binary=binary)


# What others say first, so that whoever pointed the wrong program here learns it from the answer.
_STRANGERS: Final = (
    (re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|TRACE|PATCH|PRI) \S+ HTTP/"), "an HTTP client"),
    (re.compile(rb"(?:EHLO|HELO|LHLO) [^ ]+$", re.IGNORECASE), "a mail sender (SMTP or LMTP)"),
    (re.compile(rb"SSH-[0-9.]+-"), "an SSH client"),
)
_TLS_HANDSHAKE: Final = b"\x16\x03"
_TLS_TEXT: Final = "This port speaks plain IMAP and STARTTLS; connect to the IMAPS port to start with TLS"


class Receiver:
    """The machine. ``feed`` it bytes, ask for the ``next_event``; None means that more bytes are needed."""

    __slots__ = (
        "_announcement",
        "_at",
        "_bounds",
        "_fragments",
        "_held",
        "_left",
        "_limits",
        "_literals",
        "_octets",
        "_partial",
        "_sink",
        "_size",
        "_state",
    )

    def __init__(self, limits: Limits) -> None:
        """Bounds are those for before login, until :meth:`logged_in`."""
        self._limits = limits
        self._bounds = _Bounds.before_login(limits)
        self._state = ReceiverState.FIRST
        self._octets = b""
        """What was fed last; read up to _at."""
        self._at = 0
        self._partial = bytearray()
        """The start of a line whose end has not come."""
        self._fragments: list[bytes] = []
        self._literals: list[bytes | StoredLiteral] = []
        self._size = 0
        """Octets of the command's lines and literals, messages apart."""
        self._announcement: _Announced | None = None
        self._left = 0
        """Octets of the literal that are still to come."""
        self._held = bytearray()
        self._sink: LiteralSink | None = None

    def logged_in(self) -> None:
        """From now on the limits for after login hold."""
        self._bounds = _Bounds.after_login(self._limits)

    def feed(self, octets: bytes) -> None:
        """Takes bytes as they came."""
        if self._at < len(self._octets):
            octets = self._octets[self._at :] + octets
        self._octets, self._at = octets, 0

    @property
    def has_buffered(self) -> bool:
        """Whether bytes are held that no event has covered yet."""
        return self._at < len(self._octets) or bool(self._partial)

    def upcoming(self) -> bytes | None:
        """The next line without its end, where all of it is there, and a command begins with it; it stays the next."""
        return next(self.ahead(), None)

    def ahead(self) -> Iterator[bytes]:
        """That line, and those behind it that are there; what comes after a literal's announcement is none of them."""
        if self._state is not ReceiverState.LINE or self._partial or self._fragments:
            return
        octets, start, longest = self._octets, self._at, self._bounds.line
        while (end := octets.find(b"\n", start)) >= 0 and end - start <= longest:
            line = without_end(octets[start:end])
            yield line
            if line.endswith(b"}"):
                return
            start = end + 1

    # Events

    def next_event(self) -> Event | None:
        """The next thing in the bytes fed so far. What a sink's ``write`` raises comes out of here."""
        while True:
            state = self._state
            event = _STEPS[state](self)
            if event is not None:
                return event
            if self._state is state:
                return None

    def _read_first(self) -> Event | None:
        start = bytes(self._partial[:2]) + self._octets[self._at : self._at + 2]
        if start.startswith(_TLS_HANDSHAKE):
            return self._close(CommandFault(None, _TLS_TEXT))
        line = self._next_line()
        if line is None:
            return self._check_partial()
        for pattern, name in _STRANGERS:
            if pattern.match(line):
                return self._close(CommandFault(None, f"This is an IMAP server, and you seem to be {name}"))
        self._state = ReceiverState.LINE
        return self._end_line(line) if line else None

    def _read_line(self) -> Event | None:
        """The road of nearly every command: a line with nothing to look at but its end."""
        if self._at == len(self._octets):
            return None
        line = self._next_line()
        # Empty lines between commands mean nothing: some clients send one after a literal that ends the command.
        while not line and not self._fragments:
            if line is None:
                return self._check_partial()
            line = self._next_line()
        if line is None:
            return self._check_partial()
        if self._fragments or line.endswith(b"}") or 0 in line or len(line) > self._bounds.line:
            return self._end_line(line)
        return RawCommand((line,))

    def _next_line(self) -> bytes | None:
        """The next whole line without its end; None puts what there is aside."""
        start = self._at
        end = self._octets.find(b"\n", start)
        if end < 0:
            self._partial += self._octets[start:] if start else self._octets
            self._octets, self._at = b"", 0
            return None
        self._at = end + 1
        line = self._octets[start:end]
        if self._partial:
            line = bytes(self._partial) + line
            self._partial.clear()
        return without_end(line)

    def _check_partial(self) -> CommandFault | None:
        # One octet more than the bound may be the CR of the line's end.
        if len(self._partial) <= self._bounds.line + 1 or len(self._partial) <= self._bounds_of(self._partial).line + 1:
            return None
        fault = self._too_long(self._partial)
        self._forget()
        self._state = ReceiverState.SKIP_LINE
        return fault

    def _too_long(self, line: bytes | bytearray) -> CommandFault:
        # A tag that may go on behind what was read so far is none to repeat.
        longest = self._bounds_of(line).line
        start = line[:longest]
        tag = self._tag(start) if self._fragments or b" " in start else None
        return CommandFault(tag, f"A line may have {longest} octets", column=longest + 1)

    def _bounds_of(self, line: bytes | bytearray) -> _Bounds:
        """The sizes that hold for the command under way, of which *line* is the first if none was kept so far."""
        if not self._bounds.messages and ID.match(self._fragments[0] if self._fragments else line):
            return _Bounds.of_id(self._limits)
        return self._bounds

    def _tag(self, line: bytes | bytearray) -> bytes | None:
        return tag_in(self._fragments[0] if self._fragments else line)

    def _end_line(self, line: bytes) -> Event | None:
        """A line that needs a closer look: it ends in a literal, or it follows one, or something is wrong with it."""
        announced = _announced(line) if line.endswith(b"}") else None
        fault = self._fault_of_line(line)
        if fault is not None:
            return self._abandon(fault, announced)
        self._size += len(line)
        if announced is not None:
            return self._offer(line, announced)
        command = RawCommand((*self._fragments, line), tuple(self._literals))
        self._forget()
        return command

    def _fault_of_line(self, line: bytes) -> CommandFault | None:
        bounds = self._bounds if self._bounds.messages else self._bounds_of(line)
        if len(line) > bounds.line:
            return self._too_long(line)
        if self._size + len(line) > bounds.command:
            return CommandFault(self._tag(line), f"A command may have {bounds.command} octets")
        nul = line.find(b"\0")
        if nul >= 0:
            # RFC 9051 §9 rule 3: NUL must not be used anywhere but in a literal8.
            return CommandFault(self._tag(line), "NUL may stand only in a literal", column=self._size + nul + 1)
        return None

    # Literals

    def _offer(self, line: bytes, announced: _Announced) -> Event:
        self._fragments.append(line[: announced.start])
        self._size += announced.start - len(line)
        fault = self._fault_of_literal(announced)
        if fault is not None:
            return self._abandon(fault, announced)
        self._announcement = announced
        self._state = ReceiverState.OFFERED
        command = RawCommand(tuple(self._fragments), tuple(self._literals))
        return LiteralOffered(command, announced.size, announced.synchronizing, announced.binary)

    def _fault_of_literal(self, announced: _Announced) -> CommandFault | None:
        tag, bounds = self._tag(b""), self._bounds_of(b"")
        if len(self._literals) >= bounds.literals:
            return CommandFault(tag, f"A command may have {bounds.literals} literals")
        if self._may_be_message():
            # RFC 7888 §4: the client does not wait, so there is no cheap way to say no.
            if not announced.synchronizing and announced.size > self._limits.message_bytes:
                text = f"A message may have {self._limits.message_bytes} octets"
                return CommandFault(tag, text, fatal=True, code=Code.TOOBIG)
            return None
        if announced.size > bounds.literal:
            return CommandFault(tag, f"A literal may have {bounds.literal} octets here", column=self._size + 1)
        if self._size + announced.size > bounds.command:
            return CommandFault(tag, f"A command may have {bounds.command} octets")
        return None

    def _may_be_message(self) -> bool:
        if not self._bounds.messages:
            return False
        first = self._fragments[0]
        return bool(APPEND_WITH_MAILBOX.match(first) or (self._literals and APPEND.match(first)))

    def accept(self) -> None:
        """The offered literal may come, to be held in memory.

        Raises ValueError for one larger than ``limits.literal_bytes``, which only ``accept_into`` can take.
        """
        announced = self._answered()
        if announced.size > self._bounds.literal:
            raise ValueError(announced.size)
        self._size += announced.size
        self._left = announced.size
        self._state = ReceiverState.LITERAL

    def accept_into(self, sink: LiteralSink) -> None:
        """The offered literal may come, into *sink*, which then stands in ``RawCommand.literals``."""
        self._left = self._answered().size
        self._sink = sink
        self._state = ReceiverState.SINK

    def refuse(self) -> None:
        """The command is over: skips what the client sends of it without leave, the literal and all that follows."""
        self._skip(self._answered())

    def _answered(self) -> _Announced:
        announced = self._announcement
        if announced is None:
            raise ValueError("no literal is offered")
        self._announcement = None
        return announced

    def _wait_for_answer(self) -> Event | None:
        return None

    def _read_literal(self) -> Event | None:
        self._held += self._take()
        if self._left == 0:
            self._literals.append(bytes(self._held))
            self._held.clear()
            self._state = ReceiverState.LINE
        return None

    def _read_into_sink(self) -> Event | None:
        sink = self._sink
        assert sink is not None
        octets = self._take()
        if self._left == 0:
            self._literals.append(sink)
            self._sink = None
            self._state = ReceiverState.LINE
        if octets:
            sink.write(octets)
        return None

    def _take(self) -> memoryview:
        """What is there of the literal."""
        octets = memoryview(self._octets)[self._at : self._at + self._left]
        self._left -= len(octets)
        self._at += len(octets)
        if self._at == len(self._octets):
            self._octets, self._at = b"", 0
        return octets

    # Skipping

    def _abandon(self, fault: CommandFault, announced: _Announced | None) -> CommandFault:
        """Gives the command up for *fault*."""
        if fault.fatal or not self._skip(announced):
            return self._close(fault)
        return fault

    def _skip(self, announced: _Announced | None) -> bool:
        """Sees to it that what comes of the command anyway is not read; false where that is too much."""
        self._forget()
        # A client that waits for "+" gets a tagged answer instead, and that ends the command (RFC 9051 §2.2.1).
        if announced is None or announced.synchronizing:
            self._state = ReceiverState.LINE
            return True
        self._left = announced.size
        self._state = ReceiverState.SKIP_LITERAL
        return announced.size <= self._bounds.skipped

    def _skip_literal(self) -> Event | None:
        self._take()
        if self._left == 0:
            self._state = ReceiverState.SKIP_LINE
        return None

    def _skip_line(self) -> Event | None:
        line = self._next_line()
        if line is None:
            del self._partial[:-_ANNOUNCEMENT_BYTES]
            return None
        if not self._skip(_announced(line)):
            return self._close(CommandFault(None, f"A literal may have {self._bounds.literal} octets here"))
        return None

    def _skip_bare(self) -> Event | None:
        if self._next_line() is None:
            self._partial.clear()
        else:
            self._state = ReceiverState.LINE
        return None

    def _close(self, fault: CommandFault) -> CommandFault:
        self._forget()
        self._state = ReceiverState.CLOSED
        self._stay_closed()
        return replace(fault, fatal=True)

    def _stay_closed(self) -> Event | None:
        self._octets, self._at = b"", 0
        self._partial.clear()
        return None

    def _forget(self) -> None:
        """The command is over, one way or another."""
        self._fragments.clear()
        self._literals.clear()
        self._size = 0

    # Bare lines

    def next_line(self) -> bytes | None:
        """The next bare line, without CRLF, where a command is not expected: DONE, or a SASL response.

        Raises ClientError for one that is too long, which is skipped.
        """
        if self._state is ReceiverState.SKIP_BARE:
            self._skip_bare()
        if self._state is not ReceiverState.LINE:
            return None
        line = self._next_line()
        if len(self._partial if line is None else line) <= self._bounds.line:
            return line
        if line is None:
            self._partial.clear()
            self._state = ReceiverState.SKIP_BARE
        raise ClientError(f"A line may have {self._bounds.line} octets", column=self._bounds.line + 1)


_STEPS: Final[tuple[Callable[[Receiver], Event | None], ...]] = (
    Receiver._read_first,
    Receiver._read_line,
    Receiver._wait_for_answer,
    Receiver._read_literal,
    Receiver._read_into_sink,
    Receiver._skip_literal,
    Receiver._skip_line,
    Receiver._skip_bare,
    Receiver._stay_closed,
)
"""The one step of each state, by its number."""
