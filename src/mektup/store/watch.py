"""Notification of changes by flags, so that no wake-up is lost and no queue grows.

A waiter creates its watch first, then reads the state, then sleeps. A change sets the flag and calls the waiter once.
Further changes before the waiter reads again have no effect, so no queue can overflow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from mektup.terms.numbers import MAX_MODSEQ, AccountId, MailboxId, ModSeq

if TYPE_CHECKING:
    from mektup.store.interface import Bus

MOST_NOTED: Final = 64
"""How many changed mailboxes a ``WatchOfAccount`` notes; with more, it may be any."""

W = TypeVar("W", bound="MailboxWatch")


class MailboxWatch:
    """A ``terms.peer.Watch`` on one mailbox, or on every mailbox of an account."""

    __slots__ = ("_heard", "_hub", "_key", "_known", "on_fire")

    def __init__(self, hub: WatchHub, key: tuple[AccountId, MailboxId | None]) -> None:
        self._hub = hub
        self._key = key
        self._heard = 0
        """The highest modseq of the changes since the flag was cleared; 0 while the flag is clear."""
        self._known = 0
        """The waiter knows all changes up to this modseq."""
        self.on_fire: Callable[[], None] | None = None

    @property
    def fired(self) -> bool:
        """Whether something has changed since ``rearm``."""
        return self._heard > 0

    def rearm(self) -> None:
        """Clears the flag. Call it before reading the changes, never after."""
        self._heard = 0

    def knows(self, modseq: ModSeq) -> None:
        """See ``terms.peer.Watch``: the waiter read or made the changes up to *modseq*."""
        self._known = modseq
        if self._heard <= modseq:
            self._heard = 0

    def fire(self, modseq: int = MAX_MODSEQ, mailbox: MailboxId | None = None) -> None:
        """Sets the flag for change *modseq*, or for one with an unknown modseq; wakes the waiter if it was clear.

        *mailbox*: which one changed, for a watch on several; None for any.
        """
        if modseq <= self._known:
            return
        was_down = not self._heard
        self._heard = max(self._heard, modseq)
        if was_down and self.on_fire is not None:
            self.on_fire()

    def close(self) -> None:
        """Ends the watch; may be called twice."""
        self._hub.forget(self._key, self)


class WatchOfAccount(MailboxWatch):
    """A ``terms.peer.AccountWatch``."""

    __slots__ = ("_changed",)

    def __init__(self, hub: WatchHub, account: AccountId) -> None:
        super().__init__(hub, (account, None))
        self._changed: set[MailboxId] | None = set()

    def fire(self, modseq: int = MAX_MODSEQ, mailbox: MailboxId | None = None) -> None:
        """See ``MailboxWatch.fire``."""
        if mailbox is None or (self._changed is not None and len(self._changed) >= MOST_NOTED):
            self._changed = None
        elif self._changed is not None:
            self._changed.add(mailbox)
        super().fire(modseq)

    def take(self) -> Collection[MailboxId] | None:
        """See ``terms.peer.AccountWatch``."""
        self.rearm()
        changed, self._changed = self._changed, set()
        return changed

    def note(self, mailbox: MailboxId) -> None:
        """See ``terms.peer.AccountWatch``."""
        self.fire(mailbox=mailbox)


class WatchHub:
    """All watches of a process. Use it only from the event loop's thread."""

    __slots__ = ("_watches",)

    def __init__(self) -> None:
        self._watches: dict[AccountId, dict[MailboxId | None, set[MailboxWatch]]] = {}

    def watch(self, account: AccountId, mailbox: MailboxId | None) -> MailboxWatch:
        """A watch on *mailbox*, or on the whole account for None."""
        return self._add(MailboxWatch(self, (account, mailbox)), account, mailbox)

    def watch_account(self, account: AccountId) -> WatchOfAccount:
        """A watch on the whole account that knows which mailboxes changed."""
        return self._add(WatchOfAccount(self, account), account, None)

    def _add(self, watch: W, account: AccountId, mailbox: MailboxId | None) -> W:
        self._watches.setdefault(account, {}).setdefault(mailbox, set()).add(watch)
        return watch

    def forget(self, key: tuple[AccountId, MailboxId | None], watch: MailboxWatch) -> None:
        """Ends *watch*."""
        account, mailbox = key
        of_account = self._watches.get(account, {})
        watches = of_account.get(mailbox)
        if watches is not None:
            watches.discard(watch)
            if not watches:
                del of_account[mailbox]
            if not of_account:
                del self._watches[account]

    def accounts(self) -> Sequence[AccountId]:
        """The accounts that are watched now."""
        return tuple(self._watches)

    def mailboxes(self, account: AccountId) -> Sequence[MailboxId]:
        """The mailboxes of *account* that are watched now, one by one."""
        return [mailbox for mailbox in self._watches.get(account, ()) if mailbox is not None]

    def changed(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        """Fires every watch on *mailbox* and on its account, for change *modseq*; None where it is not known."""
        of_account = self._watches.get(account)
        if of_account is not None:
            for key in (mailbox, None):
                for watch in tuple(of_account.get(key, ())):
                    watch.fire(modseq or MAX_MODSEQ, mailbox)

    def changed_anywhere(self, account: AccountId) -> None:
        """Fires the watches on the whole *account*, of which any mailbox may have changed."""
        for watch in tuple(self._watches.get(account, {}).get(None, ())):
            watch.fire()

    def fire_all(self) -> None:
        """Fires every watch."""
        for of_account in tuple(self._watches.values()):
            for watches in tuple(of_account.values()):
                for watch in tuple(watches):
                    watch.fire()


class ChangeNotifier:
    """Notifies the watches of this process and, through the bus, other processes."""

    __slots__ = ("_bus", "_hub")

    def __init__(self, bus: Bus | None) -> None:
        self._bus = bus
        self._hub = WatchHub()

    @property
    def hub(self) -> WatchHub:
        """The watches of this process."""
        return self._hub

    def watch(self, account: AccountId, mailbox: MailboxId | None) -> MailboxWatch:
        """See ``WatchHub.watch``."""
        return self._hub.watch(account, mailbox)

    def watch_account(self, account: AccountId) -> WatchOfAccount:
        """See ``WatchHub.watch_account``."""
        return self._hub.watch_account(account)

    def changed(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        """Notifies all, because this process committed change *modseq* of *mailbox*."""
        self._hub.changed(account, mailbox, modseq)
        if self._bus is not None:
            self._bus.publish(account, mailbox, modseq)

    def changed_elsewhere(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        """Notifies this process's watches, because another process committed change *modseq*."""
        self._hub.changed(account, mailbox, modseq)

    def missed_notices(self) -> None:
        """Notifies all watches of this process, because notices of other processes may be lost."""
        self._hub.fire_all()
