"""A log that cannot be written: nothing raises, nothing waits, and lost lines are counted and reported."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mektup.server.log_writer import QUEUE_BYTES, LogWriter


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for each in (reader, writer):
        try:
            os.close(each)
        except OSError:
            continue


def read_to_end(reader: int) -> list[bytes]:
    with open(reader, "rb", closefd=False) as file:
        return file.read().splitlines()


def test_lines_are_written_in_their_order(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    writer = LogWriter(descriptor)
    for number in range(1000):
        writer.write(f"line {number}\n")
    writer.close()
    os.close(descriptor)
    assert read_to_end(reader) == [b"line %d" % number for number in range(1000)]
    assert writer.dropped == 0


def test_a_stopped_log_reader_delays_nothing_and_gets_the_number_of_lost_lines(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    writer = LogWriter(descriptor)
    line = "x" * 999 + "\n"
    many = QUEUE_BYTES // 1000 + 1000
    for _ in range(many):
        writer.write(line)
    assert writer.dropped > 0
    dropped = writer.dropped
    got: list[bytes] = []
    reading = threading.Thread(target=lambda: got.extend(read_to_end(reader)))
    reading.start()
    writer.close(20)
    os.close(descriptor)
    reading.join(20)
    # reported in one line or in several, depending on when the writer can write
    told = [int(line.removeprefix(b"log_lines_dropped lines=")) for line in got if line.startswith(b"log")]
    assert sum(told) == dropped
    assert len(got) == many - dropped + len(told)


def test_a_reader_that_stopped_for_ever_does_not_hold_up_the_end(pipe: tuple[int, int]) -> None:
    _, descriptor = pipe
    writer = LogWriter(descriptor)
    for _ in range(1000):
        writer.write("x" * 999 + "\n")
    writer.close(0.01)
    writer.write("too late\n")
    assert writer.dropped == 1


def test_a_reader_that_went_is_survived_and_counted(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    os.close(reader)
    writer = LogWriter(descriptor)
    writer.write("one\n")
    writer.write("two\n")
    writer.close(20)
    assert writer.dropped == 2


@pytest.mark.parametrize("descriptor", [-1, 1_000_000])
def test_a_descriptor_that_is_not_there_is_survived(descriptor: int) -> None:
    writer = LogWriter(descriptor)
    writer.write("one\n")
    writer.close(20)
    assert writer.dropped == 1


def test_a_full_disk_is_survived_and_counted() -> None:
    with open("/dev/full", "wb") as full:
        writer = LogWriter(full.fileno())
        for _ in range(10):
            writer.write("one\n")
        writer.close(20)
    assert writer.dropped == 10


def test_after_a_failure_the_log_goes_on_with_a_new_line(tmp_path: Path) -> None:
    with open(tmp_path / "log", "wb") as file:
        writer = LogWriter(file.fileno())
        # half of a line was written before the disk was full
        os.write(file.fileno(), b"half")
        writer._torn = True
        writer.write("whole\n")
        writer.close(20)
    assert (tmp_path / "log").read_bytes() == b"half\nwhole\n"


def test_a_descriptor_that_somebody_made_non_blocking_loses_nothing(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_NONBLOCK)
    writer = LogWriter(descriptor)
    for number in range(500):
        writer.write(f"{number:0999}\n")
    got: list[bytes] = []
    reading = threading.Thread(target=lambda: got.extend(read_to_end(reader)))
    reading.start()
    writer.close(20)
    os.close(descriptor)
    reading.join(20)
    assert len(got) == 500
    assert writer.dropped == 0


def test_octets_that_are_no_text_are_written_out(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    writer = LogWriter(descriptor)
    writer.write("a \udcff b\n")
    writer.close(20)
    os.close(descriptor)
    assert read_to_end(reader) == [b"a \\udcff b"]
