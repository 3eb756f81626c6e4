"""Makes one command from text, like the receiver."""

import pytest

from mektup.terms.errors import ClientError
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.wire.commands import parse
from mektup.wire.receiver import RawCommand
from mektup.wire.requests import Request, StoredLiteral


class Message:
    """A message literal that is stored elsewhere."""

    def __init__(self, size: int) -> None:
        self.size = size


def command(line: str | bytes, *literals: bytes | StoredLiteral) -> RawCommand:
    """*line* with a literal in place of each ``{}``."""
    octets = line.encode("utf-8") if isinstance(line, str) else line
    fragments = tuple(octets.split(b"{}"))
    assert len(fragments) == len(literals) + 1
    return RawCommand(fragments, literals)


def parsed(
    line: str | bytes, *literals: bytes | StoredLiteral, utf8: bool = False, limits: Limits = DEFAULT_LIMITS
) -> Request:
    return parse(command(line, *literals), utf8=utf8, limits=limits)


def complaint(
    line: str | bytes, *literals: bytes | StoredLiteral, utf8: bool = False, limits: Limits = DEFAULT_LIMITS
) -> str:
    """The error text that the client gets for *line*, with the column."""
    with pytest.raises(ClientError) as error:
        parsed(line, *literals, utf8=utf8, limits=limits)
    text = str(error.value)
    assert text.isascii()
    assert text.isprintable()
    return text
