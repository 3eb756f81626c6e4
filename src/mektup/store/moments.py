"""An account as it is at one moment, for backups and exports: what ``interface.Account.snapshot`` returns.

Everything small (mailboxes, subscriptions, rights, metadata, limits) is read when the moment begins. Messages and their
octets are read in slices. An engine keeps the moment only for a while, because it may have to keep old state for it
that grows with others' changes: rows can be read for ``ROWS_SECONDS``, and octets, which never change, until the end,
but of a message that was removed since only for ``CONTENTS_SECONDS`` after the first octets were asked for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from mektup.store.mailbox import Mailbox
from mektup.terms.numbers import AccountId, ContentId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.quota import OwnLimits
from mektup.terms.rights import Rights
from mektup.terms.sets import Uids

ROWS_SECONDS: Final = 60.0
"""How long the rows of a moment can be read at least."""

CONTENTS_SECONDS: Final = 5.0
"""How long, after the first octets were asked for, the octets of messages that were removed since can be read."""

EntryOf = tuple[AccountId, str]
"""The name of an entry of metadata: its user (empty for a shared entry), and the entry."""


@dataclass(frozen=True, slots=True)
class MailboxState:
    """A mailbox at the moment, without its messages."""

    mailbox: Mailbox
    keywords: tuple[str, ...]
    """Every keyword ever set in it, in the order of first use."""
    access: Mapping[str, Rights]
    """Its access control list, by identifier, see ``store.access_lists``."""
    metadata: Mapping[EntryOf, bytes]
    """The entries of all users."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account at the moment, without its messages."""

    modseq: ModSeq
    """The modseq of the account's last change."""
    uidvalidity: UidValidity
    """The highest that any of its mailboxes ever had."""
    mailboxes: Sequence[MailboxState]
    """INBOX first, then by name, parents before children."""
    subscriptions: frozenset[str]
    metadata: Mapping[EntryOf, bytes]
    """The entries of the empty mailbox name."""
    own_limits: OwnLimits
    """The limits that the account has in place of the default ones."""


class KeptMessage(NamedTuple):
    """A message of a mailbox at the moment."""

    uid: Uid
    word: int
    """The flag word, for ``Moment.flag_names``."""
    modseq: ModSeq
    content: ContentId
    size: int
    """Octets."""
    internaldate: int
    """Seconds since 1970 UTC."""
    zone: int
    """Minutes east of UTC in which the internal date is shown."""
    saved: int
    """When it was added to its mailbox, seconds since 1970 UTC."""
    digest: bytes
    """BLAKE2b of its octets, ``arrival.DIGEST_BYTES`` long. Equal digests mean equal octets."""


class Moment(Protocol):
    """An account at one moment. Ends with its context."""

    @property
    def state(self) -> AccountState: ...

    def flag_names(self, word: int) -> tuple[str, ...]:
        """The flags of a flag word: system flags in their usual order, then keywords."""

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> tuple[Uids, Uids]:
        """The messages with a modseq above *since*, and the UIDs expunged since then, as in ``interface.Touched``.

        Raises Refused(NONEXISTENT), and Refused(UNAVAILABLE) where the moment is over.
        """

    def messages(self, mailbox: MailboxId, uids: Uids) -> AsyncGenerator[Sequence[KeptMessage], None]:
        """Those of *uids* that exist, ascending, in slices. Raises Refused(UNAVAILABLE) where the moment is over."""

    def contents(self, contents: Sequence[ContentId]) -> AsyncGenerator[Sequence[tuple[ContentId, bytes | None]], None]:
        """The octets of messages, in the given order, in slices of bounded octets.

        None where a message is too large to hold: ``content`` streams it. Raises Refused(EXPUNGEISSUED) where one was
        removed and the engine does not keep the moment any more, and Refused(CORRUPTION) where one is damaged.
        """

    def content(self, content: ContentId) -> AsyncGenerator[bytes, None]:
        """The octets of a message, in pieces of bounded size. Raises as ``contents``."""
