"""The limits before login, and those of an account's connections."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import argon2
import pytest

from mektup.auth.passwords import AT_ONCE, secrets_for
from mektup.auth.plaintext import Plaintext
from tests.limits.limited_server import (
    LOGIN,
    PASSWORD,
    Demonstration,
    LimitedServer,
    answer,
    limited_server,
    padded,
    verdict,
)
from tests.support.passwords import quick_secrets

WRONG = b"LOGIN linda wrong"


def _login_of(octets: int) -> bytes:
    """A wrong login whose line, with its tag and a space, has so many octets."""
    return padded(b"LOGIN linda ", b"", octets - len(b"a "))


async def _show_line() -> None:
    async with limited_server(login_line_bytes=60) as limited:
        async with limited.imap() as client:
            assert await verdict(client, _login_of(61)) == b"BAD"
            assert await verdict(client, _login_of(60)) == b"NO"
        async with limited.pop3() as reader:
            await reader.line()
            assert (await reader.ask(padded(b"USER ", b"", 61))).startswith(b"-ERR")
            assert (await reader.ask(padded(b"USER ", b"", 60))).startswith(b"+OK")
        async with limited.lmtp() as agent:
            await agent.line()
            assert (await agent.ask(padded(b"NOOP ", b"", 61))).startswith(b"500 ")
            assert (await agent.ask(padded(b"NOOP ", b"", 60))).startswith(b"250 ")


async def _show_literals() -> None:
    login = b"LOGIN {5+}\r\nlinda {7+}\r\nPa$$123"
    for limit, expected in ((1, b"BAD"), (2, b"OK")):
        async with limited_server(login_literals=limit) as limited, limited.imap() as client:
            assert await verdict(client, login) == expected


async def _show_literal_bytes() -> None:
    async with limited_server(login_literal_bytes=7) as limited, limited.imap() as client:
        assert await verdict(client, b"LOGIN {8}") == b"BAD"
        assert await verdict(client, b"LOGIN {7}") == b"+"


async def _show_id_bytes() -> None:
    within, beyond = (padded(b'ID ("name" "', b'")', octets - len(b"a ")) for octets in (60, 61))
    async with limited_server(login_id_bytes=60, login_line_bytes=40) as limited, limited.imap() as client:
        assert await verdict(client, beyond) == b"BAD"
        assert await verdict(client, within) == b"OK"
        # a literal counts, too
        assert await verdict(client, b'ID ("name" {41+}\r\n%b)' % (b"x" * 41)) == b"OK"
        assert await verdict(client, b'ID ("name" {60+}\r\n%b)' % (b"x" * 60)) == b"BAD"


async def _show_seconds() -> None:
    async with limited_server(login_seconds=20.0) as limited:
        async with limited.imap() as client:
            client.clock.advance(19.0)
            assert await verdict(client, b"NOOP") == b"OK"
            client.clock.advance(20.0)
            assert (await client.rest()).startswith(b"* BYE")
        async with limited.pop3() as reader:
            await reader.line()
            reader.clock.advance(19.0)
            assert (await reader.ask(b"CAPA")).startswith(b"+OK")
            await reader.until(b"\r\n.\r\n")
            reader.clock.advance(20.0)
            assert b"+OK" not in await reader.rest()
    # the time counts from the connection, whatever is sent meanwhile
    async with limited_server(login_seconds=0.05) as limited, limited.imap() as client:
        async with asyncio.timeout(5):
            while not (await client.ask(b"a NOOP")).startswith(b"* BYE"):
                pass


async def _show_bad_commands() -> None:
    async with limited_server(login_bad_commands=2) as limited:
        async with limited.imap() as client:
            assert await verdict(client, b"NONSENSE") == b"BAD"
            assert await verdict(client, b"NOOP") == b"OK"
            client.send(b"a NONSENSE\r\na NOOP\r\n")
            said = await client.rest()
            assert said.startswith(b"a BAD")
            assert b"* BYE" in said
            assert b"a OK" not in said
        async with limited.pop3() as reader:
            await reader.line()
            assert (await reader.ask(b"NONSENSE")).startswith(b"-ERR")
            assert (await reader.ask(b"USER linda")).startswith(b"+OK")
            reader.send(b"NONSENSE\r\nUSER linda\r\n")
            assert b"+OK" not in await reader.rest()


async def _show_failures() -> None:
    async with limited_server(login_failures=2) as limited:
        async with limited.imap() as client:
            assert await verdict(client, WRONG) == b"NO"
            assert await verdict(client, b"NOOP") == b"OK"
            client.send(b"a " + WRONG + b"\r\na NOOP\r\n")
            said = await client.rest()
            assert b"a NO" in said
            assert b"* BYE" in said
            assert b"a OK" not in said
        async with limited.pop3() as reader:
            await reader.line()
            for is_last in (False, True):
                assert (await reader.ask(b"USER linda")).startswith(b"+OK")
                reader.send(b"PASS wrong\r\nCAPA\r\n")
                assert (await reader.line()).startswith(b"-ERR")
                said = await reader.rest() if is_last else await reader.until(b"\r\n.\r\n")
                assert (b"+OK" in said) is not is_last


async def _show_delay() -> None:
    async with limited_server(login_delay_seconds=0.01, login_failures=100) as limited, limited.imap() as client:
        client.peer.address = "192.0.2.1"
        for _ in range(3):
            assert await verdict(client, WRONG) == b"NO"
        authenticator = limited.services.authenticator
        assert authenticator._gate.throttle.wait("192.0.2.1", "linda") <= 0.01
        # each failure has doubled the delay; only the limit bounds it
        authenticator.reload(replace(limited.limits, login_delay_seconds=3600.0), Plaintext.LOOPBACK)
        assert authenticator._gate.throttle.wait("192.0.2.1", "linda") > 0.5


async def _show_waiting() -> None:
    async with limited_server(logins_waiting_per_address=2) as limited:
        names = [f"user{number}" for number in range(AT_ONCE + 3)]
        # these passwords take time to hash, as real ones do
        secrets = await asyncio.to_thread(secrets_for, PASSWORD)
        for name in names:
            await limited.server.store.directory.add(name, secrets)
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(limited.imap()) for _ in names]
            for client, name in zip(clients, names, strict=True):
                client.send(b"a LOGIN %b Pa$$123\r\n" % name.encode())
            said = [await client.line() for client in clients]
            assert [line.startswith(b"a OK") for line in said] == [True] * (AT_ONCE + 2) + [False]
            assert said[-1].startswith(b"a NO [UNAVAILABLE]")


async def _hashings(limited: LimitedServer, monkeypatch: pytest.MonkeyPatch, pause: float) -> int:
    """How often two consecutive logins compute the hash."""
    checked: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, hashed: str, password: str | bytes) -> bool:
        checked.append(hashed)
        return verify(self, hashed, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    await limited.server.store.directory.add("ada", quick_secrets(PASSWORD))
    for _ in range(2):
        async with limited.imap(b"LOGIN ada Pa$$123"):
            await asyncio.sleep(pause)
    return len(checked)


async def _show_remembered() -> None:
    for seconds, pause, hashings in ((60.0, 0.0, 1), (0.05, 0.1, 2), (0.0, 0.0, 2)):
        async with limited_server(password_remembered_seconds=seconds) as limited:
            with pytest.MonkeyPatch.context() as patch:
                assert await _hashings(limited, patch, pause) == hashings


async def _show_per_account() -> None:
    async with limited_server(connections_per_account=2) as limited, limited.imap(LOGIN):
        async with limited.imap(LOGIN), limited.imap() as third:
            assert (await answer(third, LOGIN)).startswith(b"a NO [LIMIT]")
        async with limited.imap(LOGIN), limited.pop3() as reader:
            await reader.line()
            await reader.ask(b"USER linda")
            assert (await reader.ask(b"PASS Pa$$123")).startswith(b"-ERR [SYS/TEMP]")
        async with limited.imap(LOGIN):
            pass


SHOWN: dict[str, Demonstration] = {
    "login_line_bytes": _show_line,
    "login_literals": _show_literals,
    "login_literal_bytes": _show_literal_bytes,
    "login_id_bytes": _show_id_bytes,
    "login_seconds": _show_seconds,
    "login_bad_commands": _show_bad_commands,
    "login_failures": _show_failures,
    "login_delay_seconds": _show_delay,
    "logins_waiting_per_address": _show_waiting,
    "password_remembered_seconds": _show_remembered,
    "connections_per_account": _show_per_account,
}
