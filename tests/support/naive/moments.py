"""An account in memory at one moment: a ``store.moments.Moment``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from mektup.store.moments import AccountState, EntryOf, KeptMessage, MailboxState
from mektup.store.rules.keyword_sets import flags_of
from mektup.store.rules.mailbox_names import listed_order
from mektup.terms.numbers import ACCOUNT_ITSELF, ContentId, MailboxId, ModSeq, UidValidity
from mektup.terms.sets import Uids
from tests.support.naive.state import State

ROWS, PIECE_BYTES, LARGE_BYTES = 70, 1000, 10_000


class NaiveMoment:
    """Has a copy of everything."""

    def __init__(self, state: State) -> None:
        self._state = state = state.copy()
        folders = sorted(state.folders.values(), key=lambda each: listed_order(each.name))
        mailboxes = [
            MailboxState(each.counted(), tuple(each.keywords.split()), each.access, self._entries(each.id))
            for each in folders
        ]
        numbers = ModSeq(state.modseq), UidValidity(state.uidvalidity)
        own = self._entries(ACCOUNT_ITSELF)
        self.state = AccountState(*numbers, mailboxes, state.subscribed(), own, state.own_limits)

    def _entries(self, mailbox: MailboxId) -> dict[EntryOf, bytes]:
        rows = self._state.metadata.items()
        return {(user, entry): value for (of, user, entry), (_, value) in rows if of == mailbox and value is not None}

    def flag_names(self, word: int) -> tuple[str, ...]:
        return flags_of(word, self._state.keyword_sets)

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> tuple[Uids, Uids]:
        folder = self._state.selectable(mailbox)
        return folder.changed_since(since), folder.expunged_since(since)

    async def messages(self, mailbox: MailboxId, uids: Uids) -> AsyncGenerator[Sequence[KeptMessage], None]:
        rows = [
            KeptMessage(*numbers, each.content, each.size, each.arrived, each.zone, each.saved, digest)
            for each in self._state.folders[mailbox].some(uids)
            for numbers in [(each.uid, each.word, each.modseq)]
            for digest in [self._state.contents[each.content].digest]
        ]
        for start in range(0, len(rows), ROWS):
            yield rows[start : start + ROWS]

    async def contents(
        self, contents: Sequence[ContentId]
    ) -> AsyncGenerator[Sequence[tuple[ContentId, bytes | None]], None]:
        for content in contents:
            raw = bytes(self._state.contents[content].raw)
            yield [(content, raw if len(raw) <= LARGE_BYTES else None)]

    async def content(self, content: ContentId) -> AsyncGenerator[bytes, None]:
        raw = bytes(self._state.contents[content].raw)
        for start in range(0, len(raw), PIECE_BYTES):
            yield raw[start : start + PIECE_BYTES]
