"""Checks a backup: the octets of every object against its digest, and that every list of messages is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mektup.backup import texts
from mektup.backup.damage import Damage
from mektup.backup.manifests import PAGE_UIDS, Manifest, SavedMailbox, shown
from mektup.backup.packs import Kind, Name, index_of, pieces, read_named
from mektup.backup.shelf import Objects, Shelf, index_path, indexed
from mektup.store import files
from mektup.terms.errors import Refused
from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet
from mektup.terms.texts import ABOUT, Text


@dataclass(slots=True)
class Report:
    """What a check found."""

    runs: int = 0
    objects: int = 0
    octets: int = 0
    """The octets of the objects."""
    problems: list[Text] = field(default_factory=list)
    """What is damaged, and what is lost by it."""
    known: list[Text] = field(default_factory=list)
    """What was damaged in the store already, when the backup was made."""


class Verifying:
    """One check."""

    def __init__(
        self, shelf: Shelf, progress: Callable[[Path], None] = lambda path: None, *, forget: bool = False
    ) -> None:
        """*progress* gets each file that is read.

        With *forget*, damaged objects are removed from the indices of their packs, so that the next run that reads
        everything stores them again. Else nothing is written.
        """
        self._shelf, self._progress, self._forget = shelf, progress, forget
        self._bad: dict[bytes, Text] = {}
        """Why an object cannot be read, by its key."""
        self._bad_copies: set[tuple[Path, int]] = set()
        """The packs and offsets of the objects that cannot be read."""
        self._read: list[Path] = []
        """The packs that could be read, maybe not all that is in them."""
        self.report = Report()

    def run(self) -> Report:
        """Reads everything. Raises OSError, Refused where the backup's directory cannot be read at all."""
        for pack in self._shelf.packs():
            self._progress(pack)
            self._pack(pack)
        self._forgive_bad_copies()
        for problem in self._bad.values():
            self._problem(problem)
        objects = Objects(self._shelf, packs=self._read)
        checked: set[tuple[str, str]] = set()
        for stamp in self._shelf.runs():
            self.report.runs += 1
            try:
                run = self._shelf.run(stamp)
            except (OSError, Refused) as error:
                self._problem(_words(error))
                continue
            for saved in run.accounts:
                if (saved.id, saved.manifest) not in checked:
                    checked.add((saved.id, saved.manifest))
                    self._account(objects, saved.id, saved.manifest, saved.name)
        objects.close()
        return self.report

    def _problem(self, problem: Text) -> None:
        self.report.problems.append(problem)

    # Packs

    def _pack(self, pack: Path) -> None:
        if not index_path(pack).is_file():
            self._problem(ABOUT.of(place=index_path(pack), problem=texts.INDEX_MISSING))
        try:
            listed = sorted(indexed(pack), key=lambda entry: entry[1])
            with open(pack, "rb") as file:
                good = [(key, offset) for key, offset in listed if self._is_good(file, pack, key, offset)]
        except (OSError, Damage) as error:
            self._problem(_words(error))
            return
        self._read.append(pack)
        if self._forget and len(good) < len(listed):
            # a dictionary, because an object may be there twice
            kept = {key: (Name(Kind(key[0]), key[1:]), offset) for key, offset in good}
            files.write(index_path(pack), index_of(kept.values()))

    def _is_good(self, file: BinaryIO, pack: Path, key: bytes, offset: int) -> bool:
        try:
            header = read_named(file, pack, key, offset)
            for _ in pieces(file, pack, header):
                pass
        except (OSError, Damage) as error:
            self._bad.setdefault(key, _words(error))
            self._bad_copies.add((pack, offset))
            return False
        self.report.objects += 1
        self.report.octets += header.size
        return True

    def _forgive_bad_copies(self) -> None:
        """Leaves out the bad objects of which there is a good copy."""
        for pack in self._read if self._bad else ():
            for key, offset in indexed(pack):
                if (pack, offset) not in self._bad_copies:
                    self._bad.pop(key, None)

    # Accounts

    def _account(self, objects: Objects, account: str, stamp: str, name: str) -> None:
        try:
            manifest = self._shelf.manifest(account, stamp)
        except (OSError, Refused) as error:
            self._problem(texts.OF_TIME.of(account=name, time=shown(stamp), problem=_words(error)))
            return
        for mailbox in manifest.mailboxes:
            for problem in self._mailbox(objects, manifest, mailbox):
                self._problem(texts.OF_TIME.of(account=f"{name}, {mailbox.name}", time=shown(stamp), problem=problem))

    def _mailbox(self, objects: Objects, manifest: Manifest, mailbox: SavedMailbox) -> Iterator[Text]:
        before = frozenset(manifest.damaged)
        for page in mailbox.pages:
            try:
                listed = objects.page(page.digest)
            except (OSError, Refused) as error:
                first = max(1, page.number * PAGE_UIDS)
                yield texts.LIST_DAMAGED.of(count=page.messages, first=first, problem=_words(error))
                continue
            lost: dict[Text, list[int]] = defaultdict(list)
            damaged_before: list[int] = []
            for each in listed.messages:
                name = Name(Kind.MESSAGE, bytes.fromhex(each.digest))
                if name.key in self._bad:
                    lost[self._bad[name.key]].append(each.uid)
                elif name not in objects:
                    if each.digest in before:
                        damaged_before.append(each.uid)
                    else:
                        lost[texts.OBJECT_MISSING].append(each.uid)
            for problem, uids in lost.items():
                yield texts.MESSAGES_DAMAGED.of(uids=_uids(uids), count=len(uids), problem=problem)
            if damaged_before:
                problem = texts.DAMAGED_BEFORE.of(uids=_uids(damaged_before), count=len(damaged_before))
                place = texts.IN_MAILBOX.of(account=manifest.name, mailbox=mailbox.name, problem=problem)
                self.report.known.append(place)


def _uids(uids: list[int]) -> str:
    return bytes(NumberSet[Uid].of_sorted(uids)).decode("ascii")


def _words(error: OSError | Refused) -> Text:
    return error.text if isinstance(error, Refused) else files.reason(error)
