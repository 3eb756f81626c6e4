"""Takes over who may read a mailbox (RFC 4314), and the quota (RFC 9208), where both servers have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mektup.migration.imap import texts
from mektup.migration.source import Tell
from mektup.store.access_lists import ANYONE
from mektup.store.interface import Account, Store
from mektup.store.rules.access_lists import NEGATIVE
from mektup.terms.errors import Refused
from mektup.terms.names import account_key
from mektup.terms.numbers import AccountId
from mektup.terms.quota import STORAGE_UNIT, Resource
from mektup.terms.rights import ALL, OBSOLETE, Rights, RightsChange

_OWNER: Final = frozenset({"owner", "#owner"})
"""How servers call the user whose mailbox it is."""


def rights_of(letters: str) -> Rights:
    """The rights that *letters* mean, also the obsolete ones of RFC 2086; others are left out."""
    found: set[str] = set()
    for letter in letters:
        found |= OBSOLETE.get(letter, {letter} & ALL)
    return frozenset(found)


class Sharing:
    """Gives the rights that others had at the server to their accounts here.

    *accounts*: the accounts here by the names of users there; a name that is not in it is the same here.
    """

    def __init__(self, store: Store, account: Account, user: str, accounts: Mapping[str, str], note: Tell) -> None:
        self._store, self._account, self._user = store, account, user
        self._accounts, self._note = accounts, note
        self.taken = 0
        """Entries that are new or different here."""

    async def take(self, name: str, place: str, entries: Mapping[str, str], *, dry_run: bool) -> None:
        """Takes over the list *entries* of the mailbox *name*. What cannot be taken over is noted."""
        before = await self._account.access_lists.of(name)
        for identifier, letters in entries.items():
            bare = identifier.removeprefix(NEGATIVE)
            if bare in _OWNER or account_key(bare) == account_key(self._user):
                continue
            key = await self._key(bare)
            if key is None or key == self._account.id:
                if key is None:
                    self._note(place, texts.NOBODY_TO_SHARE_WITH.of(name=bare))
                continue
            key = NEGATIVE + key if identifier.startswith(NEGATIVE) else key
            rights = rights_of(letters)
            if before.get(key, frozenset()) == rights:
                continue
            try:
                if not dry_run:
                    await self._account.access_lists.change(name, key, RightsChange("", rights))
                self.taken += 1
            except Refused as refused:
                self._note(place, refused.text)

    async def _key(self, name: str) -> str | None:
        if name == ANYONE:
            return ANYONE
        entry = await self._store.directory.find(self._accounts.get(name, name))
        return None if entry is None else AccountId(entry.id)


async def take_quota(account: Account, limits: Mapping[str, int], *, dry_run: bool) -> bool:
    """Gives *account* the limits of the server, if it has none of its own. Returns whether it did."""
    known = {resource: limits[resource.value] for resource in Resource if resource.value in limits}
    if Resource.STORAGE in known:
        known[Resource.STORAGE] *= STORAGE_UNIT
    if not known or (await account.quota.state()).own:
        return False
    if not dry_run:
        await account.quota.set_limits(known)
    return True
