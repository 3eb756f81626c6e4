"""One server for the whole suite, and a new account for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .served import Account, Served, new_account, serving


@pytest.fixture(scope="session")
def server() -> Iterator[Served]:
    """A server with two workers, whose data directory is removed after the tests."""
    folder = Path(tempfile.mkdtemp(prefix="mektup-clients-"))
    folder.chmod(0o755)
    try:
        with serving(folder) as served:
            yield served
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def account(server: Served) -> Account:
    """A new account."""
    return new_account(server)
