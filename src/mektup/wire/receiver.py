"""Splits the bytes from a client into commands, that is into lines and literals, before they are parsed.

An IMAP command is one line, except for its literals: after a line that ends in ``{n}`` come n octets of any kind,
then the rest of the command, which is again a line and may again end in ``{n}``. So the end of a command can be found
without understanding the command, and this module does only that. Whole commands are parsed later, and invalid input
can always be skipped up to the start of the next command.

*A literal needs an answer.* With ``{n}`` the client waits for ``+`` before it sends any octet; with ``{n+}`` it sends
at once. In both cases the receiver stops, returns a :class:`LiteralOffered` and waits for a call of ``accept`` (keep it
in memory), ``accept_into`` (a message: pass it on as it arrives) or ``refuse``.

*Three outcomes.* ``next_event`` returns a command or an offer, a fault, or None if it needs more bytes. After a fault,
the receiver skips the rest of that command, which a pipelining client has sent already. Reading the rest as commands
would be dangerous: anyone who can put octets into a literal could then send commands as the victim.

*The states*, each with one step::

    FIRST        nothing was received yet       -> LINE; CLOSED if it is not IMAP
    LINE         a line is read                 -> LINE, OFFERED, SKIP_LITERAL, SKIP_LINE, CLOSED
    OFFERED      the session must answer        -> LITERAL, SINK (accepted); LINE, SKIP_LITERAL (refused)
    LITERAL      octets go to memory            -> LINE
    SINK         octets go to a sink            -> LINE
    SKIP_LITERAL octets are dropped             -> SKIP_LINE
    SKIP_LINE    the rest of a command, dropped -> LINE, SKIP_LITERAL, CLOSED
    SKIP_BARE    the rest of a bare line        -> LINE
    CLOSED       after a fatal fault            -> final

A step returns an event. If it returns None and changed the state, the next step follows; if it returns None in the
same state, more bytes are needed.

*Every size is limited here*: of a line, of a literal, of all lines and literals of a command together, and the number
of literals; the limits are lower before login. Only a message may be larger than ``literal_bytes``. It goes to a sink,
never into memory, and only APPEND and REPLACE have one. No memory is allocated for an announced size.

The traps: a literal may contain CRLF and any other octets, so its octets must never be examined. ``{n+}`` must be found
at the end of each line, even of one that is too long or skipped (RFC 7888 §3). A session may log in between two
commands of one packet, so limits are looked up for each command.
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
from mektup.terms.lines import LONGEST_END, without_end
from mektup.terms.texts import Text
from mektup.wire import texts
from mektup.wire.grammar import ANNOUNCEMENT, APPEND, APPEND_WITH_MAILBOX, ID, SETMETADATA, tag_in
from mektup.wire.requests import StoredLiteral


class LiteralSink(StoredLiteral, Protocol):
    """Takes the octets of a message literal as they arrive, so that they need no memory here."""

    def write(self, octets: bytes | memoryview) -> None:
        """Takes the next octets; they are valid only until this method returns."""


class RawCommand(Struct, frozen=True):
    """One complete command: its text, split at each literal.

    *fragments* are its lines, without CRLF and without the ``{n}`` announcements. The literal ``literals[i]`` is
    between ``fragments[i]`` and ``fragments[i+1]``.
    """

    fragments: tuple[bytes, ...]
    literals: tuple[bytes | StoredLiteral, ...] = ()

    def __repr__(self) -> str:
        # Without the text, in a log: a client may send a secret as any part of a command, also as its tag.
        return f"RawCommand({list(map(len, self.fragments))} octets, {len(self.literals)} literals)"


@dataclass(frozen=True, slots=True)
class LiteralOffered:
    """A client announced a literal, and may wait for permission to send it.

    Call ``accept``, ``accept_into`` or ``refuse`` of the receiver before asking for the next event. A literal larger
    than ``limits.literal_bytes`` is offered only where a message is allowed. If the client waits, it is offered at any
    size, because refusing it then is cheap and can have an explanation.
    """

    command: RawCommand
    """The command so far. It has one fragment more than literals; the last fragment ends at the announcement."""
    size: int
    synchronizing: bool
    """Whether the client waits for ``+`` (RFC 9051 §4.3); false for ``{n+}``."""
    binary: bool
    """``~{n}``, literal8."""


@dataclass(frozen=True, slots=True)
class CommandFault:
    """The input is no command, or is too large. The receiver skips it up to its end."""

    tag: bytes | None
    """The tag, if one could be read."""
    text: Text
    column: int | None = None
    fatal: bool = False
    """Whether to send BYE and close: the rest cannot be trusted, or is too large to skip."""
    code: Code | None = None
    """TOOBIG for a message (RFC 7888 §5), METADATA_MAXSIZE for a value (RFC 5464 §4.3)."""


Event = RawCommand | LiteralOffered | CommandFault


class ReceiverState(IntEnum):
    """What the receiver reads; the module's docstring describes the transitions."""

    FIRST = 0
    LINE = 1
    OFFERED = 2
    LITERAL = 3
    SINK = 4
    SKIP_LITERAL = 5
    SKIP_LINE = 6
    SKIP_BARE = 7
    CLOSED = 8


_LINE: Final = ReceiverState.LINE
"""By its own name, because every command asks for it."""
_CR: Final = 0x0D
_SPECIAL_ENDS: Final = b"}\r"
"""Octets before CRLF after which a line is more than a command: a literal is announced, or there are more CRs."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The limits that apply now."""

    line: int
    literals: int
    literal: int
    command: int
    skipped: int
    """The largest literal that is read only to be dropped."""
    messages: bool
    """Whether a message is allowed."""

    @classmethod
    def before_login(cls, limits: Limits) -> _Bounds:
        literals = limits.login_literals * limits.login_literal_bytes
        command = limits.login_line_bytes + literals
        line, literal = limits.login_line_bytes, limits.login_literal_bytes
        return cls(line, limits.login_literals, literal, command, skipped=limits.literal_bytes, messages=False)

    @classmethod
    def of_id(cls, limits: Limits) -> _Bounds:
        """The limits for ID before login."""
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
    """Its position in the line."""
    size: int
    synchronizing: bool
    binary: bool


_MAX_SIZE_DIGITS: Final = 19
"""The most digits of a number64."""
_ANNOUNCEMENT_BYTES: Final = 32
"""More than any announcement with its line end, without excess digits."""
_EXCESS_DIGITS: Final = re.compile(rb"(\{[0-9]{%d})[0-9]+" % (_MAX_SIZE_DIGITS + 1))


def _announced(line: bytes) -> _Announced | None:
    """The literal that *line* announces at its end."""
    start = line.rfind(b"{")
    found = ANNOUNCEMENT.fullmatch(line, start) if start >= 0 else None
    if found is None:
        return None
    digits = found[1]
    # A number too large for a number64 is still an announcement; a literal of such a size is never read.
    size = int(digits) if len(digits) <= _MAX_SIZE_DIGITS else 10**_MAX_SIZE_DIGITS
    binary = line.endswith(b"~", 0, start)
    return _Announced(start - 1 if binary else start, size, synchronizing=not found[2], binary=binary)


_HTTP: Final = rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|TRACE|PATCH|PRI) \S"
_GREETING: Final = rb"(?:EHLO|HELO|LHLO) [^ ]"

# The first lines of other protocols, so that the answer can say that the wrong program is connected: a whole line, and
# the beginning of one that is too long. A web page can make a browser send either, with commands in the next lines.
_STRANGERS: Final = (
    (re.compile(_HTTP + rb"+ HTTP/"), re.compile(_HTTP), texts.HTTP_CLIENT),
    (re.compile(_GREETING + rb"+$", re.IGNORECASE), re.compile(_GREETING, re.IGNORECASE), texts.MAIL_SENDER),
    (re.compile(rb"SSH-[0-9.]+-"), re.compile(rb"SSH-"), texts.SSH_CLIENT),
)
_TLS_HANDSHAKE: Final = b"\x16\x03"


class Receiver:
    """The state machine. Call ``feed`` with bytes, then ``next_event`` until it returns None: it needs more bytes."""

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
        """Uses the limits for before login until :meth:`logged_in`."""
        self._limits = limits
        self._bounds = _Bounds.before_login(limits)
        self._state = ReceiverState.FIRST
        self._octets = b""
        """The bytes that are not consumed yet, and before _at those that are."""
        self._at = 0
        self._partial = bytearray()
        """The start of an incomplete line."""
        self._fragments: list[bytes] = []
        self._literals: list[bytes | StoredLiteral] = []
        self._size = 0
        """Octets of the command's lines and literals, without messages."""
        self._announcement: _Announced | None = None
        self._left = 0
        """Octets of the literal that were not received yet."""
        self._held = bytearray()
        self._sink: LiteralSink | None = None

    def logged_in(self, *, still: bool = True) -> None:
        """Changes to the limits for after login; to those for before, where the client is not *still* logged in."""
        self._bounds = _Bounds.after_login(self._limits) if still else _Bounds.before_login(self._limits)

    def feed(self, octets: bytes) -> None:
        """Adds bytes as they were received."""
        if self._at < len(self._octets):
            octets = self._octets[self._at :] + octets
        self._octets, self._at = octets, 0

    @property
    def has_buffered(self) -> bool:
        """Whether there are bytes that are in no event yet."""
        return self._at < len(self._octets) or bool(self._partial)

    @property
    def has_begun(self) -> bool:
        """Whether a command was received in part."""
        return self.has_buffered or self._state is not ReceiverState.LINE or bool(self._fragments)

    def upcoming(self) -> bytes | None:
        """The next line without its end, if it is complete and begins a command. The line is not consumed."""
        return next(self.ahead(), None)

    def ahead(self) -> Iterator[bytes]:
        """That line and the complete lines after it, up to the first one that announces a literal."""
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
        """The next event in the bytes fed so far; None if more are needed. Passes on what a sink's ``write`` raises."""
        if self._state is _LINE and not self._partial and not self._fragments:
            # Nearly every command is one whole line, in which only the end must be checked.
            octets, start = self._octets, self._at
            end = octets.find(b"\n", start) - 1
            if start < end <= start + self._bounds.line and octets[end] == _CR and octets[end - 1] not in _SPECIAL_ENDS:
                line = octets[start:end]
                if 0 not in line:
                    self._at = end + 2
                    return RawCommand((line,))
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
            return self._close(CommandFault(None, texts.TLS_ON_PLAIN_PORT))
        line = self._next_line()
        fault = self._check_partial() if line is None else None
        if line is None and fault is None:
            return None
        begin = self._partial if line is None else line
        is_long = len(begin) > self._bounds_of(begin).line
        for pattern, beginning, name in _STRANGERS:
            # the end of a line that is too long is not waited for
            if (beginning if is_long else pattern).match(begin):
                return self._close(CommandFault(None, texts.WRONG_PROGRAM.of(program=name)))
        if line is None:
            return fault
        self._state = ReceiverState.LINE
        return self._end_line(line) if line else None

    def _read_line(self) -> Event | None:
        """Reads a line that is not the usual one of ``next_event``."""
        if self._at == len(self._octets):
            return None
        line = self._next_line()
        # Empty lines between commands are ignored: some clients send one after a literal at the end of a command.
        while not line and not self._fragments:
            if line is None:
                return self._check_partial()
            line = self._next_line()
        if line is None:
            return self._check_partial()
        return self._end_line(line)

    def _next_line(self) -> bytes | None:
        """The next complete line without its end. Without one, keeps the bytes as a partial line and returns None."""
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
        # the octets above the limit may belong to the line's end
        size = len(self._partial) - LONGEST_END
        if size <= self._bounds.line or size <= self._bounds_of(self._partial).line:
            return None
        fault = self._too_long(self._partial)
        self._forget()
        self._state = ReceiverState.SKIP_LINE
        return fault

    def _too_long(self, line: bytes | bytearray) -> CommandFault:
        # A tag that may be incomplete must not be repeated.
        longest = self._bounds_of(line).line
        start = line[:longest]
        tag = self._tag(start) if self._fragments or b" " in start else None
        return CommandFault(tag, texts.LONGEST_LINE.of(octets=longest), column=longest + 1)

    def _bounds_of(self, line: bytes | bytearray) -> _Bounds:
        """The limits for the present command; *line* is its first line, unless fragments are kept already."""
        if not self._bounds.messages and ID.match(self._fragments[0] if self._fragments else line):
            return _Bounds.of_id(self._limits)
        return self._bounds

    def _tag(self, line: bytes | bytearray) -> bytes | None:
        return tag_in(self._fragments[0] if self._fragments else line)

    def _end_line(self, line: bytes) -> Event | None:
        """Handles a line that ends in a literal's announcement, follows a literal, or is faulty."""
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
            return CommandFault(self._tag(line), texts.LONGEST_COMMAND.of(octets=bounds.command))
        nul = line.find(b"\0")
        if nul >= 0:
            # RFC 9051 §9 rule 3: NUL is allowed only in a literal8.
            return CommandFault(self._tag(line), texts.NUL_OUTSIDE, column=self._size + nul + 1)
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
            return CommandFault(tag, texts.MOST_LITERALS.of(most=bounds.literals))
        if self._may_be_message():
            # RFC 7888 §4: the client does not wait, so refusing is not cheap.
            if not announced.synchronizing and announced.size > self._limits.message_bytes:
                text = texts.LARGEST_MESSAGE.of(octets=self._limits.message_bytes)
                return CommandFault(tag, text, fatal=True, code=Code.TOOBIG)
            return None
        if announced.size > self._limits.metadata_value_bytes and SETMETADATA.match(self._fragments[0]):
            return CommandFault(tag, texts.VALUE_TOO_LARGE, code=Code.METADATA_MAXSIZE)
        if announced.size > bounds.literal:
            return CommandFault(tag, texts.LARGEST_LITERAL.of(octets=bounds.literal), column=self._size + 1)
        if self._size + announced.size > bounds.command:
            return CommandFault(tag, texts.LONGEST_COMMAND.of(octets=bounds.command))
        return None

    def _may_be_message(self) -> bool:
        if not self._bounds.messages:
            return False
        first = self._fragments[0]
        return bool(APPEND_WITH_MAILBOX.match(first) or (self._literals and APPEND.match(first)))

    def accept(self) -> None:
        """Accepts the offered literal into memory.

        Raises ValueError if it is larger than ``limits.literal_bytes``; only ``accept_into`` can take such a literal.
        """
        announced = self._answered()
        if announced.size > self._bounds.literal:
            raise ValueError(announced.size)
        self._size += announced.size
        self._left = announced.size
        self._state = ReceiverState.LITERAL

    def accept_into(self, sink: LiteralSink) -> None:
        """Accepts the offered literal into *sink*, which then is its entry in ``RawCommand.literals``."""
        self._left = self._answered().size
        self._sink = sink
        self._state = ReceiverState.SINK

    def refuse(self) -> None:
        """Ends the command: skips the rest that the client sends without waiting, the literal included."""
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
        """Consumes the octets of the literal that were received."""
        octets = memoryview(self._octets)[self._at : self._at + self._left]
        self._left -= len(octets)
        self._at += len(octets)
        if self._at == len(self._octets):
            self._octets, self._at = b"", 0
        return octets

    # Skipping

    def _abandon(self, fault: CommandFault, announced: _Announced | None) -> CommandFault:
        """Ends the command because of *fault*."""
        if fault.fatal or not self._skip(announced):
            return self._close(fault)
        return fault

    def _skip(self, announced: _Announced | None) -> bool:
        """Skips the rest of the command that is sent anyway; false if that is too large to skip."""
        self._forget()
        # A client that waits for "+" gets a tagged answer instead, which ends the command (RFC 9051 §2.2.1).
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
            self._keep_announcement()
            return None
        if not self._skip(_announced(line)):
            return self._close(CommandFault(None, texts.LARGEST_LITERAL.of(octets=self._bounds.literal)))
        return None

    def _keep_announcement(self) -> None:
        """Drops the line so far, but for what may become the announcement at its end."""
        start = self._partial.rfind(b"{")
        kept = b"" if start < 0 else _EXCESS_DIGITS.sub(rb"\1", self._partial[start:])
        self._partial = bytearray(kept if len(kept) <= _ANNOUNCEMENT_BYTES else b"")

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
        """Drops the parts of the command, which has ended."""
        self._fragments.clear()
        self._literals.clear()
        self._size = 0

    def next_line(self) -> bytes | None:
        """The next bare line without CRLF, where no command is expected: DONE, or a SASL response.

        Raises ClientError if the line is too long; the line is skipped.
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
        raise ClientError(texts.LONGEST_LINE.of(octets=self._bounds.line), column=self._bounds.line + 1)


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
"""The step of each state, by the state's number."""
