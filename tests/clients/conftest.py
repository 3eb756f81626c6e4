"""One server for the whole suite, and a new account for each test."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .programs import absent
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


@pytest.fixture(scope="module")
def modules(request: pytest.FixtureRequest) -> Path:
    """A folder with imapflow installed, in pytest's cache, so that later runs use it."""
    npm = shutil.which("npm")
    if npm is None:
        absent("npm is not installed (Debian: npm)")
    folder = request.config.cache.mkdir("imapflow")
    if not (folder / "node_modules" / "imapflow").is_dir():
        command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", "imapflow"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            absent(f"npm could not install imapflow: {done.stderr}")
    return folder
