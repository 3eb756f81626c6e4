"""The expunged messages of an account in memory: a ``store.retention.AccountRetention``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mektup.store.retention import DeletedMessage, Kept, Restored, RestoredAll
from mektup.store.rules import mailbox_tree
from mektup.store.rules.counters import DELETED
from mektup.store.rules.mailbox_names import no_such_target
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids
from tests.support.naive.state import Folder, KeptRow, State, Transaction

if TYPE_CHECKING:
    from tests.support.naive.account import NaiveAccount

AT_ONCE = 3
"""Messages in a slice. SQLite has another number."""


class NaiveRetention:
    """Keeps everything until it is forgotten."""

    def __init__(
        self,
        read: Callable[[], State],
        write: Callable[..., RestoredAll | int],
        account: NaiveAccount,
    ) -> None:
        self._read, self._write, self._account = read, write, account

    async def kept(self) -> Kept:
        rows = self._read().kept.values()
        oldest = min((each.removed for each in rows), default=None)
        return Kept(len(rows), sum(each.message.size for each in rows), oldest)

    async def messages(self, after: int = 0) -> AsyncGenerator[list[DeletedMessage], None]:
        state = self._read()
        change = Transaction(state, 0, keeps=True)
        found = [
            DeletedMessage(Uid(number), *change.place_of(row.mailbox), row.message.uid, row.removed, row.message.size)
            for number, row in state.kept.items()
            if number > after
        ]
        for start in range(0, len(found), AT_ONCE):
            yield found[start : start + AT_ONCE]

    async def restore(self, numbers: Uids, target: str | None = None, *, stay: bool = False) -> RestoredAll:
        def make(change: Transaction) -> RestoredAll:
            return self._restore(change, numbers, target, stay)

        done = self._write(make)
        assert isinstance(done, RestoredAll)
        return done

    def _restore(self, change: Transaction, numbers: Uids, target: str | None, stay: bool) -> RestoredAll:
        rows = {number: row for number, row in change.state.kept.items() if number in numbers}
        by_folder: dict[str, list[int]] = {}
        for number, row in rows.items():
            by_folder.setdefault(self._target(change, row, target).name, []).append(number)
        done: dict[str, Restored] = {}
        for name, some in by_folder.items():
            folder = change.state.named(name)
            assert folder is not None
            with change.opened(folder) as box:
                messages = [replace(rows[number].message, word=rows[number].message.word & ~DELETED) for number in some]
                for word in sorted({message.word for message in messages}):
                    box.use_keywords(self._account.keyword_sets.keywords(word), self._account.limits)
                uids = change.put(folder, box, [replace(message) for message in messages])
            done[name] = Restored(folder.uidvalidity, NumberSet.of_sorted([Uid(number) for number in some]), uids)
            for number in () if stay else some:
                del change.state.kept[number]
        return RestoredAll(done, change.modseq if done else ModSeq(0))

    def _target(self, change: Transaction, row: KeptRow, target: str | None) -> Folder:
        name, is_gone = (target, True) if target is not None else change.place_of(row.mailbox)
        if not is_gone:
            return change.state.folders[row.mailbox]
        found = change.state.named(name)
        if target is not None:
            if found is None or not found.selectable:
                raise no_such_target()
            return found
        if found is None or not found.selectable:
            use = change.state.last_names[row.mailbox][1]
            is_free = use is not None and not change.has_special_use(use)
            mailbox_tree.create(change, name, use if is_free else None, self._account.limits)
            found = change.state.named(name)
        assert found is not None
        return found

    async def forget(self, numbers: Uids) -> int:
        def make(change: Transaction) -> int:
            gone = [number for number in change.state.kept if number in numbers]
            for number in gone:
                row = change.state.kept.pop(number)
                for _, past in self._account.history:
                    if row.mailbox in past.folders:
                        past.folders[row.mailbox].messages.pop(row.message.uid, None)
            return len(gone)

        done = self._write(make)
        assert isinstance(done, int)
        return done
