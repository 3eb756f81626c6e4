"""The grammar of metadata: what is written is read again, and a mistake is a ClientError."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.errors import ClientError
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.wire import commands
from mektup.wire.receiver import RawCommand
from mektup.wire.requests import GetMetadata, Request, SetMetadata

LEVELS = st.lists(st.text(st.sampled_from("abcXYZ0.-_()\\"), min_size=1, max_size=5), min_size=1, max_size=4)
ENTRIES = st.builds(
    lambda scope, levels: f"/{scope}/own/{'/'.join(levels)}", st.sampled_from(["private", "shared"]), LEVELS
)
VALUES = st.none() | st.binary(max_size=20)
DEPTHS = {b"0": 0, b"1": 1, b"infinity": None}


def parsed(line: bytes, *literals: bytes) -> Request:
    """*line* has a NUL where each of *literals* is."""
    return commands.parse(RawCommand(tuple(line.split(b"\0")), literals), utf8=False, limits=DEFAULT_LIMITS)


def quoted(text: str) -> bytes:
    escaped = text.replace("\\", "\\\\")
    return f'"{escaped}"'.encode()


@given(st.dictionaries(ENTRIES, VALUES, min_size=1, max_size=5))
def test_values_are_read_with_any_octets(values: dict[str, bytes | None]) -> None:
    pieces = [b"%b %b" % (quoted(name), b"NIL" if value is None else b"\0") for name, value in values.items()]
    literals = [value for value in values.values() if value is not None]
    expected = tuple((name.lower(), value) for name, value in values.items())
    assert parsed(b"a SETMETADATA INBOX (%b)" % b" ".join(pieces), *literals) == SetMetadata(b"a", "INBOX", expected)


@given(st.lists(ENTRIES, min_size=1, max_size=5), st.none() | st.integers(0, 2**32 - 1), st.sampled_from(list(DEPTHS)))
def test_options_stand_before_or_after_the_mailbox(names: list[str], maxsize: int | None, depth: bytes) -> None:
    written = b" ".join(map(quoted, names))
    options = b"DEPTH %b" % depth + (b"" if maxsize is None else b" MAXSIZE %d" % maxsize)
    once = tuple(dict.fromkeys(name.lower() for name in names))
    expected = GetMetadata(b"a", "INBOX", once, maxsize, DEPTHS[depth])
    assert parsed(b"a GETMETADATA (%b) INBOX (%b)" % (options, written)) == expected
    assert parsed(b"a getmetadata inbox (%b) (%b)" % (options, written)) == expected
    assert parsed(b"a GETMETADATA (%b) INBOX %b" % (options, written)) == expected


@given(st.sampled_from([b"GETMETADATA", b"SETMETADATA"]), st.binary(max_size=60))
def test_any_octets_are_a_request_or_a_mistake(word: bytes, rest: bytes) -> None:
    with suppress(ClientError):
        assert parsed(b"a %b %b" % (word, rest.replace(b"\0", b""))).tag == b"a"


@pytest.mark.parametrize(
    "name", ["", "/", "comment", "/private/", "/private//x", "/privatex", "/private/*", "/shared/\x7f"]
)
def test_no_name_of_an_entry(name: str) -> None:
    with pytest.raises(ClientError):
        parsed(b"a GETMETADATA INBOX %b" % quoted(name))
