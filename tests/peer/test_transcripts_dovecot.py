"""Transcripts that say ``witness: dovecot``, played against a Debian Dovecot.

They test IMAP itself, not only mektup: a second server that agrees is evidence that we understand the RFC. Dovecot may
send untagged responses in another order, and more of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peer.dovecot import Address, missing, running
from tests.support.runner import Connection, silently
from tests.support.stage import perform
from tests.support.transcript import Transcript, read

HERE = Path(__file__).parents[1] / "transcripts"
MAIL = HERE / "mail"
WITNESSED = {
    str(path.relative_to(HERE)): transcript
    for path in sorted(HERE.glob("*/*.txt"))
    if (transcript := read(path)).head("witness") == "dovecot"
}

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")


class DovecotWire:
    """A ``support.runner.Wire`` over a plain stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def receive(self) -> bytes:
        try:
            return await self._reader.read(65536)
        except OSError:
            return b""

    async def handshake(self) -> None:
        raise NotImplementedError("this witness speaks no TLS")

    def end(self) -> None:
        if not self.writer.is_closing():
            with contextlib.suppress(OSError):  # Dovecot has closed the connection, but this end has not read that yet
                self.writer.write_eof()


class DovecotWorld:
    """A ``support.runner.World``: one account of a running Dovecot."""

    lenient = True

    def __init__(self, address: Address, user: str) -> None:
        self.login = (user, address.password)
        self._address = address
        self._wires: list[DovecotWire] = []

    async def connect(self, protocol: str) -> DovecotWire:
        wire = DovecotWire(*await asyncio.open_connection(self._address.host, self._address.port))
        self._wires.append(wire)
        return wire

    async def deliver(self, raw: bytes, account: str) -> None:
        connection = Connection(await self.connect("imap"), literals=True)
        await connection.response()
        assert await silently(connection, "LOGIN {} {}".format(*self.login).encode()) is None
        assert await silently(connection, b"APPEND INBOX {%d+}\r\n%b" % (len(raw), raw)) is None

    def advance(self, seconds: float) -> None:
        raise NotImplementedError("this witness has the time that it is")

    async def stop(self) -> None:
        raise NotImplementedError("this witness goes on")

    async def restart(self) -> None:
        raise NotImplementedError("this witness goes on")

    async def close(self) -> None:
        for wire in self._wires:
            wire.writer.close()
            with contextlib.suppress(OSError):  # a Dovecot that ends with unread input resets the connection
                await wire.writer.wait_closed()


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Address]:
    """One server for all transcripts, in a directory that its user can enter; pytest's directories are closed to it."""
    with tempfile.TemporaryDirectory(prefix="mektup-witness-") as folder, running(Path(folder)) as address:
        yield address


users = itertools.count(1)


@pytest.mark.parametrize("transcript", WITNESSED.values(), ids=WITNESSED.keys())
async def test_dovecot_says_the_same(transcript: Transcript, dovecot: Address) -> None:
    world = DovecotWorld(dovecot, f"witness{next(users)}")
    await perform(transcript, world, MAIL)


def test_there_are_witnessed_transcripts() -> None:
    assert len(WITNESSED) >= 10
