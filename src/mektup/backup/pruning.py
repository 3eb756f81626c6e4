"""Removes old backups, and what only they had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mektup.backup import texts
from mektup.backup.damage import Damage
from mektup.backup.key_map import KeyMap
from mektup.backup.manifests import Run
from mektup.backup.packs import Kind, Name, read_named, stored_pieces
from mektup.backup.shelf import JSON_ENDING, RUNS, Objects, Shelf, index_path, indexed, new_pack, publish
from mektup.backup.targets import PACK_BYTES
from mektup.store import files
from mektup.terms.errors import Code, Refused

WORTHWHILE: Final = 0.75
"""A pack of whose octets less than this part is needed is written again without the rest."""


@dataclass(slots=True)
class Pruned:
    """What was removed."""

    runs: int = 0
    manifests: int = 0
    octets: int = 0
    """How much smaller the packs are."""


def kept_runs(shelf: Shelf, keep: int) -> list[Run]:
    """The runs to keep: the newest *keep* of all accounts, and those of some accounts since.

    Where there are not so many of all accounts, all runs are kept. Raises OSError, Damage, Refused.
    """
    runs: list[Run] = []
    whole = 0
    for stamp in reversed(shelf.runs()):
        run = shelf.run(stamp)
        runs.append(run)
        whole += run.whole
        if whole == keep:
            break
    return runs


def prune(shelf: Shelf, keep: int, stamp: str) -> Pruned:
    """Keeps the newest *keep* runs of all accounts; *stamp* is a new time, for new packs.

    Removes nothing where a list of messages that has to stay cannot be read. An interrupted prune loses nothing, and
    the next one goes on. Raises OSError, Damage, Refused.
    """
    pruned = Pruned()
    runs = kept_runs(shelf, keep)
    if not runs:
        raise Refused(Code.CANNOT, texts.NO_RUN.of(directory=shelf.directory))
    named = {(account.id, account.manifest) for run in runs for account in run.accounts}
    needed = _needed(shelf, named)
    kept = {run.taken for run in runs}
    for each in shelf.runs():
        if each not in kept:
            (shelf.directory / RUNS / f"{each}{JSON_ENDING}").unlink()
            pruned.runs += 1
    files.sync(shelf.directory / RUNS)
    for account in shelf.accounts():
        for each in shelf.manifests(account):
            if (account, each) not in named:
                shelf.manifest_path(account, each).unlink()
                pruned.manifests += 1
        if not shelf.manifests(account):
            _remove_if_empty(shelf.manifest_path(account, stamp).parent)
    pruned.octets = _rewrite(shelf, needed, stamp)
    return pruned


def _needed(shelf: Shelf, named: set[tuple[str, str]]) -> KeyMap:
    """The keys of the objects that the manifests *named* need."""
    needed = KeyMap()
    objects = Objects(shelf)
    try:
        for account, stamp in sorted(named):
            with _required():
                manifest = shelf.manifest(account, stamp)
            for page in (page for mailbox in manifest.mailboxes for page in mailbox.pages):
                name = Name(Kind.PAGE, bytes.fromhex(page.digest))
                if name.key not in needed:
                    needed.add(name.key)
                    with _required():
                        listed = objects.page(page.digest).messages
                    for each in listed:
                        needed.add(Name(Kind.MESSAGE, bytes.fromhex(each.digest)).key)
    finally:
        objects.close()
    return needed


@contextmanager
def _required() -> Iterator[None]:
    """A block that reads what a prune must know. Raises Refused where it cannot be read."""
    try:
        yield
    except (OSError, Refused) as error:
        raise Refused(Code.CORRUPTION, texts.PRUNE_REFUSED) from error


def _rewrite(shelf: Shelf, needed: KeyMap, stamp: str) -> int:
    """Removes packs without needed objects, and copies the needed ones of packs with few; returns the octets saved."""
    doomed: list[Path] = []
    rest: list[Path] = []
    saved = 0
    for pack in shelf.packs():
        there = _needed_in(pack, needed)
        if not there:
            doomed.append(pack)
        elif _used(pack, there) < WORTHWHILE * pack.stat().st_size:
            rest.append(pack)
    saved -= _copy(shelf, rest, needed, stamp)
    for pack in doomed + rest:
        saved += pack.stat().st_size
        # the index goes last: without it, a pack still is one, and without its pack it is nothing
        pack.unlink()
        index_path(pack).unlink(missing_ok=True)
    return saved


def _needed_in(pack: Path, needed: KeyMap) -> dict[bytes, int]:
    """The keys and offsets of the *needed* objects in *pack*."""
    return {key: offset for key, offset in indexed(pack) if key in needed}


def _used(pack: Path, there: dict[bytes, int]) -> int:
    """The octets that are needed of *pack*; all where it is damaged, so that it is left as it is."""
    try:
        with open(pack, "rb") as file:
            headers = [read_named(file, pack, key, offset) for key, offset in there.items()]
    except Damage:
        return pack.stat().st_size
    return sum(header.end - header.offset for header in headers)


def _copy(shelf: Shelf, packs: list[Path], needed: KeyMap, stamp: str) -> int:
    """Copies *needed* objects into new packs, as they are stored; returns the octets of these."""
    writer, written = None, 0
    for pack in packs:
        with open(pack, "rb") as file:
            for key, offset in sorted(_needed_in(pack, needed).items(), key=lambda item: item[1]):
                if writer is None:
                    writer = new_pack(shelf.directory, stamp)
                header = read_named(file, pack, key, offset)
                writer.copy(header, stored_pieces(file, pack, header))
                if writer.octets >= PACK_BYTES:
                    writer.seal()
                    written += publish(writer.path, writer.entries).stat().st_size
                    writer = None
    if writer is not None:
        writer.seal()
        written += publish(writer.path, writer.entries).stat().st_size
    return written


def _remove_if_empty(directory: Path) -> None:
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
