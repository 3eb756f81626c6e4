"""The limits of connections, and the two boolean settings of the store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from mektup.store import quiet_work
from mektup.store.memo import MemoKind
from mektup.store.sqlite.account import SqliteAccount
from tests.limits.limited_server import (
    LOGIN,
    SMALL,
    USER,
    Address,
    Demonstration,
    answer,
    limited_server,
    limited_server_on_disk,
    streams,
    tagged,
    verdict,
)

FULL = b"Too many connections"


class Guests:
    """Connections over sockets that stay open until the end."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def come(
        self, address: Address, source: str = "127.0.0.1"
    ) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
        """Opens one more; returns its greeting."""
        reader, writer = await streams(address, local_addr=(source, 0))
        self._stack.callback(writer.close)
        return await reader.readline(), reader, writer


@asynccontextmanager
async def guests() -> AsyncIterator[Guests]:
    async with AsyncExitStack() as stack:
        yield Guests(stack)


async def _show_connections() -> None:
    async with limited_server(connections=2) as limited, guests() as all_of_them:
        for service, welcome in (
            ("imap", b"* OK"),
            ("lmtp", b"220 "),
            ("imap", b"* BYE"),
            ("pop3", b"-ERR"),
            ("lmtp", b"421 "),
        ):
            line, _, _ = await all_of_them.come(limited.server.address(service))
            assert line.startswith(welcome), service


async def _show_kept_for_lmtp() -> None:
    # a twentieth of the connections would be two
    async with limited_server(connections=40, connections_kept_for_lmtp=1) as limited, guests() as all_of_them:
        imap, lmtp = limited.server.address("imap"), limited.server.address("lmtp")
        for number in range(40):
            line, _, _ = await all_of_them.come(imap)
            assert line.startswith(b"* OK" if number < 39 else b"* BYE")
        assert (await all_of_them.come(lmtp))[0].startswith(b"220 ")
        assert (await all_of_them.come(lmtp))[0].startswith(b"421 ")


async def _show_per_address() -> None:
    async with limited_server(connections_per_address_before_login=2) as limited, guests() as all_of_them:
        imap = limited.server.address("imap")
        _, reader, writer = await all_of_them.come(imap)
        assert (await all_of_them.come(imap))[0].startswith(b"* OK")
        line, _, _ = await all_of_them.come(imap)
        assert line.startswith(b"* BYE")
        assert b"from your address" in line
        assert (await all_of_them.come(imap, "127.0.0.2"))[0].startswith(b"* OK")
        # a connection is not counted after its login
        assert (await tagged(reader, writer, LOGIN)).startswith(b"a OK")
        assert (await all_of_them.come(imap))[0].startswith(b"* OK")


async def _show_before_login() -> None:
    async with limited_server(connections_before_login=2) as limited, guests() as all_of_them:
        imap = limited.server.address("imap")
        _, first, _ = await all_of_them.come(imap, "127.0.0.2")
        _, second, writer = await all_of_them.come(imap, "127.0.0.2")
        assert (await all_of_them.come(imap, "127.0.0.2"))[0].startswith(b"* BYE")
        assert (await all_of_them.come(imap, "127.0.0.3"))[0].startswith(b"* OK")
        # the oldest connection of the network with the most
        assert FULL in await first.read()
        assert (await tagged(second, writer, b"NOOP")).startswith(b"a OK")


async def _show_recipients() -> None:
    async with limited_server(lmtp_recipients=2) as limited, limited.lmtp() as agent:
        await agent.line()
        agent.send(b"LHLO there\r\nMAIL FROM:<>\r\n")
        await agent.until(b"250 2.1.0 Sender accepted\r\n")
        said = [(await agent.ask(b"RCPT TO:<linda>"))[:9] for _ in range(3)]
        assert said == [b"250 2.1.5", b"250 2.1.5", b"452 4.5.3"]


async def _show_sasl_requests() -> None:
    async with limited_server(sasl_requests=2) as limited, limited.sasl() as agent:
        agent.send(b"VERSION\t1\t0\nCPID\t1\n" + b"".join(b"AUTH\t%d\tPLAIN\tservice=smtp\n" % n for n in (1, 2, 3)))
        await agent.until(b"DONE\n")
        said = (await agent.until(b"CONT\t3\t\n")).split(b"\n")
        assert [line[:6] for line in said if line] == [b"CONT\t1", b"CONT\t2", b"FAIL\t1", b"CONT\t3"]


async def _show_text_index() -> None:
    for is_kept in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(quiet_work, "QUIET_SECONDS", 0.0)
            async with limited_server_on_disk(text_index=is_kept) as limited:
                await limited.server.deliver(USER, SMALL)
                async with limited.imap(LOGIN, b"SELECT INBOX") as client:
                    assert b"* SEARCH 1" in await answer(client, b"SEARCH TEXT small")
                entry = await limited.server.store.directory.find(USER)
                assert entry is not None
                account = await limited.server.store.account(entry)
                assert isinstance(account, SqliteAccount)
                async with asyncio.timeout(10):
                    # the search woke it, and it sleeps again
                    while account.indexer._timer is not None or account.indexer._work is not None:
                        await asyncio.sleep(0)
                assert ((await account.search_status()).indexed > 0) is is_kept


async def _show_sync_flags() -> None:
    for is_careful in (True, False):
        async with limited_server_on_disk(sync_flags=is_careful, text_index=False) as limited:
            await limited.server.deliver(USER, SMALL)
            async with limited.imap(LOGIN, b"SELECT INBOX") as client:
                with pytest.MonkeyPatch.context() as patch:
                    syncs = _noted(patch)
                    assert await verdict(client, rb"STORE 1 +FLAGS (\Seen)") == b"OK"
                assert bool(syncs) is is_careful


def _noted(patch: pytest.MonkeyPatch) -> list[int]:
    """Records the files that are synced from now on."""
    syncs: list[int] = []
    sync = os.fdatasync

    def noted(file: int) -> None:
        syncs.append(file)
        sync(file)

    patch.setattr(os, "fdatasync", noted)
    return syncs


async def _show_remembered() -> None:
    for octets, is_remembered in ((1 << 20, True), (1, False)):
        async with limited_server(remembered_bytes=octets) as limited:
            for _ in range(3):
                await limited.server.deliver(USER, SMALL)
            async with limited.imap(LOGIN, b"SELECT INBOX") as client:
                assert b"* SORT 1 2 3" in await answer(client, b"SORT (SUBJECT) UTF-8 ALL")
                assert b"* SEARCH 1 2 3" in await answer(client, b"SEARCH UNSEEN")
                for kind, counts in limited.server.store.memory.counts().items():
                    # the engine on files has no blocks
                    assert bool(counts.octets) is (is_remembered and kind is not MemoKind.BLOCKS), kind
                assert sum(counts.octets for counts in limited.server.store.memory.counts().values()) <= octets


async def _show_expunged_seconds() -> None:
    for seconds, kept in ((0, 0), (3600, 1)):
        assert await _kept_of_one(expunged_seconds=seconds) == kept


async def _show_expunged_bytes() -> None:
    for octets, kept in ((200 + len(SMALL) // 2, 0), (1 << 20, 1)):
        assert await _kept_of_one(expunged_bytes=octets) == kept


async def _kept_of_one(**limits: float) -> int:
    """How many messages are kept after one was expunged."""
    async with limited_server(**limits) as limited:
        await limited.server.deliver(USER, SMALL)
        async with limited.imap(LOGIN, b"SELECT INBOX", b"STORE 1 +FLAGS (\\Deleted)") as client:
            assert await verdict(client, b"EXPUNGE") == b"OK"
        entry = await limited.server.store.directory.find(USER)
        assert entry is not None
        return (await (await limited.server.store.account(entry)).retention.kept()).messages


SHOWN: dict[str, Demonstration] = {
    "expunged_seconds": _show_expunged_seconds,
    "expunged_bytes": _show_expunged_bytes,
    "connections": _show_connections,
    "connections_kept_for_lmtp": _show_kept_for_lmtp,
    "connections_per_address_before_login": _show_per_address,
    "connections_before_login": _show_before_login,
    "lmtp_recipients": _show_recipients,
    "sasl_requests": _show_sasl_requests,
    "text_index": _show_text_index,
    "sync_flags": _show_sync_flags,
    "remembered_bytes": _show_remembered,
}
