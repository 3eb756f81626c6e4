"""A loss of power loses nothing; and where the disk ignores a sync, the program that says so notices it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reliability.disk.acts import Act
from reliability.disk.layer import Forgets
from reliability.disk.places import fast_directory
from reliability.power.cuts import Recorded, Tally, after, at_the_end, cuts_of, record, try_cuts

STEPS, CUTS = 10, 10
MANY_STEPS, MANY_CUTS = 20, 40


def syncs_of_wals(act: Act, path: str) -> bool:
    return act is Act.SYNC and path.endswith("-wal")


def syncs_of_databases(act: Act, path: str) -> bool:
    return act is Act.SYNC and path.endswith(".db")


def syncs_of_the_directory_of_accounts(act: Act, path: str) -> bool:
    return act is Act.SYNC_DIRECTORY and path.endswith("/accounts")


def syncs_of_the_certificate(act: Act, path: str) -> bool:
    return act is Act.SYNC and "self-signed" in path


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory in memory, where what is kept after a failure goes, too."""
    with tempfile.TemporaryDirectory(dir=fast_directory()) as base:
        monkeypatch.setattr(tempfile, "tempdir", base)
        yield Path(base)


async def failures(recorded: Recorded, base: Path, cuts: int = CUTS) -> list[str]:
    tally = Tally()
    await try_cuts(recorded, cuts_of(recorded, cuts), base / "cut", tally)
    assert tally.cuts == cuts
    return tally.failures


async def test_a_cut_loses_nothing_whatever_the_workload_began_with(base: Path) -> None:
    first = await record(1, STEPS, base / "recorded")
    assert await failures(first, base) == []
    for start in (after(first, cuts_of(first, CUTS)[-1]), at_the_end(first, 3)):
        assert await failures(await record(2, STEPS, base / "recorded", start), base) == []


@pytest.mark.parametrize(
    "forgets",
    [syncs_of_wals, syncs_of_databases, syncs_of_the_directory_of_accounts, syncs_of_the_certificate],
)
async def test_a_sync_that_is_ignored_is_noticed(base: Path, forgets: Forgets) -> None:
    recorded = await record(1, MANY_STEPS, base / "recorded", forgets=forgets)
    found = await failures(recorded, base, MANY_CUTS)
    assert found
    assert Path(found[0].split("--again ")[1].split("\n")[0]).parent == base
