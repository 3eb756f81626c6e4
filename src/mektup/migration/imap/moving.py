"""Moves the mail of one user of another server into an account, and what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mektup.migration.imap.client import Client
from mektup.migration.imap.errors import ServerProblem
from mektup.migration.imap.login import Credentials
from mektup.migration.imap.mailboxes import read_access_list, read_quota
from mektup.migration.imap.reader import PAUSES, Reader
from mektup.migration.imap.sharing import Sharing, take_quota
from mektup.migration.imap.source import ImapSource, Wishes
from mektup.migration.imap.stream import Address
from mektup.migration.importing import Importer, Plan, Progress, Result
from mektup.migration.source import Tell
from mektup.store.interface import Account, Store
from mektup.store.spool import Spool
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from mektup.terms.texts import Text


@dataclass(frozen=True, slots=True)
class Move:
    """What to move, and how."""

    address: Address
    credentials: Credentials
    plan: Plan
    wishes: Wishes = field(default_factory=Wishes)
    accounts: Mapping[str, str] = field(default_factory=dict)
    """Accounts here by the names of users at the server, for those with whom mailboxes are shared."""
    sharing: bool = True
    """Whether access control lists and the quota are taken over; not with ``Plan.into``, which means other names."""
    pauses: tuple[float, ...] = PAUSES
    """Before each new try to connect."""


@dataclass(slots=True)
class Moved:
    """What was done."""

    result: Result
    shared: int = 0
    """Rights of others on mailboxes that were given here, too."""
    quota: bool = False
    """Whether the account got the limits of the server."""
    ended: Text | None = None
    """Why it ended too early; None: it did not. Another run goes on from there."""


class Mover:
    """Moves users into a store. *tell* is told of problems, *note* of what should be known; *spool* is for messages."""

    def __init__(self, store: Store, limits: Limits, tell: Tell, note: Tell, spool: Callable[[], Spool]) -> None:
        self._store, self._limits = store, limits
        self._tell, self._note, self._spool = tell, note, spool

    async def move(self, move: Move, account: Account, progress: Progress) -> Moved:
        """Moves the mail of one user into *account*; what was stored stays, however it ends."""

        async def connect() -> Client:
            client = Client(move.address, self._spool)
            try:
                await client.connect(move.credentials)
            except ServerProblem:
                await client.close()
                raise
            return client

        reader = Reader(connect, move.pauses)
        user = move.credentials.user
        source = ImapSource(reader, move.address.shown, user, move.wishes, self._limits, self._note)
        importer = Importer(account, source, move.plan, self._limits, progress, self._tell, self._spool)
        moved = Moved(importer.result)
        try:
            # the first login fails at once, with its own words
            await reader.client()
            await importer.run()
            if move.sharing and move.plan.into is None:
                await self._take_sharing(move, account, reader, source, moved)
        except ServerProblem as error:
            moved.ended = error.text
        except Refused as refused:
            moved.ended = refused.text
        finally:
            await source.close()
        return moved

    async def _take_sharing(
        self, move: Move, account: Account, reader: Reader, source: ImapSource, moved: Moved
    ) -> None:
        client = await reader.client()
        sharing = Sharing(self._store, account, move.credentials.user, move.accounts, self._note)
        here = {each.name for each in await account.mailboxes()}
        for mailbox in source.taken:
            if mailbox.name in here and (entries := await read_access_list(client, mailbox)):
                await sharing.take(mailbox.name, mailbox.shown, entries, dry_run=move.plan.dry_run)
        moved.shared = sharing.taken
        moved.quota = await take_quota(account, await read_quota(client), dry_run=move.plan.dry_run)
