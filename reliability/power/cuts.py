"""Cuts: states of the disk after a loss of power, each opened and held against the journal of its workload."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from random import Random
from unittest.mock import patch
from uuid import uuid4

from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId
from reliability.disk.image import Disk, Fate, Image
from reliability.disk.inline_threads import inline_threads
from reliability.disk.layer import Forgets, Layer
from reliability.disk.pictures import Picture
from reliability.disk.recording import Recording, Sync
from reliability.disk.small import small_bounds
from reliability.power.checks import Checks
from reliability.power.journal import DATA, Journal, Moment
from reliability.power.workload import SyncTrouble, Workload
from tests.store.sqlite.conftest import make_older

_PLACE_OF = "mektup.store.sqlite.store.place_of"
_BOOT = "mektup.store.sqlite.tables.recovery.boot"

PLAIN = tuple((data, names) for data in (Fate.DROPPED, Fate.KEPT) for names in (Fate.DROPPED, Fate.KEPT))
MIXED = tuple((data, names) for data in (Fate.CUT, Fate.SOME, Fate.TORN) for names in Fate if names is not Fate.TORN)


@dataclass(frozen=True, slots=True)
class Cut:
    """A loss of power at one point."""

    point: int
    data: Fate
    names: Fate
    seed: int
    wal_index: str
    """What a WAL-index has: nothing (there is none), zeros, or junk."""

    def __str__(self) -> str:
        return f"point {self.point}, data {self.data.value}, names {self.names.value}, wal-index {self.wal_index}"


@dataclass(slots=True)
class Recorded:
    """A workload that has ended, with all that it did to the disk."""

    seed: int
    recording: Recording
    journal: Journal
    limits: Limits
    compression: int | None
    begun: int
    """The first event of the workload; before it are those that make what was there."""


@dataclass(slots=True)
class Tally:
    """Counts."""

    workloads: int = 0
    cuts: int = 0
    states: int = 0
    operations: int = 0
    by_data: dict[str, int] = field(default_factory=dict)
    by_names: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Adds the counts of another one."""
        self.workloads += other.workloads
        self.cuts += other.cuts
        self.states += other.states
        self.operations += other.operations
        for mine, others in ((self.by_data, other.by_data), (self.by_names, other.by_names)):
            for fate, count in others.items():
                mine[fate] = mine.get(fate, 0) + count
        self.failures += other.failures


@contextmanager
def pretended(boot: str, places: dict[str, str], root: Path) -> Iterator[None]:
    """The machine has this boot, and the files below *root* have these places."""

    def place_of(path: Path) -> str:
        known = places.get(str(path.relative_to(root)))
        return f"recorded {known}" if known is not None else f"new {os.stat(path).st_ino}"

    with ExitStack() as stack:
        stack.enter_context(patch(_BOOT, lambda: boot))
        stack.enter_context(patch(_PLACE_OF, place_of))
        stack.enter_context(inline_threads())
        yield


@dataclass(frozen=True, slots=True)
class Start:
    """A data directory that a workload begins with."""

    image: Image
    before: Mapping[AccountId, Sequence[Moment[Picture]]]
    """What clients have seen of each account."""
    version: int | None = None
    """The accounts' files get this older version of the schema before the workload begins."""


async def record(
    seed: int,
    steps: int,
    root: Path,
    start: Start | None = None,
    forgets: Forgets = lambda act, path: False,
    failing_syncs: float = 0.0,
) -> Recorded:
    """Plays a workload below *root*, which is removed afterwards; *failing_syncs* is a share of the syncs of WALs."""
    random = Random(seed)
    limits = Limits(text_index=False, sync_flags=random.random() < 0.4)
    compression = random.choice((None, 3))
    slow = random.random() < 0.5
    trouble = SyncTrouble(Random(seed), failing_syncs)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root)
        if start is not None:
            _make(start.image, root)
            _make_older(root, start.version)
        layer = stack.enter_context(
            Layer(root, forgets=forgets, trouble=trouble, sync_seconds=partial(_sync_seconds, random, is_slow=slow))
        )
        stack.enter_context(small_bounds())
        stack.enter_context(_places_of(layer, root, f"the boot of {uuid4()}"))
        workload = Workload(layer, root, random, limits, compression, trouble)
        stack.callback(workload.end)
        if start is None:
            await workload.begin()
        else:
            layer.adopt(start.image.inodes)
            await workload.take_over(start.before)
        await workload.make_pair()
        for _ in range(steps):
            await workload.step()
        await workload.close()
        return Recorded(seed, layer.recording, workload.journal, limits, compression, layer.adopted)


def _sync_seconds(random: Random, *, is_slow: bool) -> float:
    return 0.0012 if is_slow and random.random() < 0.7 else 0.0


def _make_older(root: Path, version: int | None) -> None:
    if version is not None:
        for file in (root / DATA / "accounts").rglob("*.db"):
            make_older(file, version)
        make_older(root / DATA / "mektup.db", 1, "directory")


def at_the_end(recorded: Recorded, version: int | None) -> Start:
    """The data directory that a workload left."""
    disk = Disk(recorded.recording)
    disk.go_to(recorded.recording.now)
    image = disk.image(Random(0), Fate.KEPT, Fate.KEPT)
    return Start(image, _seen(recorded, recorded.recording.now), version)


def after(recorded: Recorded, cut: Cut) -> Start:
    """The data directory after a loss of power."""
    disk = Disk(recorded.recording)
    disk.go_to(cut.point)
    return Start(disk.image(Random(cut.seed), cut.data, cut.names), _seen(recorded, cut.point))


def _seen(recorded: Recorded, point: int) -> dict[AccountId, list[Moment[Picture]]]:
    return {account: list(history.seen(point)) for account, history in recorded.journal.accounts.items()}


@contextmanager
def _places_of(layer: Layer, root: Path, boot: str) -> Iterator[None]:
    with patch(_BOOT, lambda: boot), patch(_PLACE_OF, lambda path: f"recorded {layer.inode_of(path)}"):
        yield


def cuts_of(recorded: Recorded, count: int) -> list[Cut]:
    """Some *count* cuts, in order: around each sync first, then anywhere between."""
    random = Random(f"cuts of {recorded.seed}")
    events = recorded.recording.events
    ends = range(recorded.begun, len(events) + 1)
    syncs = sorted(
        {at for number, event in enumerate(events) if isinstance(event, Sync) for at in (number, number + 1)}
    )
    points = [at for at in syncs if at in ends]
    if len(points) > count:
        points = random.sample(points, count)
    while len(points) < count:
        points.append(random.choice(ends))
    return sorted((_cut(point, random) for point in points), key=lambda cut: cut.point)


def _cut(point: int, random: Random) -> Cut:
    data, names = random.choice(PLAIN if random.random() < 0.4 else MIXED)
    return Cut(point, data, names, random.getrandbits(32), random.choice(("missing", "zeros", "junk")))


async def try_cuts(recorded: Recorded, cuts: list[Cut], root: Path, tally: Tally) -> None:
    """Makes and checks the state of each of *cuts*, which ascend, below *root*."""
    disk = Disk(recorded.recording)
    known: set[bytes] = set()
    for cut in cuts:
        disk.go_to(cut.point)
        image = disk.image(Random(cut.seed), cut.data, cut.names)
        tally.cuts += 1
        tally.by_data[cut.data.value] = tally.by_data.get(cut.data.value, 0) + 1
        tally.by_names[cut.names.value] = tally.by_names.get(cut.names.value, 0) + 1
        state = _digest(image, cut.point)
        if state not in known:
            known.add(state)
            tally.states += 1
            await _try_cut(recorded, cut, image, root, tally)


async def _try_cut(recorded: Recorded, cut: Cut, image: Image, root: Path, tally: Tally) -> None:
    _make(image, root)
    _make_wal_indices(image, root, cut)
    checks = Checks(root, recorded.journal, recorded.limits, recorded.compression)
    places = {path: str(inode) for path, inode in image.inodes.items()}
    try:
        with pretended(f"the boot after {cut}", places, root):
            await checks.check(cut.point)
    except Exception as error:  # whatever it is, it is a finding
        lines = traceback.format_exception(error)
        kept = _keep(recorded, cut)
        tally.failures.append(f"seed {recorded.seed}, {cut}; repeat it with --again {kept}\n{''.join(lines[-4:])}")
    finally:
        shutil.rmtree(root)
    tally.operations += checks.operations


def _keep(recorded: Recorded, cut: Cut) -> Path:
    """Writes all that is needed to try *cut* again: with threads, a seed alone does not repeat every event."""
    file = Path(tempfile.gettempdir(), f"mektup-cut-{recorded.seed}-{cut.point}-{cut.seed}.pickle")
    file.write_bytes(pickle.dumps((recorded, cut)))
    return file


def _make(image: Image, root: Path) -> None:
    root.mkdir()
    for directory in image.directories:
        os.makedirs(root / directory, exist_ok=True)
    for path, octets in image.files.items():
        (root / path).write_bytes(octets)


def _make_wal_indices(image: Image, root: Path, cut: Cut) -> None:
    for path in image.files:
        if path.endswith(".db") and cut.wal_index != "missing":
            junk = bytes(32768) if cut.wal_index == "zeros" else Random(cut.seed).randbytes(32768)
            (root / f"{path}-shm").write_bytes(junk)


def _digest(image: Image, point: int) -> bytes:
    digest = blake2b(str(point).encode(), digest_size=16)
    for path, octets in sorted(image.files.items()):
        digest.update(f"{path} {len(octets)} ".encode())
        digest.update(octets)
    return digest.digest()
