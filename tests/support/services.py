"""The services of a session in a test: a store in memory with the account linda, and a log that tests can read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from structlog.testing import LogCapture

from mektup.auth.authenticator import Authenticator
from mektup.session.services import Services
from mektup.store.columns import Column
from mektup.store.interface import Account, Appended, Incoming
from mektup.store.prepare import prepare_in_turn
from mektup.store.sqlite import open_store
from mektup.store.sqlite.file.change import machine_clock
from mektup.terms.limits import Limits
from mektup.terms.sets import Uids

LIMITS = Limits(login_delay_seconds=0.001, text_index=False)


@dataclass(frozen=True, slots=True)
class Given:
    """Services, and what a test checks in them."""

    services: Services
    capture: LogCapture

    def limited(self, **changes: Any) -> Services:
        """The same services, with other limits for the session."""
        return replace(self.services, limits=replace(self.services.limits, **changes))

    @property
    def events(self) -> list[str]:
        """The names of the logged events."""
        return [entry["event"] for entry in self.capture.entries]

    async def account(self, name: str = "linda") -> Account:
        """An account that exists."""
        entry = await self.services.store.directory.find(name)
        assert entry is not None
        return await self.services.store.account(entry)

    async def add(self, name: str) -> Account:
        """Adds an account with linda's password."""
        entry = await self.services.store.directory.add(name, {"password": "{PLAIN}Pa$$123"})
        return await self.services.store.account(entry)


@asynccontextmanager
async def given_services(
    data: Path | None = None, *, clock: Callable[[], float] = machine_clock
) -> AsyncIterator[Given]:
    """Services whose store is in *data*, or in memory for None; the store is closed at the end."""
    store = await open_store(data, limits=LIMITS, clock=clock)
    capture = LogCapture()
    log = structlog.wrap_logger(
        structlog.ReturnLogger(), processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    try:
        services = Services(store, Authenticator(store.directory, LIMITS), LIMITS, log, "s1", hostname="mx.example.org")
        given = Given(services, capture)
        await given.add("linda")
        yield given
    finally:
        await store.close()


async def append(account: Account, raw: bytes, mailbox: str = "INBOX") -> Appended:
    """Puts *raw* into a mailbox."""
    target = await account.mailbox(mailbox)
    return await account.append(target.id, [Incoming(await prepare_in_turn(raw))])


async def messages(account: Account, mailbox: str = "INBOX") -> list[bytes]:
    """All messages of a mailbox, whole, in order."""
    selection = await account.select(mailbox, claim_recent=False)
    found: list[bytes] = []
    columns = (Column.RAW, Column.CONTENT, Column.SIZE)
    async for rows in account.fetch(selection.mailbox.id, selection.uids, columns):
        for _, raw, content, size in rows:
            pieces = [piece async for piece in account.content(content, 0, size)] if raw is None else [raw]
            found.append(b"".join(pieces))
    return found


_TRACE = re.compile(rb"Return-Path: <[^\r\n]*>\r\nReceived: from (?:[^\r\n]+\r\n\t){2,3}[^\r\n]+\r\n")


def untraced(raw: bytes) -> bytes:
    """A message that came by LMTP, without the two fields that were put before it."""
    found = _TRACE.match(raw)
    assert found is not None, raw[:500]
    return raw[found.end() :]


async def flags(account: Account, mailbox: str = "INBOX") -> list[tuple[str, ...]]:
    """The flags of every message in a mailbox, in order."""
    selection = await account.select(mailbox, claim_recent=False)
    found: list[tuple[str, ...]] = []
    async for rows in account.fetch(selection.mailbox.id, selection.uids, (Column.FLAGS,)):
        found += [account.flag_names(word) for _, word in rows]
    return found


async def remove_first(account: Account, mailbox: str = "INBOX") -> None:
    """Expunges the first message, as another session might."""
    selection = await account.select(mailbox, claim_recent=False)
    await account.remove(selection.mailbox.id, Uids.of([selection.uids.first]))
