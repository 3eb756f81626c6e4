"""Reads Maildirs: their folders (Maildir++ or one directory below the other), control files and messages.

A running server may still change them. So a file that was renamed meanwhile is looked for again, and one that is gone
is not an error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from mektup.migration import names, texts
from mektup.migration.maildir import control_files as control
from mektup.migration.maildir.file_names import flags_of, letters_in, saved_at
from mektup.migration.reading_files import copy_message, octets_of, opened
from mektup.migration.source import Head, SourceMailbox, Tell, quiet
from mektup.store import files
from mektup.terms.limits import Limits
from mektup.terms.names import INBOX
from mektup.terms.numbers import ModSeq, Uid

_PARTS: Final = ("new", "cur")
_NOT_FOLDERS: Final = frozenset({"new", "cur", "tmp"})

MODSEQ_OF_DOVECOT: Final = ModSeq(1_000_000_000_000)
"""Higher than the HIGHESTMODSEQ that any client of such a Maildir has seen: Dovecot counts changes of one mailbox."""

_DEEPEST: Final = 64

CONTROL_BYTES: Final = 1024 * 1024 * 1024
"""The largest control file: one of a mailbox of some million messages."""


def is_maildir(path: Path) -> bool:
    """Whether *path* has messages in the form of a Maildir."""
    return (path / "cur").is_dir() or (path / "new").is_dir()


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path
    levels: tuple[bytes, ...]
    """In modified UTF-7; none for the inbox."""


class _File(NamedTuple):  # made for each message, and cheap
    part: str
    """``new`` or ``cur``."""
    name: str


class MaildirSource:
    """A ``FileSource``: the Maildir *root* with its folders."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self._root = root
        self._limits = limits

    # Mailboxes

    def mailboxes(self, tell: Tell) -> Sequence[SourceMailbox]:
        """See ``FileSource``, also for the other methods."""
        subscribed = self._subscriptions(tell)
        found: dict[Path, SourceMailbox] = {}
        for folder in self._folders(tell):
            mailbox = self._mailbox(folder, subscribed, tell)
            if mailbox is not None:
                found[folder.path] = mailbox
        return sorted(found.values(), key=lambda each: (each.name != INBOX, each.name))

    def _folders(self, tell: Tell) -> Iterator[_Folder]:
        if is_maildir(self._root):
            yield _Folder(self._root, ())
        waiting = [_Folder(self._root, ())]
        while waiting:
            above = waiting.pop()
            for entry in self._directories(above.path, tell):
                below = self._below(above, entry)
                if below is None:
                    continue
                if is_maildir(below.path):
                    yield below
                if not entry.startswith(".") and len(below.levels) < _DEEPEST:
                    waiting.append(below)

    def _below(self, above: _Folder, entry: str) -> _Folder | None:
        octets = os.fsencode(entry)
        if entry in _NOT_FOLDERS:
            return None
        if not entry.startswith("."):
            return _Folder(above.path / entry, (*above.levels, octets))
        levels = tuple(each for each in octets.split(b".") if each)
        # Maildir++: all folders are in the root, and their names have dots between the levels
        return _Folder(above.path / entry, levels) if above.path == self._root and levels else None

    def _directories(self, path: Path, tell: Tell) -> list[str]:
        """The directories in *path*. One that is a link is told: it may lead to mail of somebody else."""
        found: list[str] = []
        try:
            with os.scandir(path) as entries:
                for each in entries:
                    if each.is_dir(follow_symlinks=False):
                        found.append(each.name)
                    elif each.is_dir():
                        tell(each.path, texts.LINK)
        except OSError as error:
            tell(str(path), files.reason(error, path))
        return sorted(found)

    def _mailbox(self, folder: _Folder, subscribed: frozenset[str] | None, tell: Tell) -> SourceMailbox | None:
        place = str(folder.path)
        levels = folder.levels
        name = names.from_octets(levels, place, tell, self._limits) if levels else INBOX
        try:
            count = sum(len(_listed(folder.path, part)) for part in _PARTS)
            uidlist = self._uidlist(folder.path, tell)
        except OSError as error:
            tell(place, files.reason(error, folder.path))
            return None
        return SourceMailbox(
            name,
            place,
            uidvalidity=None if uidlist is None else uidlist.uidvalidity,
            uidnext=None if uidlist is None else uidlist.uidnext,
            highestmodseq=ModSeq(0) if uidlist is None else MODSEQ_OF_DOVECOT,
            subscribed=None if subscribed is None else name in subscribed,
            special_use=names.special_use(name),
            messages=count,
            where=folder.path,
        )

    def _uidlist(self, path: Path, tell: Tell) -> control.UidList | None:
        for name in (control.UIDLIST, control.COURIER_UIDS):
            octets = octets_of(path / name, CONTROL_BYTES)
            if octets is None:
                continue
            try:
                found = control.read_uidlist(octets)
            except control.BadFile:
                tell(str(path / name), texts.UIDLIST_DAMAGED)
                continue
            if found.bad_lines:
                tell(str(path / name), texts.LINES_DAMAGED.of(count=found.bad_lines))
            return found
        return None

    def _subscriptions(self, tell: Tell) -> frozenset[str] | None:
        """The subscribed names; None where there is no file of them."""
        for name, read in (
            (control.SUBSCRIPTIONS, control.read_subscriptions),
            (control.COURIER_SUBSCRIPTIONS, control.read_courier_subscriptions),
        ):
            path = self._root / name
            try:
                octets = octets_of(path, CONTROL_BYTES)
            except OSError as error:
                tell(str(path), files.reason(error, path))
                return None
            if octets is not None:
                return frozenset(names.from_octets(levels, str(path), quiet, self._limits) for levels in read(octets))
        return None

    # Messages

    def heads(self, mailbox: SourceMailbox, tell: Tell) -> Iterator[Head]:
        path: Path = mailbox.where
        uidlist = self._uidlist(path, quiet)  # what is wrong with it was told with the mailboxes
        keywords = control.read_keywords(octets_of(path / control.KEYWORDS, CONTROL_BYTES) or b"")
        there = {control.base_name(os.fsencode(each.name)): each for part in _PARTS for each in _listed(path, part)}
        uids = {} if uidlist is None else uidlist.uids
        listed: list[tuple[Uid | None, bytes]] = [(uid, base) for base, uid in uids.items() if base in there]
        unlisted = sorted(there.keys() - uids.keys(), key=lambda base: (saved_at(os.fsdecode(base)) or 0, base))
        flags: dict[str, frozenset[str]] = {}  # by their letters, because most messages have one of few sets
        for uid, base in [*listed, *((None, base) for base in unlisted)]:
            file = there[base]
            place = f"{path}/{file.part}/{file.name}"
            letters = letters_in(file.name)
            if letters not in flags:
                flags[letters] = flags_of(letters, keywords, self._limits)
            try:
                status = os.stat(place, follow_symlinks=False)
            except FileNotFoundError:  # ``read`` looks for it again
                status = None
            yield Head(
                place=place,
                uid=uid,
                flags=flags[letters],
                internaldate=None if status is None else int(status.st_mtime),
                saved=saved_at(file.name),
                size=0 if status is None else status.st_size,
                where=file,
            )

    def read(self, mailbox: SourceMailbox, head: Head, write: Callable[[bytes], object]) -> bool:
        path: Path = mailbox.where
        file: _File | None = head.where
        while file is not None:
            try:
                found = opened(f"{path}/{file.part}/{file.name}")
            except FileNotFoundError:
                # its flags were changed meanwhile, or it was moved from new to cur
                file = _found_again(path, file)
            else:
                with found:
                    copy_message(found, write, self._limits.message_bytes)
                return True
        return False


def _listed(path: Path, part: str) -> list[_File]:
    """The files of a part; none where the part is missing, because some copies leave an empty ``new`` out."""
    try:
        with os.scandir(path / part) as entries:
            return [_File(part, each.name) for each in entries if not each.name.startswith(".")]
    except FileNotFoundError:
        return []


def _found_again(path: Path, gone: _File) -> _File | None:
    base = control.base_name(os.fsencode(gone.name))
    again = (each for part in _PARTS for each in _listed(path, part))
    found = next((each for each in again if control.base_name(os.fsencode(each.name)) == base), None)
    return None if found == gone else found
