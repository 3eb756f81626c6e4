"""DATA ends only at CRLF.CRLF, whatever pieces it comes in."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.lmtp.data import Unstuffer


def _take(octets: bytes, sizes: list[int]) -> tuple[bytes, bytes | None]:
    """The message and the rest, from *octets* cut at *sizes*."""
    unstuffer = Unstuffer()
    message = b""
    cuts = sorted({0, *(size for size in sizes if size < len(octets)), len(octets)})
    for start, stop in pairwise(cuts):
        given_octets, after = unstuffer.take(octets[start:stop])
        message += given_octets
        if after is not None:
            return message, after + octets[stop:]
    return message, None


CASES = [
    (b".\r\n", b"", b""),
    (b"\r\n.\r\n", b"\r\n", b""),
    (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n"),
    (b"..\r\n.\r\n", b".\r\n", b""),
    (b"..a\r\n.b\r\n.\r\n", b".a\r\nb\r\n", b""),
    (b"a\r\n..\r\n...\r\n.\r\n", b"a\r\n.\r\n..\r\n", b""),
    (b"a\r\r\n.\r\n", b"a\r\r\n", b""),
    (b"a\r\n.\r\n.\r\n", b"a\r\n", b".\r\n"),
    # after a bare LF
    (b"a\n..b\n...\n.c\n.\r\n.\r\n", b"a\n.b\n..\n.c\n.\r\n", b""),
    (b"a\n.\n..\r\n..\r\n.\r\n", b"a\n.\n.\r\n.\r\n", b""),
    (b"\n..\r\n.\r\n", b"\n.\r\n", b""),
]

# If a server took this for the end, a message could contain commands for it.
NO_ENDS = [
    b"\n.\r\n",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\n.\n",
    b"\r.\r",
    b"\n\r.\r\n",
    b"\r\n\x00.\r\n",
    b"\r\n.\r\r\n",
]


@pytest.mark.parametrize(("octets", "message", "after"), CASES)
def test_ends(octets: bytes, message: bytes, after: bytes) -> None:
    assert _take(octets, []) == (message, after)
    assert _take(octets, list(range(len(octets)))) == (message, after)


@pytest.mark.parametrize("middle", NO_ENDS)
def test_what_does_not_end_a_message(middle: bytes) -> None:
    octets = b"a" + middle + b"MAIL FROM:<>\r\n.\r\n"
    unstuffed = (b"a" + middle).replace(b"\r\n.", b"\r\n") + b"MAIL FROM:<>\r\n"
    assert _take(octets, []) == (unstuffed, b"")
    assert _take(octets, list(range(len(octets)))) == (unstuffed, b"")


LINES = st.lists(st.text(alphabet=".\r\na", max_size=5).filter(lambda line: "\r\n" not in line + "\n"), max_size=8)


@given(LINES, st.lists(st.integers(1, 60)), st.binary(max_size=10))
def test_stuffed_dots_are_removed(lines: list[str], sizes: list[int], after: bytes) -> None:
    raw = b"".join(line.encode() + b"\r\n" for line in lines)
    # as Python's smtplib does: a line begins after an LF
    stuffed = re.sub(rb"(?m)^\.", b"..", raw)
    assert _take(stuffed + b".\r\n" + after, sizes) == (raw, after)


def test_holds_back_at_most_four_octets() -> None:
    unstuffer = Unstuffer()
    given_octets, after = unstuffer.take(b"x" * 1000 + b"\r\n.\r")
    assert (len(given_octets), after) == (1000, None)
