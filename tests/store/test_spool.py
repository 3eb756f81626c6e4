"""A message while it is received."""

from __future__ import annotations

import errno
import mmap
import os
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.store import spool as module
from mektup.store.spool import MEMORY_BYTES, Spool, SpoolFile, SpoolMemory, Stretch
from mektup.terms.errors import Code, Refused


def spooled(*pieces: bytes) -> bytes:
    with Spool() as spool:
        for piece in pieces:
            spool.write(piece)
        return bytes(spool.octets())


@pytest.mark.parametrize(
    ("pieces", "octets"),
    [
        ((), b""),
        ((b"",), b""),
        ((b"a\r\nb",), b"a\r\nb"),
        ((b"a\nb\n",), b"a\r\nb\r\n"),
        ((b"a\r", b"\nb"), b"a\r\nb"),
        ((b"a\r", b"", b"\nb"), b"a\r\nb"),
        ((b"a", b"\nb"), b"a\r\nb"),
        ((b"\n",), b"\r\n"),
        ((b"\r", b"\r", b"\n"), b"\r\r\n"),
        ((b"\r\n", b"\n"), b"\r\n\r\n"),
        ((b"\r", b"\n\n\r\n"), b"\r\n\r\n\r\n"),
        ((b"a\rb\r",), b"a\rb\r"),
        ((b"\0\xff\n",), b"\0\xff\r\n"),
    ],
)
def test_a_bare_line_feed_becomes_crlf_and_nothing_else_changes(pieces: tuple[bytes, ...], octets: bytes) -> None:
    assert spooled(*pieces) == octets


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\0", b""]), max_size=20), st.data())
def test_the_ends_of_pieces_do_not_matter(pieces: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=4)))
    cut = [raw[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert spooled(*cut) == re.sub(rb"(?<!\r)\n", b"\r\n", raw)


def test_size_counts_what_was_received() -> None:
    with Spool() as spool:
        spool.write(b"a\nb\n")
        spool.write(memoryview(b"c\n"))
        assert spool.size == 6
        assert bytes(spool.octets()) == b"a\r\nb\r\nc\r\n"


def test_a_large_message_goes_to_a_file_that_has_no_name(tmp_path: Path) -> None:
    piece = b"0123456789abcde\n" * 4096
    with Spool(directory=tmp_path) as spool:
        for _ in range(64):
            spool.write(piece)
        octets = spool.octets()
        assert isinstance(octets, mmap.mmap)
        assert list(tmp_path.iterdir()) == []
        assert len(octets) == 64 * (len(piece) + 4096)
        assert octets[:17] == b"0123456789abcde\r\n"
        assert spool.octets() is octets


def test_a_message_of_the_largest_small_size_stays_in_memory(tmp_path: Path) -> None:
    with Spool(directory=tmp_path) as spool:
        spool.write(b"x" * MEMORY_BYTES)
        assert isinstance(spool.octets(), bytes)
        spool.write(b"y")
        octets = spool.octets()
        assert isinstance(octets, mmap.mmap)
        assert octets[-2:] == b"xy"


def test_memory_stays_bounded_while_a_large_message_passes() -> None:
    piece = b"x" * 65_535 + b"\n"
    tracemalloc.start()
    try:
        with Spool() as spool:
            for _ in range(16 * 60):
                spool.write(piece)
            assert len(spool.octets()) == 60 * 1024 * 1024 + 16 * 60
            _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MEMORY_BYTES


def test_a_message_that_is_too_big_is_dropped() -> None:
    with Spool(limit=10) as spool:
        spool.write(b"0123456789")
        assert not spool.too_big
        assert spool.octets() == b"0123456789"
        spool.write(b"x")
        spool.write(b"y" * 100)
        assert spool.too_big
        assert spool.size == 111
        assert spool.octets() == b""


def test_the_limit_is_for_what_is_stored() -> None:
    with Spool(limit=10) as spool:
        spool.write(b"\n" * 6)
        assert spool.too_big


def test_closing_twice_is_closing_once() -> None:
    spool = Spool()
    spool.write(b"x" * (MEMORY_BYTES + 1))
    spool.octets()
    spool.close()
    spool.close()


def test_a_message_in_use_can_be_closed() -> None:
    spool = Spool()
    spool.write(b"x" * (MEMORY_BYTES + 1))
    octets = spool.octets()
    with memoryview(octets) as view:
        spool.close()
        assert view[0] == ord("x")


def test_a_full_disk_refuses_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(dir: Path | None) -> object:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "TemporaryFile", no_room)
    with Spool() as spool:
        spool.write(b"x" * (MEMORY_BYTES + 1))
        spool.write(b"y")
        assert spool.size == MEMORY_BYTES + 2
        with pytest.raises(Refused) as refusal:
            spool.octets()
    assert refusal.value.code is Code.DISKFULL


def test_spools_of_a_process_share_what_they_may_hold_in_memory(tmp_path: Path) -> None:
    budget = SpoolMemory(10)
    with Spool(directory=tmp_path, budget=budget) as first, Spool(directory=tmp_path, budget=budget) as second:
        first.write(b"x" * 6)
        second.write(b"y" * 4)
        assert (first.in_memory, second.in_memory, budget.held) == (6, 4, 10)
        second.write(b"z")
        assert (second.in_memory, budget.held) == (0, 6)
        assert bytes(second.octets()[:]) == b"yyyyz"
        assert first.octets() == b"x" * 6
    assert budget.held == 0


def test_a_message_that_is_too_big_gives_back_its_memory() -> None:
    budget = SpoolMemory()
    with Spool(limit=10, budget=budget) as spool:
        spool.write(b"x" * 10)
        assert budget.held == 10
        spool.write(b"x")
        assert budget.held == 0
    assert budget.held == 0


def test_spools_that_share_a_file_keep_their_octets_apart(tmp_path: Path) -> None:
    shared = SpoolFile(tmp_path)
    spools = [Spool(memory=10, shared=shared) for _ in range(3)]
    mails = [b"x" * 5000, b"short", b"y\r\n" * 3000]
    for spool, mail in zip(spools, mails, strict=True):
        for start in range(0, len(mail), 1000):
            spool.write(mail[start : start + 1000])
    assert [bytes(spool.octets()[:]) for spool in spools] == mails
    later = [spool.unmapped() for spool in spools]
    assert [each[:] for each in later] == mails
    assert later[2][4:10] == mails[2][4:10]
    assert [len(each) for each in later] == [5000, 5, 9000]
    for spool in spools:
        spool.close()
    shared.close()


def test_a_stretch_of_a_file_that_was_cut_fails(tmp_path: Path) -> None:
    with (tmp_path / "x").open("w+b") as file:
        file.write(b"abc")
        file.flush()
        with pytest.raises(OSError, match="ends too early"):
            Stretch(file, 1, 5)[:]
