"""Writes Maildir++ with the control files of Dovecot, so that UIDs, keywords and subscriptions survive."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from mektup.migration import texts
from mektup.migration.export.file_names import is_cut, level_name
from mektup.migration.export.folders import made_folder, new_file
from mektup.migration.export.message_files import MessageFile
from mektup.migration.export.target import ExportedMailbox, ExportedMessage, Tell
from mektup.migration.maildir import control_files as control
from mektup.migration.maildir.file_names import letters_of
from mektup.store import files
from mektup.terms.names import DELIMITER, INBOX

_PARTS: Final = ("cur", "new", "tmp")


class MaildirTarget:
    """A ``Target``: INBOX is the folder itself, the other mailboxes are folders in it whose names begin with a dot."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def mailbox(self, mailbox: ExportedMailbox, tell: Tell) -> MaildirWriter:
        """See ``Target``, also for the other methods."""
        folder = made_folder(self._folder(mailbox.name, tell))
        for part in _PARTS:
            made_folder(folder / part)
        if folder != self._root:
            new_file(folder / "maildirfolder").close()  # Courier and Exim ask for it
        return MaildirWriter(folder, mailbox, tell)

    def _folder(self, name: str, tell: Tell) -> Path:
        if name == INBOX:
            return self._root
        if any(map(is_cut, name.split(DELIMITER))) or len(_folder_name(name)) > 250:
            tell(name, texts.NAME_CUT)
        return self._root / _folder_name(name)[:250]

    def finish(self, mailboxes: Sequence[ExportedMailbox]) -> None:
        made_folder(self._root)
        for part in _PARTS:
            made_folder(self._root / part)  # also where INBOX was not exported: else it would be no Maildir
        subscribed = [_levels(each.name) for each in mailboxes if each.subscribed]
        lines = ["V\t2", "", *("\t".join(levels) for levels in subscribed)]
        files.write(self._root / control.SUBSCRIPTIONS, "".join(f"{each}\n" for each in lines).encode("ascii"))


def _levels(name: str) -> list[str]:
    return [level_name(each, dots=False, utf7=True) for each in name.split(DELIMITER)]


def _folder_name(name: str) -> str:
    return "." + ".".join(_levels(name))


class MaildirWriter:
    """A ``MailboxWriter``."""

    def __init__(self, folder: Path, mailbox: ExportedMailbox, tell: Tell) -> None:
        self._folder, self._mailbox = folder, mailbox
        self._message: ExportedMessage | None = None
        self._file = MessageFile(folder / "tmp" / "message", keeps_crlf=False)
        self._virtual_size = 0
        kept = mailbox.keywords[: control.MOST_KEYWORDS]
        self._letters = {each.lower(): chr(ord("a") + at) for at, each in enumerate(kept)}
        left_out = mailbox.keywords[control.MOST_KEYWORDS :]
        if left_out:
            tell(mailbox.name, texts.TOO_MANY_KEYWORDS.of(keywords=" ".join(left_out)))
        if kept:
            lines = "".join(f"{at} {each}\n" for at, each in enumerate(kept))
            files.write(folder / control.KEYWORDS, lines.encode("ascii", "replace"))
        self._list: BinaryIO = new_file(folder / control.UIDLIST)
        head = control.written_uidlist(mailbox.uidvalidity, mailbox.uidnext, secrets.token_hex(16))
        self._list.write(head)

    def begin(self, message: ExportedMessage) -> None:
        """See ``MailboxWriter``, also for the other methods."""
        self._message = message
        self._virtual_size = message.kept.size
        self._file.begin()

    def write(self, octets: bytes) -> None:
        self._file.write(octets)

    def end(self) -> None:
        assert self._message is not None
        kept = self._message.kept
        size = self._file.size()
        base = f"{max(kept.saved, 0)}.M{kept.uid}V{self._mailbox.uidvalidity}.mektup,S={size},W={self._virtual_size}"
        letters = letters_of(self._message.flags, self._letters)
        self._file.end(self._folder / "cur" / f"{base}:2,{letters}", kept.internaldate)
        self._list.write(f"{kept.uid} :{base}\n".encode("ascii"))

    def cancel(self) -> None:
        self._file.cancel()

    def close(self) -> None:
        self._file.cancel()
        self._list.close()
