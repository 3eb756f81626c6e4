"""What the importer asks of a source of mail, and the values that pass between them.

A source is a folder, a file or another server. It lists its mailboxes, then the messages of each one without their
octets, and reads the octets of those that the importer still needs. So a second run of an import reads almost nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from mektup.store.spool import Spool
from mektup.terms.numbers import NO_MODSEQ, ModSeq, Uid, UidValidity
from mektup.terms.sets import Uids
from mektup.terms.texts import Text

Tell = Callable[[str, Text], None]
"""Reports a problem that does not end the import: its place, and what is wrong there."""


def quiet(place: str, problem: Text) -> None:
    """Tells nobody."""


class CannotRead(Exception):
    """A source, a mailbox or a message of it cannot be read."""

    def __init__(self, text: Text) -> None:
        super().__init__(str(text))
        self.text = text


@dataclass(frozen=True, slots=True)
class SourceMailbox:
    """A mailbox of a source."""

    name: str
    """Decoded, with "/" between its levels; INBOX for the inbox. One that mektup accepts, see ``names.usable``."""
    place: str
    """Where it is, for reports: a folder, a file, or the name on the other server."""
    uidvalidity: UidValidity | None = None
    """None where the source has no UIDs that can be kept."""
    uidnext: Uid | None = None
    highestmodseq: ModSeq = NO_MODSEQ
    """At least the highest that any client of the source has seen; 0 where clients saw none."""
    subscribed: bool | None = None
    """None where the source does not know subscriptions."""
    special_use: str | None = None
    messages: int | None = None
    """How many there are, for the progress; None where this is not known before they are read."""
    where: Any = None
    """For the source itself."""


@dataclass(frozen=True, slots=True)
class Head:
    """A message of a source, without its octets."""

    place: str
    """For reports: a file, a file and an offset, or a mailbox and a UID."""
    uid: Uid | None = None
    """Within a mailbox, UIDs ascend, and messages without one come last."""
    flags: frozenset[str] = frozenset()
    """Those that a message can have; a source leaves others out. Without \\Recent."""
    internaldate: int | None = None
    """Seconds since 1970 UTC; None: the date of its Date field, else that of the import."""
    zone: int = 0
    """Minutes east of UTC."""
    saved: int | None = None
    """When it came into its mailbox, in seconds since 1970 UTC, where the source knows it."""
    size: int = 0
    """About how many octets it has; 0 where this is not known."""
    where: Any = None
    """For the source itself."""


Read = tuple[Head, Spool | CannotRead | None]
"""A message with its octets; why they cannot be read; or None where it was removed meanwhile."""


class Source(Protocol):
    """A source of mail. All methods may raise CannotRead and OSError, which end the import or this mailbox."""

    async def mailboxes(self, tell: Tell) -> Sequence[SourceMailbox]:
        """All mailboxes that can be read. Those that cannot are told."""

    def heads(self, mailbox: SourceMailbox, tell: Tell) -> AsyncGenerator[Sequence[Head], None]:
        """The messages of *mailbox*, in slices. UIDs ascend, and messages without a UID come last."""

    def read(
        self, mailbox: SourceMailbox, heads: Sequence[Head], spool: Callable[[], Spool]
    ) -> AsyncGenerator[Sequence[Read], None]:
        """The octets of *heads*, in their order, in slices of bounded octets.

        Each message is in a spool of its own that *spool* makes. The caller closes the spools.
        """

    async def close(self) -> None:
        """Ends the use of the source; may be called twice."""


@runtime_checkable
class Follows(Protocol):
    """A source that can be followed: it tells what changed in a mailbox since an earlier run.

    It leaves a *mark* in each mailbox here, opaque octets, and gets it back before ``heads`` of that mailbox.
    """

    def use_mark(self, mark: bytes | None) -> None:
        """Sets the mark of the mailbox whose ``heads`` come next: they may leave out what did not change since."""

    def gone(self) -> Uids | None:
        """The UIDs that were removed from the mailbox of the last ``heads``; None: all that these did not name."""

    def mark(self, mailbox: SourceMailbox) -> bytes | None:
        """The mark for the state of *mailbox* that ``heads`` told."""

    def note_missing(self, marks: Mapping[str, bytes]) -> None:
        """Notes which mailboxes are not there any more; *marks* are those of all mailboxes here, by name."""


class FileSource(Protocol):
    """A source on this machine's disk. ``files.OnDisk`` makes a Source of it, which works in threads."""

    def mailboxes(self, tell: Tell) -> Sequence[SourceMailbox]:
        """As in Source."""

    def heads(self, mailbox: SourceMailbox, tell: Tell) -> Iterator[Head]:
        """As in Source, one by one."""

    def read(self, mailbox: SourceMailbox, head: Head, write: Callable[[bytes], object]) -> bool:
        """Writes the octets of a message in pieces; False where it was removed meanwhile. Raises CannotRead, OSError.

        A bare LF at the end of a line is right: the spool makes CRLF of it.
        """
