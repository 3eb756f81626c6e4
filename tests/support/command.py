"""Runs the mektup command in this process, because starting an interpreter would take most of the time."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from mektup.cli import main


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a command."""

    status: int
    stdout: str
    stderr: str


def mektup(*arguments: str, typed: str = "", where: Path | None = None) -> Done:
    """Runs ``mektup`` with *arguments*; *typed* is its standard input, *where* its working directory.

    Any exception except SystemExit is raised: a user would see its traceback.
    """
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        contextlib.chdir(where or Path.cwd()),
        patch.multiple(sys, argv=["mektup", *arguments], stdin=io.StringIO(typed)),
    ):
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return Done(status, stdout.getvalue(), stderr.getvalue())
