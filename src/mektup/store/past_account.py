"""An account of the past: an ``interface.Account`` that can be read as any other, and not be changed.

Whatever engine made it, the verbs that read go to the account that the engine has made of the past, which it may close
and make again between two calls. Every verb that writes raises Refused(NOPERM).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, NoReturn, Protocol

from mektup.store import texts
from mektup.store.access_lists import AccessLists, SharedMailboxes
from mektup.store.columns import AnyColumn, Form, Lines, Row
from mektup.store.interface import Account, Changes, Found, Mailbox, SearchStatus, Selection, Sorted, Touched
from mektup.store.mailbox_changes import MailboxChanges
from mektup.store.metadata import AccountMetadata, MetadataChanges, Values, Wanted
from mektup.store.moments import Moment
from mektup.store.quota import AccountQuota, QuotaState
from mektup.store.retention import AccountRetention
from mektup.store.watch import ChangeNotifier
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import AccountId, ContentId, MailboxId, ModSeq, Uid
from mektup.terms.peer import AccountWatch, Watch
from mektup.terms.quota import OwnLimits
from mektup.terms.rights import Rights, RightsChange
from mektup.terms.search import Part, SearchKey
from mektup.terms.sets import Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, ThreadAlgorithm


class PastMail(Protocol):
    """What an engine makes of the past: the verbs of ``interface.Account`` that read mailboxes and messages."""

    @property
    def quota(self) -> PastQuota: ...

    async def mailboxes(self) -> Sequence[Mailbox]: ...

    async def mailbox_changes(self, since: ModSeq) -> MailboxChanges: ...

    async def mailbox(self, name: str) -> Mailbox: ...

    async def select(self, name: str, *, claim_recent: bool) -> Selection: ...

    async def modseq(self, mailbox: MailboxId) -> ModSeq: ...

    async def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> Changes: ...

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> Touched: ...

    def fetch(
        self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]
    ) -> AsyncGenerator[list[Row], None]: ...

    def lines(
        self, mailbox: MailboxId, uids: Uids, form: Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[Lines, None]: ...

    def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]: ...

    async def search(
        self, mailbox: MailboxId, key: SearchKey, within: Uids, modseq_of: Part | None = None
    ) -> Found: ...

    async def sort(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        criteria: Sequence[SortCriterion],
        modseq_of: Part | None = None,
    ) -> Sorted: ...

    async def thread(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        algorithm: ThreadAlgorithm,
        comparator: Comparator = DEFAULT,
    ) -> MessageThreads: ...

    async def relevancy(self, mailbox: MailboxId, key: SearchKey, uids: Uids) -> Sequence[int]: ...


class PastQuota(Protocol):
    """The part of a quota that mailboxes of the past have."""

    async def deleted_octets(self, mailboxes: Sequence[MailboxId]) -> Mapping[MailboxId, int]:
        """See ``store.quota.AccountQuota``."""


Opened = Callable[[MailboxId | None], Awaitable[PastMail]]
"""Returns the account of the past; that one of its mailboxes can be read by its ID."""


def read_only() -> Refused:
    """The refusal of a change of the past."""
    return Refused(Code.NOPERM, texts.PAST_IS_READ_ONLY)


async def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise read_only()


class PastAccount:
    """See the module. *present* is the real account, whose keywords the flag words of the past have, too."""

    def __init__(self, present: Account, opened: Opened, *, is_deleted_mail: bool) -> None:
        self.is_deleted_mail = is_deleted_mail
        """Whether it has the deleted messages, and is no moment of the past."""
        self._present = present
        self._opened = opened
        self._notifier = ChangeNotifier(None)

    @property
    def id(self) -> AccountId:
        """See ``interface.Account``, also for the other methods."""
        return self._present.id

    @property
    def name(self) -> str:
        return self._present.name

    @property
    def access_lists(self) -> AccessLists:
        return _NoLists()

    @property
    def quota(self) -> AccountQuota:
        return _PastQuota(self._present.quota, self._opened)

    @property
    def metadata(self) -> AccountMetadata:
        return _NoMetadata()

    @property
    def retention(self) -> AccountRetention:
        return self._present.retention

    async def deleted_mail(self) -> Account:
        return await self._present.deleted_mail()

    async def at(self, moment: int) -> Account:
        return await self._present.at(moment)

    # Reading

    async def mailboxes(self) -> Sequence[Mailbox]:
        return await (await self._opened(None)).mailboxes()

    async def mailbox_changes(self, since: ModSeq) -> MailboxChanges:
        return await (await self._opened(None)).mailbox_changes(since)

    async def subscriptions(self) -> frozenset[str]:
        return frozenset()

    async def mailbox(self, name: str) -> Mailbox:
        return await (await self._opened(None)).mailbox(name)

    async def target(self, name: str) -> MailboxId:
        return (await self.mailbox(name)).id

    async def select(self, name: str, *, claim_recent: bool) -> Selection:
        return await (await self._opened(None)).select(name, claim_recent=False)

    async def modseq(self, mailbox: MailboxId) -> ModSeq:
        return await (await self._opened(mailbox)).modseq(mailbox)

    async def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> Changes:
        return await (await self._opened(mailbox)).changes(
            mailbox, since=since, expunged_since=expunged_since, uidnext=uidnext, claim_recent=False
        )

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> Touched:
        return await (await self._opened(mailbox)).touched(mailbox, since)

    async def fetch(
        self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]
    ) -> AsyncGenerator[list[Row], None]:
        async with aclosing((await self._opened(mailbox)).fetch(mailbox, uids, columns)) as slices:
            async for rows in slices:
                yield rows

    async def lines(
        self, mailbox: MailboxId, uids: Uids, form: Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[Lines, None]:
        async with aclosing((await self._opened(mailbox)).lines(mailbox, uids, form, number)) as slices:
            async for some in slices:
                yield some

    async def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        async with aclosing((await self._opened(None)).content(content, start, stop)) as pieces:
            async for piece in pieces:
                yield piece

    def flag_names(self, word: int) -> tuple[str, ...]:
        return self._present.flag_names(word)

    def known_words(self, most: int) -> Sequence[tuple[int, tuple[str, ...]]] | None:
        return self._present.known_words(most)

    async def search(self, mailbox: MailboxId, key: SearchKey, within: Uids, modseq_of: Part | None = None) -> Found:
        return await (await self._opened(mailbox)).search(mailbox, key, within, modseq_of)

    async def sort(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        criteria: Sequence[SortCriterion],
        modseq_of: Part | None = None,
    ) -> Sorted:
        return await (await self._opened(mailbox)).sort(mailbox, key, within, criteria, modseq_of)

    async def thread(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        algorithm: ThreadAlgorithm,
        comparator: Comparator = DEFAULT,
    ) -> MessageThreads:
        return await (await self._opened(mailbox)).thread(mailbox, key, within, algorithm, comparator)

    async def relevancy(self, mailbox: MailboxId, key: SearchKey, uids: Uids) -> Sequence[int]:
        return await (await self._opened(mailbox)).relevancy(mailbox, key, uids)

    async def imported(self, mailbox: MailboxId, keys: Collection[bytes]) -> frozenset[bytes]:
        return frozenset()

    def snapshot(self) -> AbstractAsyncContextManager[Moment]:
        # it is one moment already, and reading it as any account is enough
        raise read_only()

    async def search_status(self) -> SearchStatus:
        return await self._present.search_status()

    def watch(self, mailbox: MailboxId | None) -> Watch:
        return self._notifier.watch(self.id, mailbox)

    def watch_account(self) -> AccountWatch:
        return self._notifier.watch_account(self.id)

    # Writing

    renew = compact = create = delete = rename = subscribe = unsubscribe = _refuse
    adopt_mailbox = adopt = _refuse
    append = replace = store_flags = store_flags_in_turn = copy = move = expunge = remove = _refuse


class _PastQuota:
    """The quota of the real account, and the octets of mailboxes of the past."""

    def __init__(self, present: AccountQuota, opened: Opened) -> None:
        self._present = present
        self._opened = opened

    async def state(self) -> QuotaState:
        return await self._present.state()

    async def set_limits(self, own: OwnLimits) -> QuotaState:
        raise read_only()

    async def require_room(self, octets: int) -> None:
        raise read_only()

    async def deleted_octets(self, mailboxes: Sequence[MailboxId]) -> Mapping[MailboxId, int]:
        return await (await self._opened(None)).quota.deleted_octets(mailboxes)


class _NoLists:
    """The past is shared with nobody."""

    async def shared_with(self, reader: AccountId) -> SharedMailboxes:
        return SharedMailboxes()

    async def of(self, name: str) -> Mapping[str, Rights]:
        return {}

    async def change(self, name: str, identifier: str, change: RightsChange) -> None:
        raise read_only()


class _NoMetadata:
    """Metadata has no history."""

    async def entries(
        self, mailboxes: Sequence[MailboxId], user: AccountId, wanted: Wanted
    ) -> Mapping[MailboxId, Mapping[str, bytes]]:
        return {}

    async def set_entries(self, mailbox: MailboxId, user: AccountId, values: Values) -> None:
        raise read_only()

    async def changes(self, since: ModSeq, user: AccountId) -> MetadataChanges:
        return MetadataChanges(since, ())
