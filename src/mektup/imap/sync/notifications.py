"""What a client asked for by NOTIFY, and what it knows of mailboxes that it has not selected (RFC 5465).

Only mailboxes of the client's own account are watched; those of others are ignored, like names that do not exist
(RFC 5465 §3.1). Each watched mailbox is kept as the client knows it. What the client does itself, it knows, and need
not be told (RFC 5465 §5).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from mektup.imap.sync.interests import Interests
from mektup.store.interface import Account, Mailbox
from mektup.terms.mailbox_events import Event
from mektup.terms.names import DELIMITER, INBOX
from mektup.terms.numbers import MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.peer import AccountWatch
from mektup.terms.sets import NumberSet, Uids

if TYPE_CHECKING:
    from mektup.imap.sync.view import View


class Notifications:
    """The NOTIFY of a session, and what its client knows of mailboxes that are not selected."""

    __slots__ = (
        "_created",
        "_own_arrivals",
        "_own_writes",
        "account",
        "interests",
        "known",
        "server_since",
        "since",
        "subscribed",
        "watch",
    )

    def __init__(self, interests: Interests, account: Account) -> None:
        """*account*: that of the client, whose mailboxes are watched if *interests* are of other mailboxes."""
        self.interests = interests
        self.account = account
        self.watch: AccountWatch | None = account.watch_account() if interests.are_of_others else None
        self.known: dict[MailboxId, Mailbox] = {}
        """The watched mailboxes as the client knows them."""
        self.subscribed: frozenset[str] = frozenset()
        """The subscribed names that the client knows."""
        self.since = ModSeq(0)
        """The modseq up to which the changes of names were told."""
        self.server_since: ModSeq | None = None
        """The state of the server's shared metadata that the client knows; None where it does not ask for it."""
        self._created: set[MailboxId] = set()
        """Watched mailboxes that the client made since."""
        self._own_writes = 0
        """How many changes the client made to messages since, by APPEND, COPY and MOVE."""
        self._own_arrivals: Uids = NumberSet()

    # What the client does itself, and knows therefore (RFC 5465 §5)

    def created(self, mailbox: Mailbox) -> None:
        """The client created *mailbox*."""
        if self.events(mailbox.name):
            self.known[mailbox.id] = mailbox
            self._created.add(mailbox.id)

    def deleted(self, name: str) -> None:
        """The client deleted the mailbox *name*."""
        for number in [number for number, each in self.known.items() if each.name == name]:
            del self.known[number]

    def renamed(self, old: str, new: str) -> None:
        """The client renamed the mailbox *old*, and all below it."""
        if old == INBOX:
            return  # RFC 9051 §6.3.6: it keeps its name, and its messages are in a new mailbox
        below = old + DELIMITER
        for number, each in self.known.items():
            if each.name == old or each.name.startswith(below):
                self.known[number] = replace(each, name=new + each.name[len(old) :])

    def subscribes(self, name: str, subscribed: bool) -> None:
        """The client subscribed *name*, or ended its subscription."""
        self.subscribed = self.subscribed | {name} if subscribed else self.subscribed - {name}

    def added(self, view: View | None, account: Account, mailbox: MailboxId, uids: Uids) -> None:
        """The client, with the selected mailbox *view*, added *uids* to a mailbox of *account*, by one change."""
        self._added(account, uids, view is not None and (view.account, view.mailbox) == (account, mailbox))

    def copied(self, view: View, account: Account, name: str, uids: Uids) -> None:
        """The client copied or moved messages of *view*, which became *uids* of the mailbox *name* of *account*."""
        self._added(account, uids, (view.account, view.name) == (account, name))

    def _added(self, account: Account, uids: Uids, to_selected: bool) -> None:
        if account is self.account:
            self._own_writes += 1
        if to_selected and self.interests.selected.items:
            self._own_arrivals = self._own_arrivals | uids

    def take_own_arrivals(self) -> Uids:
        """The messages that the client added to the selected mailbox, since the last call."""
        uids, self._own_arrivals = self._own_arrivals, NumberSet()
        return uids

    def left(self, mailbox: MailboxId) -> None:
        """The client does not have *mailbox* selected any more."""
        self._own_arrivals = NumberSet()
        if self.watch is not None and mailbox in self.known:
            self.watch.note(mailbox)

    def close(self) -> None:
        """Ends the watch."""
        if self.watch is not None:
            self.watch.close()

    # The state that the client knows

    def events(self, name: str) -> frozenset[Event]:
        """The events of the mailbox *name* that the client wants to be told of."""
        return self.interests.of(name, subscribed=name in self.subscribed)

    def follow(self, mailbox: Mailbox, *, uidvalidity: UidValidity | None = None) -> None:
        """Watches *mailbox*, of which the client was told nothing; or does not, if the client does not ask for it.

        *uidvalidity*: that of an earlier mailbox with this name.
        """
        if self.events(mailbox.name):
            self.known[mailbox.id] = replace(
                mailbox, messages=0, unseen=0, uidnext=Uid(1), uidvalidity=uidvalidity or mailbox.uidvalidity
            )
        else:
            self.known.pop(mailbox.id, None)

    @property
    def has_created(self) -> bool:
        """Whether the client made watched mailboxes, of which the log may not say what became of them."""
        return bool(self._created)

    def take_created(self) -> Collection[MailboxId]:
        """The watched mailboxes that the client made since the last call."""
        created, self._created = self._created, set()
        return created

    def take_own_writes(self, modseq: ModSeq) -> bool:
        """Whether the client added messages since the last call, and there was no other change up to *modseq*."""
        writes, self._own_writes = self._own_writes, 0
        return 0 < writes == modseq - self.since
