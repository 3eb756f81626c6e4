"""A LineBuffer returns the lines that it was fed, and refuses lines that are too long."""

import pytest

from mektup.terms.errors import ClientError
from mektup.terms.lines import LONGEST_END, LineBuffer, without_end


def test_lines() -> None:
    lines = LineBuffer(100)
    lines.feed(b"one\r\ntwo\nthr")
    assert lines.next_line() == b"one"
    assert lines.next_line() == b"two"
    assert lines.next_line() is None
    assert lines.has_buffered
    lines.feed(b"ee\r\r\n\r\n")
    assert lines.next_line() == b"three"
    assert lines.next_line() == b""
    assert not lines.has_buffered


def test_a_crlf_that_telnet_read_from_a_pipe_ends_a_line() -> None:
    lines = LineBuffer(100)
    lines.feed(b"USER linda\r\0\r\nSTAT\r\n")
    assert lines.next_line() == b"USER linda"
    assert lines.next_line() == b"STAT"


def test_a_line_has_one_end() -> None:
    assert without_end(b"a\r\r\r\r") == b"a\r\r"
    assert without_end(b"a\r\0\r\0\r") == b"a\r\0"


@pytest.mark.parametrize("end", [b"", b"\r", b"\r\r", b"\r\0\r", b"\r\r\r", b"\r" * 50], ids=repr)
def test_the_end_of_the_longest_line_may_come_in_pieces(end: bytes) -> None:
    octets = b"a" * 10 + end + b"\nb\n"
    first = TOO_LONG if end.startswith(b"\r\r\r") else b"a" * 10
    assert came(octets, 1) == came(octets, 2) == came(octets, 100) == [first, b"b"]


def test_take_all() -> None:
    lines = LineBuffer(100)
    lines.feed(b"DATA\r\nbody\r\n")
    assert lines.next_line() == b"DATA"
    assert lines.take_all() == b"body\r\n"
    assert lines.next_line() is None


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_line_that_is_too_long_is_skipped(piece: int) -> None:
    octets = b"a" * 10 + b"\r\n" + b"b" * 11 + b"\r\n" + b"c" * 500 + b"\r\nd\r\n"
    assert came(octets, piece) == [b"a" * 10, TOO_LONG, TOO_LONG, b"d"]


TOO_LONG = "A line may have at most 10 octets"


def came(octets: bytes, piece: int) -> list[bytes | str]:
    """The lines of at most 10 octets in *octets*, which come in pieces, and the errors."""
    lines = LineBuffer(10)
    found: list[bytes | str] = []
    for start in range(0, len(octets), piece):
        lines.feed(octets[start : start + piece])
        assert len(lines._buffer) <= 10 + LONGEST_END + piece
        while True:
            try:
                line = lines.next_line()
            except ClientError as mistake:
                found.append(str(mistake))
                continue
            if line is None:
                break
            found.append(line)
    return found
