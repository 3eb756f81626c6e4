"""Recognises what is at a path: which kind of mail, and the source that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from mektup.migration import texts
from mektup.migration.eml.reading import ENDING as EML
from mektup.migration.eml.reading import EmlSource
from mektup.migration.emlx.reading import ENDING as EMLX
from mektup.migration.emlx.reading import EmlxSource
from mektup.migration.maildir.reading import MaildirSource, is_maildir
from mektup.migration.mbox.reading import MboxSource
from mektup.migration.mbox.takeout import TakeoutSource, has_labels
from mektup.migration.mbox.trees import begins_as_mbox, mboxes
from mektup.migration.reading_files import opened
from mektup.migration.source import CannotRead, FileSource, Tell, quiet
from mektup.migration.trees import walk
from mektup.terms.limits import Limits

Kind = str

FEW_FILES: Final = 2000
"""How many files of a tree are looked at."""

_ARCHIVES: Final = (".zip", ".tgz", ".tar", ".gz", ".bz2", ".xz", ".7z", ".rar", ".pst", ".ost")
_FIELD_LINES: Final = (b"return-path:", b"received:", b"from:", b"date:", b"message-id:", b"delivered-to:", b"mime-")


def _mbox(path: Path, limits: Limits, tell: Tell) -> FileSource:
    return MboxSource(list(mboxes(path, tell, limits)), limits)


def _takeout(path: Path, limits: Limits, tell: Tell) -> FileSource:
    return TakeoutSource(list(mboxes(path, tell, limits)), limits)


KINDS: Final[Mapping[Kind, Callable[[Path, Limits, Tell], FileSource]]] = {
    "maildir": lambda path, limits, tell: MaildirSource(path, limits),
    "mbox": _mbox,
    "thunderbird": _mbox,
    "apple": _mbox,
    "emlx": lambda path, limits, tell: EmlxSource(path, limits),
    "eml": lambda path, limits, tell: EmlSource(path, limits),
    "takeout": _takeout,
}
"""What ``--from`` may name."""


def source_of(path: Path, kind: Kind | None, limits: Limits, tell: Tell) -> tuple[Kind, FileSource]:
    """The source at *path*, and its kind, which is *kind* if that is given.

    Raises CannotRead where there is nothing, or nothing that can be read here, and OSError.
    """
    try:
        path.stat()
    except FileNotFoundError:
        raise CannotRead(texts.NOT_THERE.of(path=path)) from None
    if path.is_dir():
        next(path.iterdir(), None)  # raises where it cannot be read
    found = kind or _kind_of(path, limits)
    return found, KINDS[found](path, limits, tell)


def _kind_of(path: Path, limits: Limits) -> Kind:
    return _kind_of_file(path, limits) if path.is_file() else _kind_of_folder(path, limits)


def _kind_of_file(path: Path, limits: Limits) -> Kind:
    name = path.name.lower()
    if begins_as_mbox(path):
        return _mbox_or_takeout(path, limits)
    if name.endswith(EMLX):
        return "emlx"
    if name.endswith(EML) or _looks_like_a_message(path):
        return "eml"
    if name.endswith(_ARCHIVES):
        raise CannotRead(texts.ARCHIVE.of(path=path))
    raise CannotRead(texts.NOTHING_FOUND.of(path=path))


def _looks_like_a_message(path: Path) -> bool:
    with opened(path) as file:
        return file.read(20).lower().startswith(_FIELD_LINES)


def _kind_of_folder(path: Path, limits: Limits) -> Kind:
    if form := _dbox_form(path):
        raise CannotRead(texts.DBOX.of(path=path, form=form))
    if is_maildir(path) or any(is_maildir(each) for each in _folders(path)):
        return "maildir"
    names: set[str] = set()
    for found in islice(walk(path, quiet), FEW_FILES):
        name = found.path.name.lower()
        names.add(found.path.suffix.lower())
        if name.endswith(EMLX):
            return "emlx"
        if not name.endswith(EML) and _begins_as_mbox(found.path):
            return _mbox_or_takeout(path, limits)
    if EML in names:
        return "eml"
    raise CannotRead(texts.NOTHING_FOUND.of(path=path))


def _begins_as_mbox(path: Path) -> bool:
    try:
        return begins_as_mbox(path)
    except (CannotRead, OSError):
        return False  # the source tells it


def _folders(path: Path) -> list[Path]:
    """The folders in *path*, and those in them."""
    found: list[Path] = []
    for pattern in ("*", "*/*"):
        found += [each for each in islice(sorted(path.glob(pattern)), FEW_FILES) if each.is_dir()]
    return found


def _dbox_form(path: Path) -> str:
    """The form of Dovecot's own in which the mail at *path* is; empty where it is not."""
    if (path / "storage").is_dir() and ((path / "mailboxes").is_dir() or next(path.glob("storage/m.*"), None)):
        return "mdbox"
    for pattern in ("dbox-Mails", "*/dbox-Mails", "mailboxes/*/dbox-Mails", "mailboxes/*/*/dbox-Mails"):
        if next(path.glob(pattern), None) is not None:
            return "sdbox"
    return ""


def _mbox_or_takeout(path: Path, limits: Limits) -> Kind:
    for box in mboxes(path, quiet, limits):
        try:
            if box.path.stat().st_size:
                return "takeout" if has_labels(box, limits) else "mbox"
        except (CannotRead, OSError):
            continue  # the source tells it
    return "mbox"
