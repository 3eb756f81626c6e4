"""The servers that transcripts over sockets share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
import uvloop

from mektup.server import self_signed
from tests.support.sockets import Certificate, Servers


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    # as ``mektup serve`` does
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """Running servers are used again. None makes a certificate, which takes longer than most tests."""
    folder = tmp_path_factory.mktemp("certificate")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    cert, key = self_signed.make("127.0.0.1")
    made.cert.write_bytes(cert)
    made.key.write_bytes(key)
    servers = Servers(made)
    yield servers
    await servers.stop()
