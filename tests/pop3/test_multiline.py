"""Messages as multi-line responses, whatever pieces the store returns."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.pop3.multiline import Stuffer, TopCutter


def _pieces(octets: bytes, sizes: list[int]) -> list[bytes]:
    cuts = sorted({0, *(size for size in sizes if size < len(octets)), len(octets)})
    return [octets[start:stop] for start, stop in pairwise(cuts)]


def _stuffed(octets: bytes, sizes: list[int]) -> bytes:
    stuffer = Stuffer()
    return b"".join([*map(stuffer.take, _pieces(octets, sizes)), stuffer.finish()])


def _cut(octets: bytes, lines: int, sizes: list[int]) -> bytes:
    cutter = TopCutter(lines)
    return b"".join(map(cutter.take, _pieces(octets, sizes)))


@pytest.mark.parametrize(
    ("octets", "stuffed"),
    [
        (b"", b".\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\n..b\r\n", b"a\r\n..\r\n...b\r\n.\r\n"),
        (b"a.\r\n \r\n", b"a.\r\n \r\n.\r\n"),
        (b"a\r.\r\n", b"a\r.\r\n.\r\n"),
        (b"a\r", b"a\r\r\n.\r\n"),
    ],
)
def test_dots_are_stuffed(octets: bytes, stuffed: bytes) -> None:
    assert _stuffed(octets, []) == stuffed
    assert _stuffed(octets, list(range(len(octets)))) == stuffed


@given(st.lists(st.sampled_from([b".", b"\r\n", b"\r", b"a"]), max_size=20), st.lists(st.integers(1, 40)))
def test_pieces_make_no_difference(parts: list[bytes], sizes: list[int]) -> None:
    octets = b"".join(parts)
    stuffed = _stuffed(octets, sizes)
    assert stuffed == _stuffed(octets, [])
    assert stuffed.endswith(b"\r\n.\r\n") or stuffed == b".\r\n"
    body = stuffed.removesuffix(b".\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + body
    given_back = (b"\r\n" + body).replace(b"\r\n.", b"\r\n")[2:]
    assert given_back == octets + (b"" if octets.endswith(b"\r\n") or not octets else b"\r\n")


def test_the_end_comes_with_the_last_line() -> None:
    stuffer = Stuffer()
    assert stuffer.take(b"first\r\n") == b""
    assert stuffer.take(b"last\r\n") == b"first\r\n"
    assert stuffer.finish() == b"last\r\n.\r\n"


MESSAGE = b"Subject: x\r\nTo: y\r\n\r\none\r\ntwo\r\nthree"


@pytest.mark.parametrize(
    ("octets", "lines", "top"),
    [
        (MESSAGE, 0, b"Subject: x\r\nTo: y\r\n\r\n"),
        (MESSAGE, 1, b"Subject: x\r\nTo: y\r\n\r\none\r\n"),
        (MESSAGE, 2, b"Subject: x\r\nTo: y\r\n\r\none\r\ntwo\r\n"),
        (MESSAGE, 3, MESSAGE),
        (MESSAGE, 4, MESSAGE),
        (b"\r\nbody\r\nmore\r\n", 1, b"\r\nbody\r\n"),
        (b"\r\n\r\nbody\r\n", 1, b"\r\n\r\n"),
        (b"Subject: no body\r\n", 1, b"Subject: no body\r\n"),
        (b"Subject: no body\r\n\r\n", 9, b"Subject: no body\r\n\r\n"),
        (b"", 1, b""),
    ],
)
def test_top(octets: bytes, lines: int, top: bytes) -> None:
    assert _cut(octets, lines, []) == top
    assert _cut(octets, lines, list(range(len(octets)))) == top


def test_top_knows_when_it_is_done() -> None:
    cutter = TopCutter(1)
    assert cutter.take(b"Subject: x\r\n\r\none\r") == b"Subject: x\r\n\r\none\r"
    assert not cutter.is_done
    assert cutter.take(b"\ntwo\r\n") == b"\n"
    assert cutter.is_done
    assert cutter.take(b"three\r\n") == b""
