"""Reads the mboxes of Google Takeout: the labels of each message decide about its mailbox."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from mektup.migration import names
from mektup.migration.mbox.labels import SPECIAL_USES, Labelled, meaning_of
from mektup.migration.mbox.reading import MboxFile, Place, head_of, opened_octets, read_message, write_from
from mektup.migration.mbox.scanning import scan
from mektup.migration.mbox.status_fields import Status, read_status, without_fields
from mektup.migration.source import CannotRead, Head, SourceMailbox, Tell
from mektup.store import files
from mektup.terms.limits import Limits
from mektup.terms.names import INBOX


@dataclass(slots=True)
class _Box:
    """A mailbox that labels make: which messages of which files."""

    labelled: Labelled
    files: list[tuple[Path, array[int]]] = field(default_factory=list)
    """By file: where each message begins and ends, one after the other."""

    def add(self, path: Path, start: int, stop: int) -> None:
        if not self.files or self.files[-1][0] != path:
            self.files.append((path, array("Q")))
        self.files[-1][1].extend((start, stop))

    @property
    def messages(self) -> int:
        return sum(len(places) // 2 for _, places in self.files)


class TakeoutSource:
    """A ``FileSource``: mboxes whose messages have labels."""

    def __init__(self, boxes: Sequence[MboxFile], limits: Limits) -> None:
        self._boxes = boxes
        self._limits = limits

    def mailboxes(self, tell: Tell) -> Sequence[SourceMailbox]:
        """See ``FileSource``, also for the other methods."""
        found: dict[str, _Box] = {}
        seen: set[bytes] = set()
        for box in self._boxes:
            try:
                self._sort(box.path, found, seen)
            except CannotRead as error:
                tell(str(box.path), error.text)
            except OSError as error:
                tell(str(box.path), files.reason(error, box.path))
        return [
            SourceMailbox(
                name,
                f"{box.files[0][0]} ({name})",
                special_use=SPECIAL_USES.get(name),
                messages=box.messages,
                where=box,
            )
            for name, box in sorted(found.items(), key=lambda item: (item[0] != INBOX, item[0]))
        ]

    def _sort(self, path: Path, found: dict[str, _Box], seen: set[bytes]) -> None:
        """Adds the messages of a file to the mailboxes of their labels.

        An export of single labels has a message once for each label; the first one is taken.
        """
        with opened_octets(path) as octets:
            spans = scan(octets)
            for start, stop in zip(spans.starts, spans.stops, strict=True):
                line = octets.line(start)
                header = octets.header(start + len(line), stop)
                status = read_status(header, self._limits)
                own = blake2b(without_fields(header, status), digest_size=16).digest()
                if own not in seen:
                    seen.add(own)
                    labelled = _labelled(status)
                    name = names.usable(labelled.levels, self._limits)
                    found.setdefault(name, _Box(labelled)).add(path, start, stop)

    def heads(self, mailbox: SourceMailbox, tell: Tell) -> Iterator[Head]:
        box: _Box = mailbox.where
        for path, places in box.files:
            with opened_octets(path) as octets:
                for start, stop in zip(places[::2], places[1::2], strict=True):
                    line, status = read_message(octets, start, stop, self._limits)
                    place = Place(path, start, stop)
                    yield head_of(place, line, status, status.flags | _labelled(status).flags)

    def read(self, mailbox: SourceMailbox, head: Head, write: Callable[[bytes], object]) -> bool:
        return write_from(head.where, self._limits, write)


def _labelled(status: Status) -> Labelled:
    return meaning_of(status.labels or b"")


def has_labels(box: MboxFile, limits: Limits) -> bool:
    """Whether the first message of *box* has labels of Gmail. Raises OSError and CannotRead."""
    with opened_octets(box.path) as octets:
        line = octets.line(0)
        return read_status(octets.header(len(line), octets.size), limits).labels is not None
