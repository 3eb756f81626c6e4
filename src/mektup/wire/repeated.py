"""Commands that were understood before: a client says the same few again and again, with another tag.

So it does with those about one message, by its number or UID: the next asks the same of another one.

What a line means depends on its octets, on whether names are UTF-8 and on the limits, and on nothing else. Only
commands that carry no secret and are often repeated are kept, and only short ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mektup.terms.limits import Limits
from mektup.terms.sets import SequenceSet
from mektup.wire.grammar import OF_ONE_MESSAGE, TAG
from mektup.wire.requests import Check, Copy, Fetch, Idle, List, Move, Noop, Request, Select, Status, Store

OF_MESSAGES: Final = (Fetch, Store, Copy, Move)
"""Kept where they name one message, and then for any one."""

KEPT: Final[dict[type[Request], tuple[str, ...]]] = {
    kind: kind.__struct_fields__[1:] for kind in (Check, Idle, List, Noop, Select, Status, *OF_MESSAGES)
}
"""With what they hold beside their tag."""

MOST: Final = 512
"""How many are kept; with one more, all are forgotten, as nothing could be cheaper."""

LINE_BYTES: Final = 256
"""The longest that is kept, its tag apart."""


class Repeated:
    """What lines stand for, of one process."""

    __slots__ = ("_known", "_limits", "_of_one")

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bool], Callable[[bytes], Request]] = {}
        self._of_one: dict[tuple[bytes, bytes, bool], Callable[[bytes, int], Request]] = {}
        """By what stands before the number of a message, and behind it."""
        self._limits: Limits | None = None

    def find(self, line: bytes, *, utf8: bool, limits: Limits) -> Request | None:
        """The request of *line*, a whole command, if one was kept that differs in tag and number of message at most."""
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
        """Notes that *line* is *request*."""
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
