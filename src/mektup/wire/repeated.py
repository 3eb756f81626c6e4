"""Commands that were understood before: a client says the same few again and again, with another tag.

What a line means depends on its octets, on whether names are UTF-8 and on the limits, and on nothing else. Only
commands that carry no secret and are often repeated are kept, and only short ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Final

from mektup.terms.limits import Limits
from mektup.wire.grammar import TAG
from mektup.wire.requests import Check, Idle, List, Noop, Request, Select, Status

KEPT: Final[dict[type[Request], list[str]]] = {
    kind: [field.name for field in fields(kind)[1:]] for kind in (Check, Idle, List, Noop, Select, Status)
}
"""With what they hold beside their tag. What names messages seldom comes twice."""

MOST: Final = 512
"""How many are kept; with one more, all are forgotten, as nothing could be cheaper."""

LINE_BYTES: Final = 256
"""The longest that is kept, its tag apart."""


class Repeated:
    """What lines stand for, of one process."""

    __slots__ = ("_known", "_limits")

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bool], Callable[[bytes], Request]] = {}
        self._limits: Limits | None = None

    def find(self, line: bytes, *, utf8: bool, limits: Limits) -> Request | None:
        """The request of *line*, a whole command, if one was kept that differs in its tag at most."""
        tag, _, rest = line.partition(b" ")
        make = self._known.get((rest, utf8))
        if make is None or limits is not self._limits or not TAG.fullmatch(tag):
            return None
        return make(tag)

    def keep(self, line: bytes, request: Request, *, utf8: bool, limits: Limits) -> None:
        """Notes that *line* is *request*."""
        kind: Callable[..., Request] = type(request)
        names = KEPT.get(type(request))
        rest = line.partition(b" ")[2]
        if names is None or len(rest) > LINE_BYTES:
            return
        if limits is not self._limits or len(self._known) >= MOST:
            self._limits = limits
            self._known.clear()
        arguments = [getattr(request, name) for name in names]
        self._known[rest, utf8] = lambda tag: kind(tag, *arguments)
