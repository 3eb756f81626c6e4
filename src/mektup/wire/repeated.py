"""A cache of parsed commands, because clients repeat the same few commands with another tag.

Commands about one message are repeated too, with another number or UID.

The meaning of a line depends only on its octets, on whether names are UTF-8, and on the limits. The cache keeps only
short commands of kinds that contain no secret and are often repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mektup.terms.limits import Limits
from mektup.terms.sets import SequenceSet
from mektup.wire.grammar import OF_ONE_MESSAGE, TAG
from mektup.wire.requests import Check, Copy, Fetch, Idle, List, Move, Noop, Request, Select, Status, Store

OF_MESSAGES: Final = (Fetch, Store, Copy, Move)
"""Kept if they name one message; the entry is then used for any message."""

KEPT: Final[dict[type[Request], tuple[str, ...]]] = {
    kind: kind.__struct_fields__[1:] for kind in (Check, Idle, List, Noop, Select, Status, *OF_MESSAGES)
}
"""The kinds of commands that are kept, with their fields except the tag."""

MOST: Final = 512
"""How many commands are kept. When it is full, the cache is cleared, which is the cheapest way."""

LINE_BYTES: Final = 256
"""The longest line that is kept, without its tag."""


class Repeated:
    """The parsed commands of one process, by their lines."""

    __slots__ = ("_known", "_limits", "_of_one")

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bool], Callable[[bytes], Request]] = {}
        self._of_one: dict[tuple[bytes, bytes, bool], Callable[[bytes, int], Request]] = {}
        """By the text before and after the number of a message."""
        self._limits: Limits | None = None

    def find(self, line: bytes, *, utf8: bool, limits: Limits) -> Request | None:
        """The request of the whole command *line*, if a command is kept that differs only in tag and message number."""
        tag, _, rest = line.partition(b" ")
        if limits is not self._limits or not TAG.fullmatch(tag):
            return None
        make = self._known.get((rest, utf8))
        if make is not None:
            return make(tag)
        found = OF_ONE_MESSAGE.fullmatch(rest)
        if found is None:
            return None
        before, number, after = found.groups()
        make_of_one = self._of_one.get((before, after, utf8))
        return None if make_of_one is None else make_of_one(tag, int(number))

    def keep(self, line: bytes, request: Request, *, utf8: bool, limits: Limits) -> None:
        """Keeps *request* as the meaning of *line*."""
        kind: Callable[..., Request] = type(request)
        names = KEPT.get(type(request))
        rest = line.partition(b" ")[2]
        if names is None or len(rest) > LINE_BYTES:
            return
        if limits is not self._limits or len(self._known) + len(self._of_one) >= MOST:
            self._limits = limits
            self._known.clear()
            self._of_one.clear()
        arguments = [getattr(request, name) for name in names]
        if not isinstance(request, OF_MESSAGES):
            self._known[rest, utf8] = lambda tag: kind(tag, *arguments)
        elif (found := OF_ONE_MESSAGE.fullmatch(rest)) is not None:
            by_uid, _, *others = arguments
            self._of_one[found[1], found[3], utf8] = lambda tag, number: kind(
                tag, by_uid, SequenceSet(((number, number),)), *others
            )
