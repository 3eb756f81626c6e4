"""The mboxes of a tree of folders, and the names of their mailboxes: of Thunderbird, Apple Mail, Dovecot and others.

``Work.sbd`` has the folders below ``Work`` (Thunderbird). ``Work.mbox`` may be a file, or a folder with the file
``mbox`` in it (Apple Mail).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mektup.migration import names, texts
from mektup.migration.mbox.reading import FROM, MboxFile
from mektup.migration.reading_files import opened
from mektup.migration.source import CannotRead, Tell
from mektup.migration.trees import Found, walk
from mektup.store import files
from mektup.terms.limits import Limits
from mektup.terms.names import INBOX, fold_inbox

SPOOLS: Final = (Path("/var/mail"), Path("/var/spool/mail"))
"""Files here are the inboxes of users, whatever their names."""

_APPLE: Final = "mbox"
_ENDINGS: Final = (".mbox", ".mbx", ".sbd")


def mboxes(root: Path, tell: Tell, limits: Limits) -> Iterator[MboxFile]:
    """The mboxes below *root*, or *root* itself."""
    for found in walk(root, tell):
        if _is_mbox(found, tell):
            yield MboxFile(found.path, name_of(root, found, tell, limits))


def begins_as_mbox(path: Path) -> bool:
    """Whether the file *path* begins with the line of an mbox. Raises OSError and CannotRead."""
    with opened(path) as file:
        # some writers begin with an empty line
        return file.read(len(FROM) + 4).lstrip(b"\r\n").startswith(FROM)


def _is_mbox(found: Found, tell: Tell) -> bool:
    """Whether the file is an mbox; tells one that should be, by its name, and is not."""
    ending = found.path.suffix.lower()
    expected = ending in ("", ".mbox", ".mbx")
    try:
        if begins_as_mbox(found.path):
            return True
        is_empty = found.path.stat().st_size == 0
    except CannotRead as error:
        tell(str(found.path), error.text)
        return False
    except OSError as error:
        tell(str(found.path), files.reason(error, found.path))
        return False
    if expected and not is_empty:
        tell(str(found.path), texts.NO_MBOX)
    return expected and is_empty


def name_of(root: Path, found: Found, tell: Tell, limits: Limits) -> str:
    """The name of the mailbox that the file *found* is."""
    own = found.path.name
    if found.path == root and found.path.parent in SPOOLS:
        return INBOX
    levels = [_without_ending(each) for each in found.folders]
    if own == _APPLE and (found.folders[-1:] or (root.name,))[0].lower().endswith(".mbox"):
        levels = levels or [_without_ending(root.name)]
    else:
        levels.append(INBOX if _is_inbox(own) and not levels else _without_ending(own))
    return names.from_octets([os.fsencode(each) for each in levels], str(found.path), tell, limits)


def _is_inbox(name: str) -> bool:
    return fold_inbox(name) == INBOX or name.lower() == _APPLE


def _without_ending(name: str) -> str:
    ending = next((each for each in _ENDINGS if name.lower().endswith(each)), "")
    return name[: len(name) - len(ending)] or name
