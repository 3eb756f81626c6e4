"""One account's mail in a shard."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from mektup.store.interface import Mailbox
from mektup.store.mailbox_changes import MailboxChanges
from mektup.store.postgres.access_lists import PostgresAccessLists
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.mailboxes import Mailboxes
from mektup.store.postgres.metadata import PostgresMetadata
from mektup.store.postgres.quota import PostgresQuota
from mektup.store.quota import DefaultQuota
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId, MailboxId, ModSeq
from mektup.terms.peer import AccountWatch, Watch


class PostgresAccount:
    """An ``interface.Account`` in a shard."""

    def __init__(
        self,
        name: str,
        database: AccountDatabase,
        access_lists: PostgresAccessLists,
        quota: DefaultQuota,
        limits: Limits,
    ) -> None:
        self.name = name
        self.access_lists = access_lists
        self.quota = PostgresQuota(database, quota)
        self.metadata = PostgresMetadata(database, limits)
        self._database = database
        self._mailboxes = Mailboxes(database, quota, limits)

    @property
    def id(self) -> AccountId:
        """See ``interface.Account``, also for the other methods."""
        return self._database.account

    @property
    def has_ended(self) -> bool:
        """Whether ``end`` was called."""
        return self._database.has_ended

    def end(self, why: Refused) -> None:
        """Ends the account for all who still have it: later calls raise *why*."""
        self._database.end(why)

    # Mailboxes

    def mailboxes(self) -> Coroutine[Any, Any, Sequence[Mailbox]]:
        return self._mailboxes.mailboxes()

    def mailbox_changes(self, since: ModSeq) -> Coroutine[Any, Any, MailboxChanges]:
        return self._mailboxes.mailbox_changes(since)

    def subscriptions(self) -> Coroutine[Any, Any, frozenset[str]]:
        return self._mailboxes.subscriptions()

    def mailbox(self, name: str) -> Coroutine[Any, Any, Mailbox]:
        return self._mailboxes.mailbox(name)

    def target(self, name: str) -> Coroutine[Any, Any, MailboxId]:
        return self._mailboxes.target(name)

    def create(self, name: str, *, special_use: str | None = None) -> Coroutine[Any, Any, Mailbox]:
        return self._mailboxes.create(name, special_use=special_use)

    def delete(self, name: str) -> Coroutine[Any, Any, None]:
        return self._mailboxes.delete(name)

    def rename(self, old: str, new: str) -> Coroutine[Any, Any, None]:
        return self._mailboxes.rename(old, new)

    def subscribe(self, name: str) -> Coroutine[Any, Any, None]:
        return self._mailboxes.subscribe(name)

    def unsubscribe(self, name: str) -> Coroutine[Any, Any, None]:
        return self._mailboxes.unsubscribe(name)

    # Notification

    def watch(self, mailbox: MailboxId | None) -> Watch:
        return self._database.notifier.watch(self.id, mailbox)

    def watch_account(self) -> AccountWatch:
        return self._database.notifier.watch_account(self.id)
