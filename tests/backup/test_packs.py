"""Packs: what is written comes back, and damage or a cut at any octet is noticed."""

from __future__ import annotations

import os
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.backup.damage import Damage
from mektup.backup.packs import (
    HEADER_BYTES,
    PIECE_BYTES,
    SYNC_BYTES,
    Kind,
    Name,
    PackWriter,
    digest_of,
    index_of,
    pieces,
    read_index,
    scan,
)
from mektup.backup.shelf import index_path, indexed, publish, salvage
from mektup.store import system
from mektup.terms.texts import Text

objects = st.lists(st.binary(max_size=300) | st.binary(min_size=1, max_size=3).map(lambda each: each * 500), max_size=6)


def name_of(octets: bytes) -> Name:
    return Name(Kind.MESSAGE, digest_of(octets))


def write(directory: Path, contents: list[bytes], *, streamed: bool = False) -> PackWriter:
    writer = PackWriter(directory / "1.pack.part")
    for octets in contents:
        if streamed:
            adding = writer.stream(name_of(octets), len(octets))
            for start in range(0, len(octets), 100):
                adding.write(octets[start : start + 100])
            adding.end()
        else:
            writer.add(name_of(octets), octets)
    writer.seal()
    return writer


def read(path: Path) -> tuple[list[bytes], list[Text]]:
    """The objects that can be read, and what is wrong."""
    problems: list[Text] = []
    found: list[bytes] = []
    with open(path, "rb") as file:
        for header in scan(path, problems.append):
            try:
                found.append(b"".join(pieces(file, path, header)))
            except Damage as damage:
                problems.append(damage.text)
    return found, problems


@given(objects, st.booleans())
def test_what_is_written_is_read(contents: list[bytes], streamed: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        writer = write(Path(directory), contents, streamed=streamed)
        assert read(writer.path) == (contents, [])
        assert writer.octets == writer.path.stat().st_size


@given(objects.filter(bool), st.data())
def test_any_changed_octet_is_noticed_and_the_others_are_read(contents: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        writer = write(Path(directory), contents)
        octets = bytearray(writer.path.read_bytes())
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at] ^= data.draw(st.integers(1, 255))
        writer.path.write_bytes(octets)
        found, problems = read(writer.path)
        assert problems
        assert found == contents[: len(found)] or len(found) == len(contents) - 1
        assert all(each in contents for each in found)


@given(objects, st.data())
def test_of_a_pack_that_was_cut_off_all_whole_objects_are_kept(contents: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        writer = write(Path(directory), contents)
        ends = [offset for _, offset in writer.entries[1:]] + [writer.octets] if contents else []
        stop = data.draw(st.integers(0, writer.octets))
        with open(writer.path, "r+b") as file:
            file.truncate(stop)
        whole = sum(end <= stop for end in ends)
        assert salvage(writer.path) == whole
        pack = Path(directory) / "1.pack"
        assert pack.exists() == bool(whole)
        if whole:
            assert read(pack) == (contents[:whole], [])
            assert len(indexed(pack)) == whole


def test_an_empty_end_after_a_loss_of_power_is_not_taken_for_a_message(tmp_path: Path) -> None:
    writer = write(tmp_path, [b"one" * 50, b"two" * 50])
    octets = writer.path.read_bytes()
    last = writer.entries[1][1] + HEADER_BYTES
    writer.path.write_bytes(octets[:last] + bytes(len(octets) - last))
    assert salvage(writer.path) == 1
    assert read(tmp_path / "1.pack") == ([b"one" * 50], [])


def test_a_stream_with_other_octets_leaves_the_pack_as_it_was(tmp_path: Path) -> None:
    writer = PackWriter(tmp_path / "1.pack.part")
    writer.add(name_of(b"first"), b"first")
    adding = writer.stream(name_of(b"x" * 1000), 1000)
    adding.write(b"y" * 1000)
    with pytest.raises(Damage):
        adding.end()
    adding = writer.stream(name_of(b"short"), 1000)
    adding.write(b"short")
    with pytest.raises(Damage):
        adding.end()
    writer.add(name_of(b"last"), b"last")
    writer.seal()
    assert read(writer.path) == ([b"first", b"last"], [])


def test_an_index_that_is_lost_or_damaged_is_made_of_the_pack(tmp_path: Path) -> None:
    writer = write(tmp_path, [b"one", b"two" * 100])
    pack = publish(writer.path, writer.entries)
    whole = indexed(pack)
    index = index_path(pack)
    assert read_index(index) == whole
    for damage in (b"", index.read_bytes()[:-1], index.read_bytes().replace(b"mkI1", b"mkI2")):
        index.write_bytes(damage)
        with pytest.raises(Damage):
            read_index(index)
        assert sorted(indexed(pack)) == sorted(whole)
    index.unlink()
    assert sorted(indexed(pack)) == sorted(whole)


@given(st.lists(st.tuples(st.sampled_from(Kind), st.binary(min_size=20, max_size=20), st.integers(0, 2**40))))
def test_an_index_has_its_entries(entries: list[tuple[Kind, bytes, int]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "index"
        path.write_bytes(index_of((Name(kind, digest), offset) for kind, digest, offset in entries))
        assert read_index(path) == sorted((bytes((kind,)) + digest, offset) for kind, digest, offset in entries)


def test_few_octets_of_a_pack_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on the same file system waits for them all when it waits for a small write of its own."""
    on_disk = [0]
    sync = system.sync_data

    def noting(file: int) -> None:
        sync(file)
        on_disk.append(os.fstat(file).st_size)

    monkeypatch.setattr(system, "sync_data", noting)
    pack = PackWriter(tmp_path / "a.pack.part")
    for _ in range(40):
        octets = os.urandom(PIECE_BYTES)
        pack.add(Name(Kind.MESSAGE, digest_of(octets)), octets)
    pieces = [os.urandom(PIECE_BYTES) for _ in range(40)]
    adding = pack.stream(Name(Kind.MESSAGE, digest_of(b"".join(pieces))), len(pieces) * PIECE_BYTES)
    for piece in pieces:
        adding.write(piece)
    adding.end()
    on_disk.append(pack.octets)
    pack.seal()
    assert pack.octets > 80 * PIECE_BYTES
    assert max(after - before for before, after in pairwise(on_disk)) <= SYNC_BYTES + 2 * PIECE_BYTES
