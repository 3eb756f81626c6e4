"""One server and one screen for the whole suite, and an account for each module."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.mektup import Mektup
from tests.clients.programs import program
from tests.clients.served import Account, new_account, serving
from tests.desktop.screen import screen

STORAGE = "10M"
"""The quota of each account."""


@pytest.fixture(scope="session")
def server() -> Iterator[Mektup]:
    """A server with two workers."""
    folder = Path(tempfile.mkdtemp(prefix="mektup-desktop-"))
    try:
        with serving(folder) as served:
            assert isinstance(served, Mektup)
            yield served
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def account(server: Mektup) -> Account:
    """A new account."""
    account = new_account(server)
    server.limit_storage(account.name, STORAGE)
    return account


@pytest.fixture(scope="session")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A screen."""
    with screen(program("Xvfb", "xvfb", tmp_path_factory.mktemp("screen"))) as display:
        yield display
