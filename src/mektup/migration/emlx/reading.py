"""Reads a folder of ``.emlx`` files: the length of the message, the message, and a property list with its flags."""

from __future__ import annotations

import plistlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from xml.parsers.expat import ExpatError

from mektup.migration import names, texts
from mektup.migration.reading_files import PIECE_BYTES, opened
from mektup.migration.source import CannotRead, Head, SourceMailbox, Tell
from mektup.migration.trees import walk
from mektup.store import files
from mektup.terms.limits import MIB, Limits

ENDING: Final = ".emlx"
PARTIAL: Final = ".partial.emlx"

_LENGTH: Final = re.compile(rb"[ \t]*(\d{1,11})[ \t]*\r?\n")
_LENGTH_BYTES: Final = 30
_MOST_PROPERTIES: Final = 1 * MIB

FLAGS: Final = {0: "\\Seen", 1: "\\Deleted", 2: "\\Answered", 4: "\\Flagged", 6: "\\Draft", 8: "$Forwarded"}
"""The flags by their bits."""

_LATEST: Final = 2**32


@dataclass(frozen=True, slots=True)
class _Span:
    path: Path
    start: int
    stop: int


class EmlxSource:
    """A ``FileSource``: a folder of Apple Mail, or any tree with such files."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self._root = root
        self._limits = limits

    def mailboxes(self, tell: Tell) -> Sequence[SourceMailbox]:
        """See ``FileSource``, also for the other methods."""
        found: dict[tuple[str, ...], list[Path]] = {}
        for each in walk(self._root, tell):
            if each.path.name.lower().endswith(ENDING):
                found.setdefault(self._levels(each.folders), []).append(each.path)
        return [self._mailbox(levels, paths, tell) for levels, paths in sorted(found.items())]

    def _levels(self, folders: tuple[str, ...]) -> tuple[str, ...]:
        """The name of a mailbox: its folders end with ``.mbox``, and below them are folders of Apple Mail's own."""
        own = tuple(each[: -len(".mbox")] for each in folders if each.lower().endswith(".mbox"))
        return own or (self._root.name.removesuffix(".mbox"),)

    def _mailbox(self, levels: tuple[str, ...], paths: list[Path], tell: Tell) -> SourceMailbox:
        name = names.usable(levels, self._limits)
        return SourceMailbox(
            name, str(paths[0].parent), special_use=names.special_use(name), messages=len(paths), where=sorted(paths)
        )

    def heads(self, mailbox: SourceMailbox, tell: Tell) -> Iterator[Head]:
        paths: list[Path] = mailbox.where
        for path in paths:
            try:
                with opened(path) as file:
                    yield self._head(path, file, tell)
            except FileNotFoundError:
                continue
            except CannotRead as error:
                tell(str(path), error.text)
            except OSError as error:
                tell(str(path), files.reason(error, path))

    def _head(self, path: Path, file: BinaryIO, tell: Tell) -> Head:
        match = _LENGTH.match(file.read(_LENGTH_BYTES))
        if match is None:
            raise CannotRead(texts.NO_EMLX)
        span = _Span(path, match.end(), match.end() + int(match[1]))
        file.seek(span.stop)
        properties = _properties(file.read(_MOST_PROPERTIES))
        if properties is None:
            tell(str(path), texts.NO_PROPERTIES)
            properties = {}
        if path.name.lower().endswith(PARTIAL):
            tell(str(path), texts.PARTIAL)
        bits = properties.get("flags")
        flags = {flag for bit, flag in FLAGS.items() if isinstance(bits, int) and bits >> bit & 1}
        received = properties.get("date-received")
        is_date = isinstance(received, int | float) and 0 < received < _LATEST
        date = int(received) if is_date and isinstance(received, int | float) else None
        return Head(str(path), None, frozenset(flags), date, size=int(match[1]), where=span)

    def read(self, mailbox: SourceMailbox, head: Head, write: Callable[[bytes], object]) -> bool:
        span: _Span = head.where
        try:
            with opened(span.path) as file:
                file.seek(span.start)
                left = span.stop - span.start
                while left and (piece := file.read(min(PIECE_BYTES, left))):
                    write(piece)
                    left -= len(piece)
        except FileNotFoundError:
            return False
        if left:
            raise CannotRead(texts.EMLX_CUT_OFF)
        return True


def _properties(octets: bytes) -> dict[str, object] | None:
    """The property list after a message; None where it cannot be read."""
    try:
        found = plistlib.loads(octets.strip(), fmt=plistlib.FMT_XML)
    except (ExpatError, ValueError, TypeError, AttributeError, ArithmeticError, LookupError, AssertionError):
        return None
    return found if isinstance(found, dict) else None
