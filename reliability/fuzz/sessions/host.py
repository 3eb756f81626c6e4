"""A server in memory for sessions of scripts: a store with an account, and a friend's, as new for each script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from mektup.auth.authenticator import Authenticator
from mektup.auth.scram_keys import make
from mektup.imap.session import ImapSession
from mektup.lmtp.session import LmtpSession
from mektup.pop3.session import Pop3Session
from mektup.session.services import Services
from mektup.store.arrival import prepare
from mektup.store.interface import Account, Incoming, Store
from mektup.store.sqlite import open_store
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.rights import ALL as ALL_RIGHTS
from mektup.terms.rights import RightsChange
from mektup.terms.sets import NumberSet
from reliability.fuzz import corpus
from reliability.fuzz.quick_gate import quick_gate
from reliability.fuzz.sessions.peer import ScriptedPeer
from reliability.fuzz.sessions.stages import FRIEND, NAME, PASSWORD, Script
from reliability.fuzz.target import pieces
from tests.support import naive
from tests.support.naive.account import NaiveAccount

LIMITS = Limits(login_delay_seconds=0.0, search_seconds=5.0)

USES = 40
"""Scripts for one account of SQLite."""

SESSIONS: dict[str, Callable[[Any, Services], Any]] = {"imap": ImapSession, "pop3": Pop3Session, "lmtp": LmtpSession}


class QuickAuthenticator(Authenticator):
    """An authenticator whose gate takes no time."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.directory, LIMITS, nobodys_key=b"nobody")
        self._gate = quick_gate(store.directory)


class Errors:
    """Keeps the exception behind each error that a session logs: a session survives a bug, but it is a bug."""

    def __init__(self) -> None:
        self.first: BaseException | None = None

    def __call__(self, logger: object, level: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        if level in ("error", "critical", "exception") and self.first is None:
            failure = event.get("exc_info")
            self.first = failure if isinstance(failure, BaseException) else AssertionError(f"logged: {event['event']}")
        raise structlog.DropEvent


class Accounts(Protocol):
    """Where a host has its account."""

    store: Store

    async def fresh(self) -> Account:
        """The account, as new."""


class InDictionaries:
    """The naive engine of the tests: its state is put back after each script."""

    def __init__(self, store: naive.NaiveStore, account: NaiveAccount, friends: NaiveAccount) -> None:
        self.store: Store = store
        self._account = account
        self._states = [(each, each._state.copy()) for each in (account, friends)]

    async def fresh(self) -> Account:
        """See Accounts."""
        for account, state in self._states:
            account._state = state.copy()
        return self._account


class InSqlite:
    """SQLite in memory: a new account after some scripts."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._left = 0

    async def fresh(self) -> Account:
        """See Accounts."""
        if not self._left:
            for name in (NAME, FRIEND):
                if await self.store.directory.find(name.decode()) is not None:
                    await self.store.directory.remove(name.decode())
            await filled(self.store)
            self._left = USES
        self._left -= 1
        entry = await self.store.directory.find(NAME.decode())
        assert entry is not None
        return await self.store.account(entry)


async def filled(store: Store) -> Account:
    """A new account with some messages, flags and folders, and its friend's."""
    account = await store.account(await store.directory.add(NAME.decode(), _SECRETS))
    inbox = await account.mailbox("INBOX")
    flags = (
        frozenset(("\\Seen",)),
        frozenset(("\\Flagged", "$Junk", "work")),
        frozenset[str](),
        frozenset(("\\Deleted",)),
    )
    messages = [*corpus.mail()[:6], b"", b"Subject: \xc5\x9fehir\r\n\r\n.\r\n..\r\nb"]
    incoming = [Incoming(prepare(raw), flags[at % 4], 1_000_000_000 + at, 60) for at, raw in enumerate(messages)]
    await account.append(inbox.id, incoming)
    await account.create("a/b & c")
    await account.subscribe("a/b & c")
    await _befriend(store, account)
    return account


async def _befriend(store: Store, account: Account) -> None:
    """A new account that shares one mailbox with *account* for all, and one for reading."""
    friends = await store.account(await store.directory.add(FRIEND.decode(), _SECRETS))
    await friends.create("notes")
    for name, rights in (("INBOX", ALL_RIGHTS), ("notes", frozenset("lrs"))):
        await friends.append((await friends.mailbox(name)).id, [Incoming(prepare(raw)) for raw in corpus.mail()[:3]])
        await friends.access_lists.change(name, account.id, RightsChange("", rights))


_SECRETS = {"password": f"{{PLAIN}}{PASSWORD.decode()}", "SCRAM-SHA-256": make(PASSWORD.decode())}


class Host:
    """Runs scripts of one protocol."""

    def __init__(self, protocol: str, *, sqlite: bool) -> None:
        self._protocol = protocol
        self._loop = asyncio.new_event_loop()
        self._accounts = self._loop.run_until_complete(self._opened(sqlite))
        self._authenticator = QuickAuthenticator(self._accounts.store)

    @staticmethod
    async def _opened(sqlite: bool) -> Accounts:
        if sqlite:
            return InSqlite(await open_store(None, limits=LIMITS))
        store = await naive.open_store(limits=LIMITS)
        account = await filled(store)
        friend = await store.directory.find(FRIEND.decode())
        assert isinstance(account, NaiveAccount)
        assert friend is not None
        return InDictionaries(store, account, await store.account(friend))

    def answers(self, script: Script) -> bytes:
        """What a session answers to *script*. Raises the first error that it logged."""
        errors = Errors()
        sent = self._loop.run_until_complete(self._run(script, errors))
        if errors.first is not None:
            raise errors.first
        return sent

    async def _run(self, script: Script, errors: Errors) -> bytes:
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[errors])
        account = await self._accounts.fresh()
        services = Services(self._accounts.store, self._authenticator, LIMITS, log, "fuzz", hostname="mx.example.org")

        async def meanwhile() -> None:
            await disturb(account, script)

        cut = pieces(script.octets) if script.rng.random() < 0.5 else [script.octets]
        peer = ScriptedPeer([*filter(None, (script.before, *cut))], script.rng, meanwhile)
        await SESSIONS[self._protocol](peer, services).run()
        return bytes(peer.sent)


async def disturb(account: Account, script: Script) -> None:
    """Another device changes something."""
    inbox = await account.mailbox("INBOX")
    selection = await account.select("INBOX", claim_recent=False)
    some = NumberSet.of([script.rng.choice(list(selection.uids))]) if selection.uids else selection.uids
    try:
        match script.rng.randrange(5):
            case 0:
                await account.append(inbox.id, [Incoming(prepare(b"Subject: new\r\n\r\nx\r\n"))])
            case 1:
                keyword = f"k{script.rng.randrange(3)}"
                await account.store_flags(inbox.id, some, FlagChange.ADD, frozenset((keyword, "\\Seen")))
            case 2:
                await account.remove(inbox.id, some)
            case 3:
                await account.create(f"other{script.rng.randrange(3)}")
            case _:
                await account.move(inbox.id, some, "Trash")
    except Refused:
        pass  # what the script did may make it impossible
