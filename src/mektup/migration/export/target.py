"""What an export writes to, and the values that pass between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mektup.store.moments import KeptMessage
from mektup.terms.numbers import Uid, UidValidity
from mektup.terms.texts import Text

Tell = Callable[[str, Text], None]
"""Reports what the form cannot hold: its place, and what is lost."""


@dataclass(frozen=True, slots=True)
class ExportedMailbox:
    """A mailbox to write."""

    name: str
    uidvalidity: UidValidity
    uidnext: Uid
    keywords: tuple[str, ...]
    """Every keyword ever set in it, in the order of first use."""
    subscribed: bool
    special_use: str | None


@dataclass(frozen=True, slots=True)
class ExportedMessage:
    """A message to write."""

    kept: KeptMessage
    flags: tuple[str, ...]


class MailboxWriter(Protocol):
    """Writes the messages of a mailbox, UIDs ascending. All methods may raise OSError and Refused."""

    def begin(self, message: ExportedMessage) -> None:
        """The octets of *message* come next."""

    def write(self, octets: bytes) -> None:
        """The next octets, with CRLF at the ends of lines; a CRLF may be split."""

    def end(self) -> None:
        """The message is complete."""

    def cancel(self) -> None:
        """The message cannot be completed: nothing of it stays."""

    def close(self) -> None:
        """All messages are written."""


class Target(Protocol):
    """A place in one form. All methods may raise OSError and Refused."""

    def mailbox(self, mailbox: ExportedMailbox, tell: Tell) -> MailboxWriter:
        """Begins a mailbox."""

    def finish(self, mailboxes: Sequence[ExportedMailbox]) -> None:
        """All mailboxes are written."""
