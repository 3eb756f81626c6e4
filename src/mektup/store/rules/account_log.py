"""The log of an account: which mailboxes and subscriptions changed since a modseq.

The log has no row for each change. An engine keeps, and changes in the same transaction as the mailboxes:

* for each mailbox, the modseq of its creation and of the last change of its name or attributes (whatever a mailbox gets
  later, such as rights, changes this modseq, too);
* for each subscription, the modseq at which it began;
* *tombstones*: for each deleted mailbox its ID, MAILBOXID, last name and modseqs, for each ended subscription its name
  and modseq;
* for the account, the *floor*: the log is complete for every caller that knows the state at this modseq or a later one.

So the log grows only by tombstones. When there are many, the engine removes the oldest, and raises the floor to the
newest that it removed. Where an older state of the account may have come back (``rules.gaps``), a caller may know
changes that never happened: the engine removes all tombstones, and raises the floor to the present modseq.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mektup.store.mailbox_changes import GoneMailbox, LoggedMailbox, LoggedSubscription, MailboxChanges
from mektup.terms.numbers import ModSeq

KEPT_TOMBSTONES = 1000
"""How many of the newest tombstones stay, however old they are."""

SPARE_TOMBSTONES = 1000
"""How many more there may be before the oldest are removed, so many at a time."""


def are_many(tombstones: int) -> bool:
    """Whether there are so many *tombstones* that only KEPT_TOMBSTONES of them stay."""
    return tombstones > KEPT_TOMBSTONES + SPARE_TOMBSTONES


@dataclass(frozen=True, slots=True)
class LogSince:
    """What the caller of ``interface.Account.mailbox_changes`` knows, and how far the log reaches back."""

    since: ModSeq
    floor: ModSeq
    modseq: ModSeq
    """The account's modseq now."""

    @property
    def is_now(self) -> bool:
        """Whether nothing in the account has changed."""
        return self.since == self.modseq

    @property
    def whole(self) -> bool:
        """Whether the caller needs everything; so does one that knows a future which was lost."""
        return not self.floor <= self.since <= self.modseq

    @property
    def above(self) -> int:
        """The modseq above which rows belong to the answer."""
        return -1 if self.whole else self.since

    def told(
        self,
        mailboxes: Iterable[LoggedMailbox] = (),
        gone: Iterable[GoneMailbox] = (),
        subscriptions: Iterable[LoggedSubscription] = (),
    ) -> MailboxChanges:
        """The answer, from all rows with a modseq higher than ``above``; other rows are ignored."""
        changed = [each for each in mailboxes if each.changed > self.above]
        named = [each for each in subscriptions if each.changed > self.above and (each.subscribed or not self.whole)]
        missed = [each for each in gone if not self.whole and each.created <= self.since < each.gone]
        return MailboxChanges(
            self.modseq,
            self.whole,
            tuple(sorted(changed, key=lambda each: (each.changed, each.id))),
            tuple(sorted(missed, key=lambda each: (each.gone, each.id))),
            tuple(sorted(named, key=lambda each: (each.changed, each.name))),
        )
