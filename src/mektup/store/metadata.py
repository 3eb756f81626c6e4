"""Metadata (RFC 5464): named values of a mailbox, of an account, and of the whole server.

A name begins with ``/private/`` or ``/shared/`` and is in lower case. A private entry belongs to one user, who may be
another one than the owner of the mailbox; a shared one is the same for everybody. The entries of a mailbox move with it
and go with it. Those of the empty mailbox name are in two places: the private ones in the user's account
(``ACCOUNT_ITSELF`` in place of a mailbox), the shared ones in the store.

A value is octets. Each change takes a modseq, so that a caller can ask for the names that changed since then. The
engine keeps the names of the last removed entries for that; ``rules.metadata`` says how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mektup.terms.numbers import AccountId, MailboxId, ModSeq

Values = Mapping[str, bytes | None]
"""New values by entry; None removes the entry."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries a reader wants."""

    names: tuple[str, ...]
    depth: int | None = 0
    """How many levels below each name are wanted, too; None for all (RFC 5464 §4.2.2)."""


class ChangedEntry(NamedTuple):
    """An entry that was set or removed."""

    mailbox: MailboxId
    """ACCOUNT_ITSELF for an entry of the empty mailbox name."""
    entry: str


class MetadataChanges(NamedTuple):
    """The entries that changed after a modseq, each once."""

    modseq: ModSeq
    """The state after these changes; the next call's *since*."""
    entries: Sequence[ChangedEntry]


class AccountMetadata(Protocol):
    """The metadata of one account."""

    async def entries(
        self, mailboxes: Sequence[MailboxId], user: AccountId, wanted: Wanted
    ) -> Mapping[MailboxId, Mapping[str, bytes]]:
        """The *wanted* entries that *user* may see, by mailbox, read at one moment; names ascend."""

    async def set_entries(self, mailbox: MailboxId, user: AccountId, values: Values) -> None:
        """Sets all *values* or none, the private ones for *user*.

        Raises Refused(NONEXISTENT) where the mailbox is gone, Refused(METADATA_MAXSIZE, METADATA_TOOMANY).
        """

    async def changes(self, since: ModSeq, user: AccountId) -> MetadataChanges:
        """The entries that *user* may see and that changed after *since*; 0 is before all."""


class ServerMetadata(Protocol):
    """The shared metadata of the whole server. Changes of other processes are visible at once."""

    async def entries(self, wanted: Wanted) -> Mapping[str, bytes]:
        """The *wanted* entries; names ascend."""

    async def set_entries(self, values: Values) -> None:
        """Sets all *values* or none. Raises Refused(METADATA_MAXSIZE, METADATA_TOOMANY)."""

    async def changes(self, since: ModSeq) -> MetadataChanges:
        """The entries that changed after *since*; these modseqs are not those of any account."""
