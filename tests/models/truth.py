"""What the store has, for comparison with what clients were told."""

from __future__ import annotations

from dataclasses import dataclass

from mektup.store.columns import Column
from mektup.store.interface import Account
from mektup.store.sqlite import open_store
from mektup.terms.limits import Limits
from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet
from tests.models.naive import Flags
from tests.support.backend import world_of
from tests.support.memory import MemoryWorld
from tests.support.transcript import parse


@dataclass(frozen=True)
class StoredMailbox:
    """A mailbox as it is now."""

    name: str
    messages: dict[int, Flags]
    """The flags of each UID."""


async def open_both() -> tuple[MemoryWorld, Account]:
    """A world over a store in memory, and its only account."""
    store = await open_store(None, limits=Limits(login_delay_seconds=0.0))
    world = await world_of(parse("title"), store, None, by_octet=False)
    entry = await store.directory.find("linda")
    assert entry is not None
    return world, await store.account(entry)


async def stored(account: Account) -> dict[int, StoredMailbox]:
    """Every mailbox that can be selected, by its UIDVALIDITY."""
    found: dict[int, StoredMailbox] = {}
    for mailbox in await account.mailboxes():
        if not mailbox.selectable:
            continue
        messages: dict[int, Flags] = {}
        async for rows in account.fetch(mailbox.id, NumberSet.span(Uid(1), Uid(mailbox.uidnext)), (Column.FLAGS,)):
            messages |= {uid: frozenset(account.flag_names(word)) for uid, word in rows}
        found[mailbox.uidvalidity] = StoredMailbox(mailbox.name, messages)
    assert len(found) == sum(mailbox.selectable for mailbox in await account.mailboxes()), "a UIDVALIDITY came twice"
    return found
