"""Bytes in, commands out: splits what a client sends into lines and literals, before anything is parsed.

*Interface; the essay and the machine come with the implementation.*

A literal is a question to the session: is the mailbox there, is there room? So the receiver stops at each
literal that is not small, offers it, and goes on when it is told how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mektup.terms.limits import Limits
from mektup.wire.requests import StoredLiteral


class LiteralSink(StoredLiteral, Protocol):
    """Takes the octets of a message literal as they arrive, so that none need be held in memory."""

    def write(self, octets: bytes | memoryview) -> None: ...


@dataclass(frozen=True, slots=True)
class RawCommand:
    """One command, complete: its text with a hole at each literal.

    *fragments* are the pieces of its lines, without CRLF and without the ``{n}`` announcements; the literal
    ``literals[i]`` stands between ``fragments[i]`` and ``fragments[i+1]``.
    """

    fragments: tuple[bytes, ...]
    literals: tuple[bytes | StoredLiteral, ...] = ()


@dataclass(frozen=True, slots=True)
class LiteralOffered:
    """A literal was announced, and the client may be waiting for leave to send it.

    Answer with one of ``accept``, ``accept_into`` or ``refuse`` of the receiver before asking for the next event.
    """

    command: RawCommand
    """What of the command was read so far; has one fragment more than literals, the last ends at the announcement."""
    size: int
    synchronizing: bool
    """Whether the client waits for ``+`` (RFC 9051 §4.3); false for ``{n+}``, and for what is small enough by LITERAL-."""
    binary: bool
    """``~{n}``, literal8."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What came is no command, or is too large; it has been, or will be, skipped up to its end."""

    tag: bytes | None
    """The tag, where one could be read."""
    text: str
    column: int | None = None
    fatal: bool = False
    """Nothing after it can be trusted, or it is not worth skipping: BYE and close."""


Event = RawCommand | LiteralOffered | Fault


class Receiver:
    """The machine. ``feed`` it bytes, ask for the ``next_event``; None means that more bytes are needed."""

    def __init__(self, limits: Limits) -> None:
        raise NotImplementedError

    def logged_in(self) -> None:
        """From now on the limits for after login hold."""
        raise NotImplementedError

    def feed(self, octets: bytes) -> None:
        """Takes bytes as they came."""
        raise NotImplementedError

    def next_event(self) -> Event | None:
        """The next thing in the bytes fed so far."""
        raise NotImplementedError

    def accept(self) -> None:
        """The offered literal may come, to be held in memory."""
        raise NotImplementedError

    def accept_into(self, sink: LiteralSink) -> None:
        """The offered literal may come, into *sink*, which then stands in ``RawCommand.literals``."""
        raise NotImplementedError

    def refuse(self) -> None:
        """The command is over: skips the literal where the client sends it without leave, and the rest of the command."""
        raise NotImplementedError

    def next_line(self) -> bytes | None:
        """The next bare line, without CRLF, where a command is not expected: DONE, or a SASL response.

        Raises ClientError for one that is too long, which is skipped.
        """
        raise NotImplementedError

    @property
    def has_buffered(self) -> bool:
        """Whether bytes are held that no event has covered yet."""
        raise NotImplementedError
