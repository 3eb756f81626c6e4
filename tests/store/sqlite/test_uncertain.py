"""A sync that fails after the commit: what can be taken back is, and of the rest it is said that it is not known."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from mektup.store import system
from mektup.store.interface import Account
from mektup.store.sqlite import open_store
from mektup.store.sqlite.file import wal_sync
from mektup.terms.errors import Code, Refused
from tests.contract.mail import fill, inbox, incoming, uids


@pytest.fixture
async def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Account]:
    monkeypatch.setattr(wal_sync, "MENDING_SECONDS", 0.0)
    store = await open_store(tmp_path)
    account = await store.account(await store.directory.add("linda", {}))
    await fill(account, 3, "\\Deleted")
    yield account
    await store.close()


async def refused(asking: Awaitable[object], monkeypatch: pytest.MonkeyPatch) -> Refused:
    """The refusal of *asking* while no sync succeeds."""

    def fails(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(system, "sync_data", fails)
        with pytest.raises(Refused) as caught:
            await asking
    return caught.value


async def counted(account: Account) -> list[tuple[str, int]]:
    return [(mailbox.name, mailbox.messages) for mailbox in await account.mailboxes()]


@pytest.mark.parametrize(
    "write",
    [
        lambda account, mailbox: account.append(mailbox, [incoming()]),
        lambda account, mailbox: account.copy(mailbox, uids(1, 2), "Archive"),
    ],
    ids=["append", "copy"],
)
async def test_new_messages_are_taken_back(
    account: Account, write: Callable[..., Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await counted(account)
    refusal = await refused(write(account, await inbox(account)), monkeypatch)
    assert (refusal.code, refusal.uncertain) == (Code.UNAVAILABLE, False)
    assert "not known" not in str(refusal)
    assert await counted(account) == before


@pytest.mark.parametrize(
    "write",
    [
        lambda account, mailbox: account.move(mailbox, uids(1, 2), "Archive"),
        lambda account, mailbox: account.expunge(mailbox, None),
        lambda account, mailbox: account.create("Work"),
        lambda account, mailbox: account.delete("Archive"),
    ],
    ids=["move", "expunge", "create", "delete"],
)
async def test_other_changes_are_uncertain(
    account: Account, write: Callable[..., Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await counted(account)
    refusal = await refused(write(account, await inbox(account)), monkeypatch)
    assert (refusal.code, refusal.uncertain) == (Code.UNAVAILABLE, True)
    assert str(refusal).endswith("; whether this was done is not known")
    assert await counted(account) != before


async def test_a_change_that_did_not_begin_is_certain(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk does not work again, nothing more is written."""
    await refused(account.expunge(await inbox(account), uids(1)), monkeypatch)
    before = await counted(account)
    refusal = await refused(account.create("Work"), monkeypatch)
    assert not refusal.uncertain
    assert await counted(account) == before
