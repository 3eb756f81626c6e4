"""One command from text, as the receiver would hand it over."""

import pytest

from mektup.terms.errors import ClientError
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.wire.commands import parse
from mektup.wire.receiver import RawCommand
from mektup.wire.requests import Request, StoredLiteral


class Message:
    """A message literal somewhere else."""

    def __init__(self, size: int) -> None:
        self.size = size


def command(line: str | bytes, *literals: bytes | StoredLiteral) -> RawCommand:
    """*line* with its literals where ``{}`` stands."""
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
    """What the client is told about *line*, column included."""
    with pytest.raises(ClientError) as error:
        parsed(line, *literals, utf8=utf8, limits=limits)
    text = str(error.value)
    assert text.isascii()
    assert text.isprintable()
    return text
