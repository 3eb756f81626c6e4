"""The columns for SORT and THREAD, read from a shard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.states import State
from mektup.store.postgres.tables import sort_queries
from mektup.store.postgres.text_search import TextSearch
from mektup.store.postgres.thread_bridge import Bridge
from mektup.store.rules.compared_texts import sort_text
from mektup.store.sorting.columns import Column, MessageIds
from mektup.store.sorting.sort_keys import TEXT_FIELDS, ComparedKey, Key, ThreadKey, require_few
from mektup.store.state_search import StateColumns
from mektup.terms.numbers import ContentId, MailboxId
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sorting import SortKey

SLICE_ROWS: Final = 2000
"""How many messages are read at a time."""


@dataclass(frozen=True, slots=True)
class KeysOfShard:
    """A ``sorting.sort_keys.Source``: a mailbox at the moment at which its state was read. For a thread.

    A message whose content was freed since then has empty keys. Nobody sees them for long, as it is gone.
    """

    mailbox: MailboxId
    of_mailbox: State
    columns: StateColumns
    """Of all messages."""
    database: AccountDatabase
    texts: TextSearch
    bridge: Bridge

    def state(self) -> tuple[int, int, int]:
        """See ``Source``, also for the other methods."""
        return self.of_mailbox.highestmodseq, self.of_mailbox.uidnext, len(self.columns.uids)

    def expunged_since(self, modseq: int) -> Uids:
        every: Uids = NumberSet.span(1, self.of_mailbox.uidnext - 1)
        return every - self.columns.uids

    def read(self, uids: Uids, columns: Mapping[Key, Column], most: int) -> Uids:
        there = uids & self.columns.uids
        for some in there.slices(SLICE_ROWS):
            contents = self.columns.contents_of(some)
            rows = self._rows(contents, columns)
            for key, column in columns.items():
                if isinstance(column, MessageIds):
                    self._feed_ids(column, contents, rows, most)
                elif isinstance(key, ComparedKey):
                    column.feed(self._compared(key, some, contents))
                else:
                    column.feed(self._values(key, some, contents, rows))
        for column in columns.values():
            column.settle()
        return there

    def _rows(self, contents: Sequence[int], keys: Mapping[Key, Column]) -> Mapping[int, Mapping[str, Any]]:
        """By content, the columns of ``contents`` that *keys* need."""
        named = sort_queries.needed(keys)
        if not named:
            return {}
        asked = self.database.ask(sort_queries.read(named), (self.database.account, sorted(set(contents))))
        return {row[0]: dict(zip(named, row[1:], strict=True)) for row in self.bridge.ask(asked)}

    def _values(
        self, key: Key, uids: Uids, contents: Sequence[int], rows: Mapping[int, Mapping[str, Any]]
    ) -> Sequence[Any]:
        match key:
            case SortKey.ARRIVAL:
                return self.columns.part_of(self.columns.arrived, uids)
            case SortKey.SIZE:
                return self.columns.part_of(self.columns.sizes, uids)
            case SortKey.DATE:
                # RFC 5256 §2.2: where the sent date cannot be determined, the internal date is used
                arrived = self.columns.part_of(self.columns.arrived, uids)
                sent = [rows.get(content, {}).get("sent") for content in contents]
                return [date if known is None else known for known, date in zip(sent, arrived, strict=True)]
            case ThreadKey.IS_REPLY:
                return [int(rows.get(content, {}).get("is_reply", False)) for content in contents]
        name = TEXT_FIELDS[key]
        return [rows.get(content, {}).get(name, "") for content in contents]

    def _feed_ids(
        self, column: MessageIds, contents: Sequence[int], rows: Mapping[int, Mapping[str, Any]], most: int
    ) -> None:
        values = [str(content) for content in contents]
        for value in column.unknown(values):
            row = rows.get(int(value), {})
            column.learn(value, f"{row.get('message_id', '')} {row.get('reference_ids', '')}")
            require_few(column, most)
        column.feed(values)

    def _compared(self, key: ComparedKey, uids: Uids, contents: Sequence[int]) -> Sequence[str]:
        numbers = dict(zip(uids, map(ContentId, contents), strict=True))
        headers = self.bridge.ask(self.texts.headers(self.mailbox, uids, numbers))
        return [sort_text(headers.get(uid, b""), key.key, key.comparator, self.texts.limits) for uid in uids]
