"""Writes an mbox for each mailbox (mboxrd), with the fields that Dovecot, Pine and mutt know, and one of our own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from mektup.migration import texts
from mektup.migration.export.file_names import is_cut, level_name
from mektup.migration.export.folders import made_folder, new_file
from mektup.migration.export.octets import Lines
from mektup.migration.export.target import ExportedMailbox, ExportedMessage, Tell
from mektup.terms.names import DELIMITER

_STATUS: Final = {"\\Answered": "A", "\\Flagged": "F", "\\Draft": "T", "\\Deleted": "D"}


class MboxTarget:
    """A ``Target``: ``Work.mbox``, and ``Work.sbd`` with the mailboxes below it; or one file for one mailbox."""

    def __init__(self, root: Path, *, one_file: bool) -> None:
        self._root = root
        self._one_file = one_file

    def mailbox(self, mailbox: ExportedMailbox, tell: Tell) -> MboxWriter:
        """See ``Target``, also for the other methods."""
        if self._one_file:
            made_folder(self._root.absolute().parent)
            return MboxWriter(self._root, mailbox)
        levels = mailbox.name.split(DELIMITER)
        if any(map(is_cut, levels)):
            tell(mailbox.name, texts.NAME_CUT)
        *above, own = map(level_name, levels)
        folder = made_folder(self._root.joinpath(*(f"{each}.sbd" for each in above)))
        return MboxWriter(folder / f"{own}.mbox", mailbox)

    def finish(self, mailboxes: Sequence[ExportedMailbox]) -> None:
        pass


class MboxWriter:
    """A ``MailboxWriter``."""

    def __init__(self, path: Path, mailbox: ExportedMailbox) -> None:
        self._mailbox = mailbox
        self._lines = Lines(quoted=True)
        self._file: BinaryIO = new_file(path)
        self._start = 0
        """Where the message begins that is being written."""
        self._has_end = True
        """Whether that message ended with the end of a line so far."""

    def begin(self, message: ExportedMessage) -> None:
        """See ``MailboxWriter``, also for the other methods."""
        self._start = self._file.tell()
        date = time.asctime(time.gmtime(max(message.kept.internaldate, 0)))
        self._file.write(f"From MAILER-DAEMON {date}\n".encode("ascii"))
        self._file.write("".join(f"{each}\n" for each in self._fields(message)).encode("ascii", "replace"))

    def _fields(self, message: ExportedMessage) -> Sequence[str]:
        """The last one says how the message is stored here; all fields after it are the message's own."""
        kept, flags = message.kept, message.flags
        fields: list[str] = []
        own = f"size={kept.size}; date={kept.internaldate}; zone={kept.zone}; saved={kept.saved}"
        if self._start == 0:
            mailbox = self._mailbox
            fields.append(f"X-IMAPbase: {mailbox.uidvalidity} {mailbox.uidnext - 1:010} {' '.join(mailbox.keywords)}")
            own += f"; uidvalidity={mailbox.uidvalidity}; uidnext={mailbox.uidnext}"
        letters = "".join(letter for flag, letter in _STATUS.items() if flag in flags)
        keywords = " ".join(flag for flag in flags if not flag.startswith("\\"))
        fields.append("Status: RO" if "\\Seen" in flags else "Status: O")
        fields += [f"X-Status: {letters}"] if letters else []
        fields += [f"X-Keywords: {keywords}"] if keywords else []
        return [*fields, f"X-UID: {kept.uid}", f"X-Mektup-Export: {own}"]

    def write(self, octets: bytes) -> None:
        self._write(self._lines.feed(octets))

    def _write(self, piece: bytes) -> None:
        if piece:
            self._has_end = piece.endswith(b"\n")
            self._file.write(piece)

    def end(self) -> None:
        self._has_end = True
        self._write(self._lines.finish())
        self._file.write(b"\n" if self._has_end else b"\n\n")
        self._has_end = True

    def cancel(self) -> None:
        self._lines.finish()
        self._file.seek(self._start)
        self._file.truncate()

    def close(self) -> None:
        self._file.close()
