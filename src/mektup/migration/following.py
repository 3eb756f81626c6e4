"""Follows a source after a first import: changed flags are taken over, and what was removed there is removed here.

Only messages that came from the source with their UIDs are touched; mail that arrived here stays as it is. What the
user has changed here since the last run is overwritten only where the source changed it, too, or cannot say what
changed. So an account is followed before the switch, and not after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from mektup.migration.keys import uid_key
from mektup.store.columns import Column
from mektup.store.interface import Account, Mailbox
from mektup.store.metadata import Wanted
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId, Uid, UidValidity
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.texts import Text

AT_ONCE: Final = 2000

MARK: Final = "/private/vendor/mektup/followed"
"""The entry of a mailbox's metadata that keeps the source's mark (RFC 5464)."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What was changed here."""

    flags: int = 0
    """Messages whose flags are different now."""
    removed: int = 0
    refused: Text | None = None
    """Why the flags of some messages could not be changed."""


async def read_mark(account: Account, mailbox: MailboxId) -> bytes | None:
    """What the source of *mailbox* left here at the end of the last run; None for nothing."""
    entries = await account.metadata.entries([mailbox], account.id, Wanted((MARK,)))
    return entries.get(mailbox, {}).get(MARK)


async def read_marks(account: Account) -> Mapping[str, bytes]:
    """The marks of all mailboxes, by their names."""
    names = {each.id: each.name for each in await account.mailboxes() if each.selectable}
    entries = await account.metadata.entries(list(names), account.id, Wanted((MARK,)))
    return {names[mailbox]: values[MARK] for mailbox, values in entries.items() if MARK in values}


async def write_mark(account: Account, mailbox: MailboxId, mark: bytes | None) -> None:
    """Replaces the mark of *mailbox*; None removes it. Raises as ``AccountMetadata.set_entries``."""
    await account.metadata.set_entries(mailbox, account.id, {MARK: mark})


async def came_from(account: Account, mailbox: MailboxId, uidvalidity: UidValidity, uids: Uids) -> Uids:
    """Those of *uids* that messages of the source have here, or had."""
    found: list[tuple[int, int]] = []
    for some in uids.slices(AT_ONCE):
        keys = {uid_key(uidvalidity, uid): uid for uid in some}
        known = await account.imported(mailbox, list(keys))
        found.extend(NumberSet.of([keys[key] for key in known]).runs)
    return NumberSet(found)


async def follow(
    account: Account,
    mailbox: Mailbox,
    flags: Mapping[Uid, frozenset[str]],
    gone: Uids | None,
    *,
    dry_run: bool,
) -> Followed:
    """Gives the messages of *mailbox* the *flags* that the source told, and removes those that are *gone* there.

    *gone* None: all that *flags* does not name.
    """
    changes = await _flag_changes(account, mailbox, flags)
    doomed = await _doomed(account, mailbox, flags, gone)
    if dry_run:
        return Followed(sum(map(len, changes.values())), len(doomed))
    changed, refused = 0, None
    for wanted, uids in changes.items():
        try:
            for some in uids.slices(AT_ONCE):
                await account.store_flags(mailbox.id, some, FlagChange.REPLACE, wanted)
                changed += len(some)
        except Refused as error:
            if error.code is not Code.LIMIT:
                raise
            refused = error.text
    await remove(account, mailbox.id, doomed)
    return Followed(changed, len(doomed), refused)


async def brought(account: Account, mailbox: Mailbox) -> Uids:
    """The messages of *mailbox* that came from a source with their UIDs."""
    return await came_from(account, mailbox.id, mailbox.uidvalidity, await _here(account, mailbox))


async def _here(account: Account, mailbox: Mailbox) -> Uids:
    here: list[int] = []
    async for rows in account.fetch(mailbox.id, NumberSet.span(1, mailbox.uidnext - 1), [Column.UID]):
        here.extend(row[0] for row in rows)
    return NumberSet.of_sorted(here)


async def remove(account: Account, mailbox: MailboxId, uids: Uids) -> None:
    """Removes *uids*, a slice at a time."""
    for some in uids.slices(AT_ONCE):
        await account.remove(mailbox, some)


async def _flag_changes(
    account: Account, mailbox: Mailbox, flags: Mapping[Uid, frozenset[str]]
) -> Mapping[frozenset[str], Uids]:
    """The messages whose flags differ here, by the flags that they should have."""
    changes: dict[frozenset[str], list[Uid]] = defaultdict(list)
    for some in _slices(flags):
        ours = await came_from(account, mailbox.id, mailbox.uidvalidity, NumberSet.of(some))
        async for rows in account.fetch(mailbox.id, ours, [Column.FLAGS]):
            for uid, word in rows:
                if not _are_equal(account.flag_names(word), flags[uid]):
                    changes[flags[uid]].append(uid)
    return {wanted: NumberSet.of(uids) for wanted, uids in changes.items()}


async def _doomed(account: Account, mailbox: Mailbox, named: Mapping[Uid, object], gone: Uids | None) -> Uids:
    here = await _here(account, mailbox)
    doomed = here & gone if gone is not None else here - NumberSet.of(named)
    return await came_from(account, mailbox.id, mailbox.uidvalidity, doomed)


def _are_equal(some: Iterable[str], others: Iterable[str]) -> bool:
    # RFC 9051 §2.3.2: the case of letters does not matter
    return {flag.lower() for flag in some} == {flag.lower() for flag in others}


def _slices(flags: Mapping[Uid, object]) -> Iterator[list[Uid]]:
    uids = iter(flags)
    while some := list(islice(uids, AT_ONCE)):
        yield some
