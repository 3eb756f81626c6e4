"""One account's mail in a shard."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Sequence
from typing import Any, TypeVar

from mektup.store.adoption import Adopted, Adoption
from mektup.store.columns import AnyColumn, Form, Lines, Row
from mektup.store.interface import (
    Appended,
    Changes,
    Copied,
    Expunged,
    FlagOrder,
    FlagsStored,
    Incoming,
    Mailbox,
    Selection,
    Touched,
)
from mektup.store.mailbox_changes import MailboxChanges
from mektup.store.memo import Memory
from mektup.store.postgres.access_lists import PostgresAccessLists
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.adoption import Adopting
from mektup.store.postgres.mailboxes import Mailboxes
from mektup.store.postgres.message_calls import Packing
from mektup.store.postgres.messages import Messages
from mektup.store.postgres.metadata import PostgresMetadata
from mektup.store.postgres.quota import PostgresQuota
from mektup.store.postgres.shard import Shard
from mektup.store.quota import DefaultQuota
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import NO_MODSEQ, AccountId, ContentId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.peer import AccountWatch, Watch
from mektup.terms.sets import Uids

T = TypeVar("T")


class PostgresAccount:
    """An ``interface.Account`` in a shard."""

    def __init__(
        self,
        name: str,
        database: AccountDatabase,
        access_lists: PostgresAccessLists,
        quota: DefaultQuota,
        limits: Limits,
        memory: Memory,
        packing: Packing,
    ) -> None:
        self.name = name
        self.access_lists = access_lists
        self.quota = PostgresQuota(database, quota)
        self.metadata = PostgresMetadata(database, limits)
        self._database = database
        self._messages = Messages(database, memory, limits, quota, packing)
        self._mailboxes = Mailboxes(database, self._messages.writing, quota, limits)
        self._adopting = Adopting(database, self._mailboxes, self._messages, limits)

    @property
    def id(self) -> AccountId:
        """See ``interface.Account``, also for the other methods."""
        return self._database.account

    @property
    def shard(self) -> Shard:
        """The shard that has it."""
        return self._database.shard

    @property
    def has_ended(self) -> bool:
        """Whether ``end`` was called."""
        return self._database.has_ended

    async def close(self) -> None:
        """Waits for running writes; may be called twice."""
        await self._messages.close()

    def end(self, why: Refused) -> None:
        """Ends the account for all who still have it: later calls raise *why*."""
        self._database.end(why)

    # The account's rows

    def renew(self) -> Coroutine[Any, Any, None]:
        return self._whole(self._mailboxes.renew())

    async def compact(self) -> None:
        """Nothing: PostgreSQL gives space back by itself."""
        self._database.check()

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
        return self._whole(self._mailboxes.create(name, special_use=special_use))

    def delete(self, name: str) -> Coroutine[Any, Any, None]:
        return self._whole(self._mailboxes.delete(name))

    def rename(self, old: str, new: str) -> Coroutine[Any, Any, None]:
        return self._whole(self._mailboxes.rename(old, new))

    def subscribe(self, name: str) -> Coroutine[Any, Any, None]:
        return self._whole(self._mailboxes.subscribe(name))

    def unsubscribe(self, name: str) -> Coroutine[Any, Any, None]:
        return self._whole(self._mailboxes.unsubscribe(name))

    # One mailbox, read

    def select(self, name: str, *, claim_recent: bool) -> Coroutine[Any, Any, Selection]:
        return self._messages.reading.select(name, claim_recent=claim_recent)

    def modseq(self, mailbox: MailboxId) -> Coroutine[Any, Any, ModSeq]:
        return self._messages.reading.modseq(mailbox)

    def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> Coroutine[Any, Any, Changes]:
        return self._messages.reading.changes(
            mailbox, since=since, expunged_since=expunged_since, uidnext=uidnext, claim_recent=claim_recent
        )

    def touched(self, mailbox: MailboxId, since: ModSeq) -> Coroutine[Any, Any, Touched]:
        return self._messages.reading.touched(mailbox, since)

    def fetch(self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]) -> AsyncGenerator[list[Row], None]:
        return self._messages.fetching.fetch(mailbox, uids, columns)

    def lines(
        self, mailbox: MailboxId, uids: Uids, form: Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[Lines, None]:
        return self._messages.fetching.lines(mailbox, uids, form, number)

    def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return self._messages.fetching.content(content, start, stop)

    def flag_names(self, word: int) -> tuple[str, ...]:
        return self._messages.keyword_sets.flags(word)

    def known_words(self, most: int) -> Sequence[tuple[int, tuple[str, ...]]] | None:
        return self._messages.keyword_sets.known_words(most)

    # One mailbox, written

    def append(self, mailbox: MailboxId, messages: Sequence[Incoming]) -> Coroutine[Any, Any, Appended]:
        writing = self._messages.writing
        return writing.whole(writing.append(mailbox, messages))

    def replace(
        self, mailbox: MailboxId, uid: Uid, target: MailboxId, message: Incoming
    ) -> Coroutine[Any, Any, Appended]:
        writing = self._messages.writing
        return writing.whole(writing.replace(mailbox, uid, target, message))

    def store_flags(
        self,
        mailbox: MailboxId,
        uids: Uids,
        change: FlagChange,
        flags: frozenset[str],
        *,
        unchanged_since: ModSeq | None = None,
    ) -> Coroutine[Any, Any, FlagsStored]:
        order = FlagOrder(uids, change, flags)
        return self._messages.writing.whole(self._messages.storing.store_flags(mailbox, order, unchanged_since))

    def store_flags_in_turn(
        self, mailbox: MailboxId, orders: Sequence[FlagOrder]
    ) -> Coroutine[Any, Any, Sequence[FlagsStored]]:
        return self._messages.writing.whole(self._messages.storing.store_flags_in_turn(mailbox, orders))

    def copy(self, mailbox: MailboxId, uids: Uids, target: str) -> Coroutine[Any, Any, Copied]:
        writing = self._messages.writing
        return writing.whole(writing.copy(mailbox, uids, target))

    def move(self, mailbox: MailboxId, uids: Uids, target: str) -> Coroutine[Any, Any, Copied]:
        writing = self._messages.writing
        return writing.whole(writing.move(mailbox, uids, target))

    def expunge(self, mailbox: MailboxId, uids: Uids | None) -> Coroutine[Any, Any, Expunged]:
        writing = self._messages.writing
        return writing.whole(writing.expunge(mailbox, uids))

    def remove(self, mailbox: MailboxId, uids: Uids) -> Coroutine[Any, Any, Expunged]:
        writing = self._messages.writing
        return writing.whole(writing.remove(mailbox, uids))

    # Mail of another server

    def adopt_mailbox(
        self,
        name: str,
        uidvalidity: UidValidity | None,
        uidnext: Uid,
        *,
        highestmodseq: ModSeq = NO_MODSEQ,
        special_use: str | None = None,
    ) -> Coroutine[Any, Any, Mailbox]:
        adopting = self._adopting.adopt_mailbox(
            name, uidvalidity, uidnext, highestmodseq=highestmodseq, special_use=special_use
        )
        return self._whole(adopting)

    def adopt(self, mailbox: MailboxId, messages: Sequence[Adopted]) -> Coroutine[Any, Any, Adoption]:
        return self._whole(self._adopting.adopt(mailbox, messages))

    def imported(self, mailbox: MailboxId, keys: Collection[bytes]) -> Coroutine[Any, Any, frozenset[bytes]]:
        return self._adopting.imported(mailbox, keys)

    def _whole(self, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """*work*, which goes on to its end where the caller is cancelled: a commit has to be told."""
        return self._messages.writing.whole(work)

    # Notification

    def watch(self, mailbox: MailboxId | None) -> Watch:
        return self._database.notifier.watch(self.id, mailbox)

    def watch_account(self) -> AccountWatch:
        return self._database.notifier.watch_account(self.id)
