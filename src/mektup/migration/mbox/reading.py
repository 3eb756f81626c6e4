"""Reads mboxes: one file, or those of a tree of folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mektup.migration import names, texts
from mektup.migration.mbox.from_lines import date_of
from mektup.migration.mbox.message_octets import write_message
from mektup.migration.mbox.scanning import Octets, Spans, scan
from mektup.migration.mbox.status_fields import Status, read_status
from mektup.migration.reading_files import opened
from mektup.migration.source import CannotRead, Head, SourceMailbox, Tell
from mektup.store import files
from mektup.terms.limits import Limits
from mektup.terms.numbers import NO_MODSEQ, ModSeq

FROM: Final = b"From "

MODSEQ_OF_OTHERS: Final = ModSeq(1_000_000_000_000)
"""Higher than the HIGHESTMODSEQ that any client of such a file has seen."""


@dataclass(frozen=True, slots=True)
class MboxFile:
    """A file of a source, and the name of its mailbox."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class _Box:
    path: Path
    spans: Spans


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message is."""

    path: Path
    start: int
    stop: int


class MboxSource:
    """A ``FileSource``: each file is a mailbox."""

    def __init__(self, boxes: Sequence[MboxFile], limits: Limits) -> None:
        self._boxes = boxes
        self._limits = limits

    def mailboxes(self, tell: Tell) -> Sequence[SourceMailbox]:
        """See ``FileSource``, also for the other methods."""
        found: list[SourceMailbox] = []
        for box in self._boxes:
            try:
                found.append(self._mailbox(box, tell))
            except CannotRead as error:
                tell(str(box.path), error.text)
            except OSError as error:
                tell(str(box.path), files.reason(error, box.path))
        return found

    def _mailbox(self, box: MboxFile, tell: Tell) -> SourceMailbox:
        with opened_octets(box.path) as octets:
            spans = scan(octets)
            if spans.before and octets.at(0, spans.before).strip():
                tell(f"{box.path}@0", texts.BEFORE_FIRST.of(octets=spans.before))
            first = read_message(octets, spans.starts[0], spans.stops[0], self._limits)[1] if spans.starts else Status()
        return SourceMailbox(
            box.name,
            str(box.path),
            uidvalidity=first.uidvalidity,
            uidnext=first.uidnext,
            highestmodseq=NO_MODSEQ if first.uidvalidity is None else MODSEQ_OF_OTHERS,
            special_use=names.special_use(box.name),
            messages=len(spans.starts),
            where=_Box(box.path, spans),
        )

    def heads(self, mailbox: SourceMailbox, tell: Tell) -> Iterator[Head]:
        box: _Box = mailbox.where
        last = 0
        without_uid: list[Head] = []
        with opened_octets(box.path) as octets:
            for start, stop in zip(box.spans.starts, box.spans.stops, strict=True):
                line, status = read_message(octets, start, stop, self._limits)
                if status.is_internal or status.is_expunged:
                    continue
                head = head_of(Place(box.path, start, stop), line, status, status.flags)
                # UIDs that do not ascend are of a program that did not know what they are
                if mailbox.uidvalidity is None or head.uid is None or head.uid <= last:
                    without_uid.append(head)
                else:
                    last = head.uid
                    yield head
                if mailbox.uidvalidity is None:
                    yield without_uid.pop()
        for head in without_uid:
            yield Head(head.place, None, head.flags, head.internaldate, head.zone, head.saved, head.size, head.where)

    def read(self, mailbox: SourceMailbox, head: Head, write: Callable[[bytes], object]) -> bool:
        return write_from(head.where, self._limits, write)


@contextmanager
def opened_octets(path: Path) -> Iterator[Octets]:
    """The octets of the file *path*. Raises OSError and CannotRead."""
    with opened(path) as file:
        yield Octets(file.fileno(), os.fstat(file.fileno()).st_size)


def read_message(octets: Octets, start: int, stop: int, limits: Limits) -> tuple[bytes, Status]:
    """The "From " line of a message, and what its fields say."""
    line = octets.line(start)
    return line, read_status(octets.header(start + len(line), stop), limits)


def head_of(place: Place, line: bytes, status: Status, flags: frozenset[str]) -> Head:
    """The message at *place*; *line* is its "From " line."""
    date = date_of(line)
    seconds, zone = (None, 0) if date is None else date
    saved = None
    if status.own is not None:
        seconds, zone, saved = status.own.internaldate, status.own.zone, status.own.saved
    size = place.stop - place.start
    return Head(f"{place.path}@{place.start}", status.uid, flags, seconds, zone, saved, size, place)


def write_from(place: Place, limits: Limits, write: Callable[[bytes], object]) -> bool:
    """Writes the message at *place*; returns false where the file has changed and none begins there any more."""
    with opened_octets(place.path) as octets:
        line = octets.line(place.start)
        if not line.startswith(FROM) or place.stop > octets.size:
            return False
        head = place.start + len(line)
        header = octets.header(head, place.stop)
        write_message(octets, head, header, place.stop, read_status(header, limits), write)
    return True
