"""The memory of a backup's commands does not grow with the number of its objects."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from mektup.backup import compression, key_map
from mektup.backup.manifests import (
    FORMAT,
    Listed,
    Manifest,
    Page,
    PageName,
    Run,
    SavedAccount,
    SavedMailbox,
    encoded,
)
from mektup.backup.packs import Kind, Name, digest_of
from mektup.backup.pruning import prune
from mektup.backup.shelf import Objects, Shelf, open_shelf
from mektup.backup.taking import _Wanted
from mektup.backup.targets import DirectoryTarget
from mektup.backup.verifying import Verifying
from mektup.store.moments import KeptMessage
from mektup.terms.numbers import ContentId, ModSeq, Uid

A_PAGE = 1000
FEW, MANY = 4 * A_PAGE, 16 * A_PAGE
OCTETS_FOR_EACH = 30
"""So much more memory may be used for each object that is more. A dictionary's entry takes some 150."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the bounded part of the memory far below what is measured."""
    monkeypatch.setattr(key_map, "MOST_IN_MEMORY", 500)


def message(number: int) -> bytes:
    return b"Subject: %d\r\n\r\nHello\r\n" % number


def filled(directory: Path, messages: int) -> Shelf:
    """A backup of two runs: each has half of the messages, in packs and pages of ``A_PAGE`` messages."""
    shelf = open_shelf(directory)
    for half, stamp in enumerate(("20270101T000000Z", "20270102T000000Z")):
        target = DirectoryTarget(shelf, Objects(shelf), stamp)
        pages = []
        for first in range(half * messages // 2, (half + 1) * messages // 2, A_PAGE):
            pack, listed = target.begin_pack(), []
            for number in range(first, first + A_PAGE):
                octets = message(number)
                digest = digest_of(octets)
                pack.add(Name(Kind.MESSAGE, digest), octets)
                listed.append(Listed(number + 1, 0, 1, 0, 0, 0, len(octets), digest.hex()))
            page = encoded(Page(((),), tuple(listed)))
            pack.add(Name(Kind.PAGE, digest_of(page)), page)
            target.finish_pack(pack)
            pages.append(PageName(len(pages), digest_of(page).hex(), A_PAGE, 0))
        manifest = manifest_of(stamp, pages)
        target.put_manifest(manifest, compression.packed(encoded(manifest)))
        run = run_of(stamp, messages // 2)
        target.put_run(run, compression.packed(encoded(run)))
    return shelf


def manifest_of(stamp: str, pages: list[PageName]) -> Manifest:
    mailbox = SavedMailbox(
        id=1,
        name="INBOX",
        uidvalidity=1,
        uidnext=MANY,
        highestmodseq=1,
        messages=A_PAGE * len(pages),
        unseen=0,
        deleted=0,
        size=0,
        mailboxid="m",
        special_use=None,
        selectable=True,
        keywords=(),
        access={},
        metadata=(),
        pages=tuple(pages),
    )
    return Manifest(
        format=FORMAT,
        account="a" * 32,
        name="linda",
        taken=stamp,
        modseq=1,
        uidvalidity=1,
        subscriptions=(),
        quota={},
        metadata=(),
        mailboxes=(mailbox,),
        damaged=(),
    )


def run_of(stamp: str, messages: int) -> Run:
    saved = SavedAccount(
        id="a" * 32, name="linda", secrets={}, hidden=(), manifest=stamp, messages=messages, size=0, failed=False
    )
    return Run(format=FORMAT, taken=stamp, whole=True, accounts=(saved,), metadata=(), domains=(), aliases=(), files={})


def growth(work: Callable[[int], object]) -> float:
    """How many octets of memory *work* takes more for each object more."""
    most = []
    for objects in (FEW, MANY):
        tracemalloc.start()
        try:
            work(objects)
            most.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return (most[1] - most[0]) / (MANY - FEW)


def test_to_verify(tmp_path: Path) -> None:
    shelves = {objects: filled(tmp_path / str(objects), objects) for objects in (FEW, MANY)}

    def verify(objects: int) -> None:
        report = Verifying(shelves[objects]).run()
        assert (report.problems, report.objects) == ([], objects + objects // A_PAGE)

    assert growth(verify) < OCTETS_FOR_EACH


def test_to_prune(tmp_path: Path) -> None:
    shelves = {objects: filled(tmp_path / str(objects), objects) for objects in (FEW, MANY)}

    def pruned(objects: int) -> None:
        assert prune(shelves[objects], 1, "20270103T000000Z").runs == 1
        assert len(shelves[objects].packs()) == objects // 2 // A_PAGE

    assert growth(pruned) < OCTETS_FOR_EACH


def test_to_know_what_an_earlier_backup_has(tmp_path: Path) -> None:
    shelves = {objects: filled(tmp_path / str(objects), objects) for objects in (FEW, MANY)}

    def look(objects: int) -> None:
        found = Objects(shelves[objects])
        assert Name(Kind.MESSAGE, digest_of(message(objects - 1))) in found
        assert Name(Kind.MESSAGE, digest_of(message(objects))) not in found

    assert growth(look) < OCTETS_FOR_EACH


def test_to_list_what_must_be_read() -> None:
    def listing(objects: int) -> None:
        with _Wanted() as wanted:
            for number in range(objects):
                digest = digest_of(message(number))
                for _ in range(2):
                    kept = KeptMessage(Uid(number + 1), 0, ModSeq(1), ContentId(number), 0, 0, 0, 0, digest)
                    wanted.add("INBOX", kept)
            assert len(wanted) == objects
            read = 0
            for batch in wanted.batches():
                read += len(batch)
            assert (read, batch[-1].uid, batch[-1].mailbox) == (objects, objects, "INBOX")
            assert batch[-1].name == Name(Kind.MESSAGE, digest)

    assert growth(listing) < OCTETS_FOR_EACH
