"""Running other people's programs: skipped with a reason when absent, their output shown when they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest


@dataclass(frozen=True, slots=True)
class Program:
    """A program of Debian's, and the folder that it may take for its home."""

    path: str
    home: Path

    def run(
        self,
        *words: str | Path,
        standard_input: bytes = b"",
        environment: Mapping[str, str] | None = None,
        statuses: Sequence[int] = (0,),
    ) -> bytes:
        """All that the program prints, on either stream; it must end with one of *statuses* within a minute."""
        command = [self.path, *map(str, words)]
        done = subprocess.run(
            command,
            input=standard_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.home,
            env={**os.environ, "HOME": str(self.home), "LC_ALL": "C.UTF-8", **(environment or {})},
            timeout=50,
        )
        assert done.returncode in statuses, f"{command}: {done.returncode}\n{done.stdout.decode(errors='replace')}"
        return done.stdout


def absent(what: str) -> NoReturn:
    """Skips the test because *what* is not here; fails it where all must be, as in continuous integration."""
    if os.environ.get("MEKTUP_CLIENTS_REQUIRED"):
        pytest.fail(what)
    pytest.skip(what)


def program(name: str, package: str, home: Path) -> Program:
    """The program *name*; without it the test is skipped, naming Debian's *package*."""
    path = shutil.which(name)
    if path is None:
        absent(f"{name} is not installed (Debian: {package})")
    return Program(path, home)


def private_file(path: Path, text: str) -> Path:
    """Writes a configuration file that holds a password; some clients refuse one that others may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path
