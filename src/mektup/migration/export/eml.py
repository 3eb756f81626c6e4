"""Writes a file ``.eml`` for each message, and in each folder an index of what such a file cannot say."""

from __future__ import annotations

from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from mektup.migration import texts
from mektup.migration.eml import index_file
from mektup.migration.eml.index_file import Entry
from mektup.migration.export.file_names import is_cut, level_name
from mektup.migration.export.folders import made_folder, new_file
from mektup.migration.export.message_files import MessageFile
from mektup.migration.export.target import ExportedMailbox, ExportedMessage, Tell
from mektup.terms.names import DELIMITER


class EmlTarget:
    """A ``Target``: each mailbox is a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def mailbox(self, mailbox: ExportedMailbox, tell: Tell) -> EmlWriter:
        """See ``Target``, also for the other methods."""
        levels = mailbox.name.split(DELIMITER)
        if any(map(is_cut, levels)):
            tell(mailbox.name, texts.NAME_CUT)
        return EmlWriter(made_folder(self._root.joinpath(*map(level_name, levels))), mailbox)

    def finish(self, mailboxes: Sequence[ExportedMailbox]) -> None:
        made_folder(self._root)


class EmlWriter:
    """A ``MailboxWriter``."""

    def __init__(self, folder: Path, mailbox: ExportedMailbox) -> None:
        self._folder = folder
        self._message: ExportedMessage | None = None
        self._file = MessageFile(folder / "message.part", keeps_crlf=True)
        self._index = TextIOWrapper(new_file(folder / index_file.NAME), encoding="utf-8", newline="\n")
        self._index.write(
            index_file.first_line(
                mailbox.uidvalidity,
                mailbox.uidnext,
                subscribed=mailbox.subscribed,
                special_use=mailbox.special_use,
            )
        )

    def begin(self, message: ExportedMessage) -> None:
        """See ``MailboxWriter``, also for the other methods."""
        self._message = message
        self._file.begin()

    def write(self, octets: bytes) -> None:
        self._file.write(octets)

    def end(self) -> None:
        assert self._message is not None
        kept = self._message.kept
        name = f"{kept.uid:010}.eml"
        self._file.end(self._folder / name, kept.internaldate)
        entry = Entry(kept.uid, kept.internaldate, kept.zone, kept.saved, frozenset(self._message.flags))
        self._index.write(index_file.line(name, entry))

    def cancel(self) -> None:
        self._file.cancel()

    def close(self) -> None:
        self._file.cancel()
        self._index.close()
