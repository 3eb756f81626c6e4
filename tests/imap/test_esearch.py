"""ESEARCH gives way between two mailboxes, and what others do there does no harm."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from mektup.imap.session import ImapSession
from tests.support.dialogue import BusyPeer, Dialogue
from tests.support.services import Given, append, given_services

MAILBOXES = 60


class InterruptedPeer(BusyPeer):
    """A peer on which others act once, after the first line of ESEARCH."""

    act: Callable[[], Awaitable[object]] | None = None

    async def drain(self) -> None:
        act = self.act
        if act is not None and b"* ESEARCH" in self._queued:
            self.act = None
            await act()
        await super().drain()


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        account = await services.account()
        for number in range(MAILBOXES):
            await account.create(f"m{number:02}")
            await append(account, b"Subject: %d\r\n\r\nx\r\n" % number, f"m{number:02}")
        yield services


async def answer(dialogue: Dialogue, command: bytes) -> list[bytes]:
    dialogue.send(b"c %b\r\n" % command)
    told = (await dialogue.until(b"c OK ")).split(b"\r\n")
    return [line for line in told if line.startswith(b"* ESEARCH")]


@pytest.mark.parametrize("keys", [b"ALL", b"1", b"SUBJECT 1"])
async def test_others_take_their_turn_between_two_mailboxes(given: Given, keys: bytes) -> None:
    async with Dialogue(ImapSession, given.services, peer=BusyPeer) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\n")
        await dialogue.until(b"a OK ")
        peer = dialogue.peer
        assert isinstance(peer, BusyPeer)
        before = peer.turns
        await answer(dialogue, b"ESEARCH IN (personal) RETURN (COUNT) " + keys)
        assert peer.turns - before >= MAILBOXES


async def test_a_mailbox_that_is_deleted_meanwhile_is_left_out(given: Given) -> None:
    account = await given.account()
    async with Dialogue(ImapSession, given.services, peer=InterruptedPeer) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\n")
        await dialogue.until(b"a OK ")
        peer = dialogue.peer
        assert isinstance(peer, InterruptedPeer)
        peer.act = lambda: account.delete("m30")
        told = await answer(dialogue, b"ESEARCH IN (personal) ALL")
        assert len(told) == MAILBOXES - 1
        assert not any(b"MAILBOX m30 " in line for line in told)


async def test_a_mailbox_that_is_emptied_meanwhile_is_left_out(given: Given) -> None:
    account = await given.account()
    emptied = await account.select("m30", claim_recent=False)
    async with Dialogue(ImapSession, given.services, peer=InterruptedPeer) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\n")
        await dialogue.until(b"a OK ")
        peer = dialogue.peer
        assert isinstance(peer, InterruptedPeer)
        peer.act = lambda: account.remove(emptied.mailbox.id, emptied.uids)
        assert len(await answer(dialogue, b"ESEARCH IN (personal) 1")) == MAILBOXES - 1
