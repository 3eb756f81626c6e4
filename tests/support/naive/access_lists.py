"""The access control lists of an account in memory: ``access_lists.AccessLists``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mektup.store.access_lists import SharedMailboxes
from mektup.store.rules import access_lists
from mektup.store.rules.mailbox_names import require_mailbox
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId
from mektup.terms.rights import Rights, RightsChange

if TYPE_CHECKING:
    from tests.support.naive.account import NaiveAccount
    from tests.support.naive.state import State, Transaction


@dataclass(frozen=True)
class NaiveAccessLists:
    """The lists are in the folders."""

    account: NaiveAccount
    read: Callable[[], State]
    limits: Limits

    async def shared_with(self, reader: AccountId) -> SharedMailboxes:
        mine = access_lists.identifiers_of(reader)
        return access_lists.shared(
            (folder.id, folder.name, identifier, rights)
            for folder in self.read().folders.values()
            for identifier, rights in folder.access.items()
            if identifier in mine
        )

    async def of(self, name: str) -> Mapping[str, Rights]:
        return dict(sorted(require_mailbox(self.read().named(name)).access.items()))

    async def change(self, name: str, identifier: str, change: RightsChange) -> None:
        self.account.write(lambda transaction: self._change(transaction, name, identifier, change))

    def _change(self, transaction: Transaction, name: str, identifier: str, change: RightsChange) -> None:
        folder = require_mailbox(transaction.state.named(name))
        before = folder.access.get(identifier, frozenset())
        rights = access_lists.changed(folder.access, identifier, change, self.limits)
        if rights != before:
            folder.changed = transaction.modseq
            folder.access.pop(identifier, None)
            if rights:
                folder.access[identifier] = rights
            transaction.touched.add(folder.id)
