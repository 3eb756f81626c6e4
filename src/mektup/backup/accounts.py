"""Restores what an account has besides messages, and whole accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from mektup.backup import texts
from mektup.backup.manifests import Entry, Manifest, Run, SavedAccount, SavedMailbox, shown
from mektup.backup.restoring import Progress, Restored, Restoring, Wish, new_uidvalidities
from mektup.backup.shelf import Objects, Shelf
from mektup.store.access_lists import ANYONE
from mektup.store.faults import in_words
from mektup.store.interface import Account, Store
from mektup.store.metadata import Wanted
from mektup.store.rules.access_lists import NEGATIVE
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import ACCOUNT_ITSELF, AccountId, MailboxId
from mektup.terms.quota import Resource
from mektup.terms.rights import RightsChange
from mektup.terms.texts import ABOUT, Text

UNFINISHED: Final = "/private/vendor/mektup/restoring"
"""An entry of metadata that a new account has until everything was restored, so that it can be continued."""


def find_run(shelf: Shelf, at: str | None, account: str | None) -> Run:
    """The newest run of the time *at* or before, None for now: of all accounts, or one that has *account*.

    Raises Refused(NONEXISTENT), OSError.
    """

    def holds(run: Run) -> bool:
        return run.whole if account is None else run.account(account) is not None

    found = shelf.latest_run(at, holds)
    if found is not None:
        return found
    runs = shelf.runs()
    if not runs:
        raise Refused(Code.NONEXISTENT, texts.NO_RUN.of(directory=shelf.directory))
    if account is None:
        oldest = shown(runs[0])
        raise Refused(
            Code.NONEXISTENT,
            texts.NO_RUN_AT.of(directory=shelf.directory, time=shown(at or runs[-1]), oldest=oldest),
        )
    raise Refused(
        Code.NONEXISTENT,
        texts.NO_ACCOUNT_IN.of(directory=shelf.directory, name=account, time=shown(at or runs[-1])),
    )


class Accounts:
    """Restores accounts of one run into a store."""

    def __init__(self, store: Store, shelf: Shelf, run: Run, limits: Limits, progress: Progress) -> None:
        self._store, self._shelf, self._run, self._limits, self._progress = store, shelf, run, limits, progress
        self._objects = Objects(shelf)
        self._ids: dict[str, AccountId | None] = {}
        self.problems: list[Text] = []

    def close(self) -> None:
        """Closes the files."""
        self._objects.close()

    async def into(self, saved: SavedAccount, name: str, wish: Wish, *, dry: bool, is_new: bool = False) -> Restored:
        """Restores what *wish* means of the account *saved* into the account *name*.

        Makes that account if it does not exist; with *is_new*, it was made by a restore that did not end. Raises
        Refused, Stopped, OSError.
        """
        manifest = self._shelf.manifest(saved.id, saved.manifest)
        account, was_made = await self._account(saved, name, dry=dry)
        is_new = is_new or was_made
        restoring = Restoring(self._objects, manifest, account, self._limits, self._progress, dry=dry)
        there = [] if account is None else await account.mailboxes()
        numbers = new_uidvalidities(manifest, there) if is_new and account is not None else None
        try:
            await restoring.run(wish, numbers)
            if account is not None and not dry:
                await self._settings(account, manifest, wish, {each.name for each in there}, is_new=is_new)
                if was_made:
                    await account.metadata.set_entries(ACCOUNT_ITSELF, account.id, {UNFINISHED: None})
        finally:
            self.problems += restoring.restored.problems
        return restoring.restored

    async def _account(self, saved: SavedAccount, name: str, *, dry: bool) -> tuple[Account | None, bool]:
        """The account *name*, and whether it is made now, or was made by a restore that did not end.

        None for an account that a dry run does not make.
        """
        entry = await self._store.directory.find(name)
        if entry is not None:
            account = await self._store.account(entry)
            marks = await account.metadata.entries([ACCOUNT_ITSELF], account.id, Wanted((UNFINISHED,)))
            return account, UNFINISHED in marks[ACCOUNT_ITSELF]
        if dry:
            return None, True
        entry = await self._store.directory.add(name, saved.secrets)
        if saved.hidden:
            await self._store.directory.set_hidden(name, saved.hidden)
        account = await self._store.account(entry)
        await account.metadata.set_entries(ACCOUNT_ITSELF, account.id, {UNFINISHED: saved.manifest.encode("ascii")})
        return account, True

    # What is not a message

    async def _settings(
        self, account: Account, manifest: Manifest, wish: Wish, before: set[str], *, is_new: bool
    ) -> None:
        there = {each.name: each.id for each in await account.mailboxes()}
        for saved in manifest.mailboxes:
            if wish.means(saved) and saved.name in there and (is_new or saved.name not in before):
                await self._rights(account, manifest, saved)
                await self._metadata(account, manifest, there[saved.name], saved.metadata)
        if wish.mailbox is not None or wish.is_of_messages:
            return
        await self._subscriptions(account, manifest, is_new=is_new)
        if is_new:
            await self._remove_strangers(account, manifest)
            await self._metadata(account, manifest, ACCOUNT_ITSELF, manifest.metadata)
            await account.quota.set_limits(
                {Resource(name): most for name, most in manifest.quota.items() if name in _RESOURCES}
            )

    async def _remove_strangers(self, account: Account, manifest: Manifest) -> None:
        """Removes the mailboxes of a new account that the saved account did not have."""
        names = {each.name for each in manifest.mailboxes}
        for each in reversed(await account.mailboxes()):
            if each.name not in names and each.uidnext == 1 and each.selectable:
                await account.delete(each.name)

    async def _subscriptions(self, account: Account, manifest: Manifest, *, is_new: bool) -> None:
        now = await account.subscriptions()
        for name in manifest.subscriptions:
            if name not in now:
                try:
                    await account.subscribe(name)
                except Refused as refused:
                    if refused.code is not Code.LIMIT:
                        raise
                    self._note(manifest, texts.NOT_SUBSCRIBED.of(name=name, problem=in_words(refused)))
        for name in now - set(manifest.subscriptions) if is_new else ():
            await account.unsubscribe(name)

    async def _rights(self, account: Account, manifest: Manifest, saved: SavedMailbox) -> None:
        for identifier, letters in saved.access.items():
            here = await self._identifier(identifier)
            if here is None:
                problem = texts.RIGHTS_LEFT_OUT.of(identifier=self._name_of(identifier))
                self._note(manifest, ABOUT.of(place=saved.name, problem=problem))
            elif here != account.id:
                try:
                    await account.access_lists.change(saved.name, here, RightsChange("", frozenset(letters)))
                except Refused as refused:
                    self._left_out(manifest, texts.RIGHTS, refused)

    async def _metadata(
        self, account: Account, manifest: Manifest, mailbox: MailboxId, entries: Sequence[Entry]
    ) -> None:
        values: defaultdict[AccountId, dict[str, bytes | None]] = defaultdict(dict)
        for entry in entries:
            user = account.id if entry.user in ("", manifest.account) else await self._id(entry.user)
            if user is None:
                self._note(manifest, texts.METADATA_LEFT_OUT)
            else:
                values[user][entry.name] = entry.value
        for user, some in values.items():
            try:
                await account.metadata.set_entries(mailbox, user, some)
            except Refused as refused:
                self._left_out(manifest, texts.METADATA, refused)

    async def _identifier(self, identifier: str) -> str | None:
        """The identifier here that means the same as *identifier* meant; None where there is none."""
        sign = NEGATIVE if identifier.startswith(NEGATIVE) else ""
        bare = identifier.removeprefix(NEGATIVE)
        here = ANYONE if bare == ANYONE else await self._id(bare)
        return None if here is None else sign + here

    async def _id(self, account: str) -> AccountId | None:
        """The ID of the account here that had the ID *account* when the backup was made."""
        if account not in self._ids:
            known = await self._store.directory.names_of([AccountId(account)])
            if known:
                self._ids[account] = AccountId(account)
            else:
                saved = next((each for each in self._run.accounts if each.id == account), None)
                entry = None if saved is None else await self._store.directory.find(saved.name)
                self._ids[account] = None if entry is None else entry.id
        return self._ids[account]

    def _name_of(self, identifier: str) -> str:
        bare = identifier.removeprefix(NEGATIVE)
        return next((each.name for each in self._run.accounts if each.id == bare), bare)

    def _left_out(self, manifest: Manifest, what: Text, refused: Refused) -> None:
        """Notes what a limit refused. Raises *refused* where it is another refusal."""
        if refused.code not in (Code.LIMIT, Code.METADATA_TOOMANY, Code.METADATA_MAXSIZE):
            raise refused
        self._note(manifest, texts.NOT_SET.of(what=what, problem=in_words(refused)))

    def _note(self, manifest: Manifest, problem: Text) -> None:
        self.problems.append(ABOUT.of(place=manifest.name, problem=problem))


_RESOURCES = frozenset(resource.value for resource in Resource)


async def restore_everything(accounts: Accounts, store: Store, run: Run) -> AsyncIterator[tuple[str, Restored]]:
    """Restores all accounts of *run* into a *store* that had none: first the accounts, then what is in each.

    Also continues such a restore that was interrupted. Raises Refused, Stopped, OSError.
    """
    for saved in run.accounts:
        if await store.directory.find(saved.name) is None:
            await store.directory.add(saved.name, saved.secrets)
            if saved.hidden:
                await store.directory.set_hidden(saved.name, saved.hidden)
    for domain in run.domains:
        await store.addresses.add_domain(domain)
    for alias in run.aliases:
        there = [name for name in alias.accounts if run.account(name) is not None]
        if there:
            await store.addresses.add_alias(alias.address, there)
    values: Mapping[str, bytes | None] = {entry.name: entry.value for entry in run.metadata}
    if values:
        await store.server_metadata.set_entries(values)
    for saved in run.accounts:
        yield saved.name, await accounts.into(saved, saved.name, Wish(), dry=False, is_new=True)
