"""Runs other people's programs: a test is skipped if one is absent, and shows its output if it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from .scale import SECONDS


@dataclass(frozen=True, slots=True)
class Program:
    """A program of Debian, and the folder that it gets as its home."""

    path: str
    home: Path

    def run(
        self,
        *words: str | Path,
        standard_input: bytes = b"",
        environment: Mapping[str, str] | None = None,
        statuses: Sequence[int] = (0,),
    ) -> bytes:
        """Everything that the program prints, on both streams; it must end with one of *statuses* in time."""
        command = [self.path, *map(str, words)]
        done = subprocess.run(
            command,
            input=standard_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.home,
            env={**os.environ, "HOME": str(self.home), "LC_ALL": "C.UTF-8", **(environment or {})},
            timeout=SECONDS,
        )
        assert done.returncode in statuses, f"{command}: {done.returncode}\n{done.stdout.decode(errors='replace')}"
        return done.stdout


def absent(what: str) -> NoReturn:
    """Skips the test because *what* is missing; fails it where nothing may be missing, as in continuous integration."""
    if os.environ.get("MEKTUP_CLIENTS_REQUIRED"):
        pytest.fail(what)
    pytest.skip(what)


def program(name: str, package: str, home: Path) -> Program:
    """The program *name*; without it the test is skipped, and the reason names Debian's *package*."""
    path = shutil.which(name)
    if path is None:
        absent(f"{name} is not installed (Debian: {package})")
    return Program(path, home)


def private_file(path: Path, text: str) -> Path:
    """Writes a configuration file with a password; some clients refuse such a file if other users can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path
