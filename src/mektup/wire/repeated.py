"""Which commands are worth parsing only once, because clients repeat the same few commands with another tag.

Commands about one message are repeated too, with another number or UID. The meaning of a line depends only on its
octets, on whether names are UTF-8, and on the limits, so ``commands`` caches it. Only short commands of kinds that
contain no secret and are often repeated are cached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mektup.terms.sets import SequenceSet
from mektup.wire.requests import Request

MOST: Final = 256
"""How many commands are cached of each kind: of whole lines, and of lines with the number of a message."""

LINE_BYTES: Final = 256
"""The longest line that is cached."""


def with_tag(request: Request) -> Callable[[bytes], Request]:
    """A function that makes *request* with another tag."""
    kind: Callable[..., Request] = type(request)
    arguments = [getattr(request, name) for name in request.__struct_fields__[1:]]
    return lambda tag: kind(tag, *arguments)


def with_tag_and_number(request: Request) -> Callable[[bytes, int], Request]:
    """A function that makes *request* with another tag and for another message."""
    kind: Callable[..., Request] = type(request)
    by_uid, _, *others = [getattr(request, name) for name in request.__struct_fields__[1:]]
    return lambda tag, number: kind(tag, by_uid, SequenceSet(((number, number),)), *others)
