"""A LineBuffer returns the lines that it was fed, and refuses lines that are too long."""

import pytest

from mektup.terms.errors import ClientError
from mektup.terms.lines import LineBuffer


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


def test_take_all() -> None:
    lines = LineBuffer(100)
    lines.feed(b"DATA\r\nbody\r\n")
    assert lines.next_line() == b"DATA"
    assert lines.take_all() == b"body\r\n"
    assert lines.next_line() is None


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_line_that_is_too_long_is_skipped(piece: int) -> None:
    lines = LineBuffer(10)
    octets = b"a" * 10 + b"\r\n" + b"b" * 11 + b"\r\n" + b"c" * 500 + b"\r\nd\r\n"
    came: list[bytes | str] = []
    for start in range(0, len(octets), piece):
        lines.feed(octets[start : start + piece])
        assert len(lines._buffer) <= 10 + 2 + piece
        while True:
            try:
                line = lines.next_line()
            except ClientError as mistake:
                came.append(str(mistake))
                continue
            if line is None:
                break
            came.append(line)
    complaint = "A line may have at most 10 octets"
    assert came == [b"a" * 10, complaint, complaint, b"d"]
