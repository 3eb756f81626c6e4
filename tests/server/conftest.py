from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from mektup.server import self_signed, tls


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    # a program that embeds a server brings its own event loop, so the tests run with both kinds
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> self_signed.Pair:
    return self_signed.pair_under(tmp_path_factory.mktemp("tls"), "mektup")


@pytest.fixture(scope="session")
def server_tls(pair: self_signed.Pair) -> ssl.SSLContext:
    return tls.server_context(pair.cert, pair.key)


@pytest.fixture(scope="session")
def client_tls(pair: self_signed.Pair) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=pair.cert)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"
