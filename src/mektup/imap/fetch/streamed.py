"""Values of FETCH items that are too large for memory: they are read and sent in pieces."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from mektup.store.interface import Account
from mektup.terms.errors import Disconnected, Refused
from mektup.terms.numbers import ContentId
from mektup.wire.fetch_items import Partial
from mektup.wire.strings import without_nul


class Shape(Enum):
    """The form of a value on the wire."""

    LITERAL = auto()
    BINARY = auto()
    """A literal, or a literal8 if there is a NUL."""
    SIZE = auto()
    """A number: the octets of the value."""


class Filter(Protocol):
    """Takes the octets of a span in pieces of any size; returns the octets to send."""

    def take(self, octets: bytes) -> bytes:
        """The output that is certain so far."""

    def finish(self) -> bytes:
        """The rest of the output."""


HELD_BYTES = 64 * 1024
"""If the size of a value is not known before it is read, a value up to this size is held; a larger one is read
twice."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """A value that is read only when it is sent, in pieces."""

    content: ContentId
    start: int
    stop: int
    filter: Callable[[], Filter] | None = None
    """Makes the filter of the octets; None sends them unfiltered."""
    partial: Partial | None = None
    """The part of the filter's output that is sent; None for all of it."""
    shape: Shape = Shape.LITERAL

    async def check(self, account: Account) -> None:
        """Raises Refused(EXPUNGEISSUED) where the message is gone."""
        async with aclosing(account.content(self.content, 0, 0)) as nothing:
            async for _ in nothing:
                pass

    async def pieces(self, account: Account) -> AsyncGenerator[bytes, None]:
        """The wire form of the value, in pieces of bounded size; the pieces are empty while its size is measured.

        Raises Disconnected when the message is removed while it is sent: the line has begun, and only the end of the
        connection can tell the client that the rest is missing.
        """
        try:
            if self.filter is None:
                yield b"{%d}\r\n" % (self.stop - self.start)
                async for piece in account.content(self.content, self.start, self.stop):
                    yield without_nul(piece)
                return
            size, has_nul, held = 0, False, []
            async for piece in self._filtered(account):
                yield b""
                size += len(piece)
                has_nul = has_nul or b"\0" in piece
                if size <= HELD_BYTES and self.shape is not Shape.SIZE:
                    held.append(piece)
            if self.shape is Shape.SIZE:
                yield b"%d" % size
                return
            # RFC 9051 §7.5.2: a literal8 only if there is a NUL, so that a client need not search a literal for one
            yield (b"~{%d}\r\n" if has_nul and self.shape is Shape.BINARY else b"{%d}\r\n") % size
            if size <= HELD_BYTES:
                yield self._shown(b"".join(held))
                return
            async for piece in self._filtered(account):
                yield self._shown(piece)
        except Refused as refusal:
            raise Disconnected from refusal

    async def octets(self, account: Account) -> AsyncGenerator[bytes, None]:
        """The octets themselves, in pieces. Raises Refused(EXPUNGEISSUED) when the message is removed meanwhile."""
        if self.filter is None:
            async for piece in account.content(self.content, self.start, self.stop):
                yield piece
        else:
            async for piece in self._filtered(account):
                yield piece

    def _shown(self, octets: bytes) -> bytes:
        return octets if self.shape is Shape.BINARY else without_nul(octets)

    async def _filtered(self, account: Account) -> AsyncIterator[bytes]:
        """The filter's output, cut to *partial*."""
        assert self.filter is not None
        through = self.filter()
        cut = Window(0, None) if self.partial is None else Window(self.partial.start, self.partial.count)
        async with aclosing(account.content(self.content, self.start, self.stop)) as octets:
            async for piece in octets:
                yield cut.take(through.take(piece))
                if cut.is_over:
                    return
        yield cut.take(through.finish())


class Window:
    """A filter that passes *count* octets from *start* on; None passes all of them."""

    __slots__ = ("_left", "_to_skip")

    def __init__(self, start: int, count: int | None) -> None:
        self._to_skip = start
        self._left = count

    @property
    def is_over(self) -> bool:
        """Whether it has passed its last octet."""
        return self._left == 0

    def take(self, octets: bytes) -> bytes:
        """See ``Filter``."""
        seen = octets[self._to_skip :]
        self._to_skip = max(0, self._to_skip - len(octets))
        if self._left is None:
            return seen
        seen = seen[: self._left]
        self._left -= len(seen)
        return seen

    def finish(self) -> bytes:
        """See ``Filter``."""
        return b""


class Chain:
    """A chain of filters."""

    __slots__ = ("_filters",)

    def __init__(self, *filters: Callable[[], Filter]) -> None:
        self._filters = [make() for make in filters]

    def take(self, octets: bytes) -> bytes:
        """See ``Filter``."""
        for each in self._filters:
            octets = each.take(octets)
        return octets

    def finish(self) -> bytes:
        """See ``Filter``."""
        octets = b""
        for each in self._filters:
            octets = each.take(octets) + each.finish()
        return octets
