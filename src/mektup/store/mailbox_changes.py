"""What ``interface.Account.mailbox_changes`` returns: mailboxes and subscriptions that changed since a modseq."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mektup.terms.numbers import MailboxId, ModSeq, UidValidity


@dataclass(frozen=True, slots=True)
class LoggedMailbox:
    """A mailbox as the log knows it: its name and attributes, without its messages and counters."""

    id: MailboxId
    name: str
    uidvalidity: UidValidity
    mailboxid: str
    special_use: str | None
    selectable: bool
    created: ModSeq
    """The change that created it; 0 where that was before the log began."""
    changed: ModSeq
    """The last change of its name or its attributes, creation included; 0 where that was before the log began."""


@dataclass(frozen=True, slots=True)
class GoneMailbox:
    """A deleted mailbox."""

    id: MailboxId
    name: str
    """Its last name, which another mailbox may have now."""
    mailboxid: str
    created: ModSeq
    gone: ModSeq
    """The change that deleted it."""


@dataclass(frozen=True, slots=True)
class LoggedSubscription:
    """A name that is subscribed, or was; a mailbox with that name need not exist."""

    name: str
    subscribed: bool
    changed: ModSeq
    """The change that began or ended the subscription; 0 where that was before the log began."""


@dataclass(frozen=True, slots=True)
class MailboxChanges:
    """The differences of an account's mailboxes and subscriptions from a state given by a modseq.

    The three sequences ascend by modseq, so a caller that has to answer in parts may end a part after any modseq.
    """

    modseq: ModSeq
    """The state after these changes; the next call's *since*."""
    whole: bool
    """Whether the log does not reach back far enough. Then this is everything that exists, and the caller forgets
    what it knew."""
    mailboxes: Sequence[LoggedMailbox]
    """Mailboxes that were created, were renamed, or changed otherwise. Those with ``created`` above *since* are new."""
    gone: Sequence[GoneMailbox]
    """Mailboxes that existed at *since* and were deleted; a mailbox that came and went in between is not mentioned."""
    subscriptions: Sequence[LoggedSubscription]
    """Names whose subscription began or ended. May name a subscription that began and ended in between."""
