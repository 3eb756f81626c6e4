"""A directory with two accounts; local, remote and encrypted peers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from mektup.auth.authenticator import Authenticator
from mektup.auth.plaintext import Plaintext
from mektup.store.interface import Directory
from mektup.store.sqlite import open_store
from mektup.terms.limits import Limits
from tests.support.memory import Clock, MemoryPeer
from tests.support.passwords import quick_secrets

PASSWORD = "Pa$$123"
LIMITS = Limits(login_delay_seconds=0.001)


@pytest.fixture
async def directory() -> AsyncIterator[Directory]:
    store = await open_store(None)
    await store.directory.add("linda", quick_secrets(PASSWORD))
    await store.directory.add("Hélène@example.org", quick_secrets("café au lait"))
    yield store.directory
    await store.close()


@pytest.fixture
def authenticator(directory: Directory) -> Authenticator:
    return Authenticator(directory, LIMITS)


@pytest.fixture
def peer() -> MemoryPeer:
    """On this machine, not encrypted."""
    return MemoryPeer(Clock(), secure=False, by_octet=False)


@pytest.fixture
def far() -> MemoryPeer:
    """On another machine, not encrypted."""
    peer = MemoryPeer(Clock(), secure=False, by_octet=False)
    peer.local = False
    peer.address = "192.0.2.7"
    return peer


@pytest.fixture
def far_secure(far: MemoryPeer) -> MemoryPeer:
    """On another machine, encrypted."""
    far.secure = True
    return far


@pytest.fixture
def with_policy(directory: Directory) -> Callable[[Plaintext], Authenticator]:
    return lambda plaintext: Authenticator(directory, LIMITS, plaintext=plaintext)
