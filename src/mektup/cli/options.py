"""Options that several commands share."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mektup.cli import texts
from mektup.cli.complaints import WRONG_USAGE, complain
from mektup.cli.language import told
from mektup.server import config
from mektup.store import system

DEFAULT_DATA = Path("mektup-data")

DataDirectory = Annotated[
    Path | None,
    # not checked here: the code that opens it gives a better error
    typer.Option("--data", metavar="DIR", readable=False, help=str(texts.DATA)),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", readable=False, help=str(texts.CONFIG))]


def data_directory(data: Path | None, config_file: Path | None) -> Path:
    """The data directory given by the options. Raises ConfigError."""
    refuse_both(data, config_file)
    directory = config.load(config_file).data if config_file is not None else data or DEFAULT_DATA
    assert directory is not None
    return directory


@contextmanager
def said_whose(directory: Path) -> Iterator[None]:
    """Warns at the end if the command ran as root and made *directory*, which then belongs to root.

    A server that runs as another user could not use it, or could not pass a new directory above it.
    """
    new = [each for each in (directory, *directory.parents) if not each.exists()]
    yield
    if new and system.effective_user() == 0 and directory.stat().st_uid == 0:
        warning = texts.BELONGS_TO_ROOT.of(directory=new[-1], quoted=shlex.quote(str(new[-1])))
        typer.echo(told(texts.COMPLAINT.of(problem=warning)), err=True)


def refuse_both(data: Path | None, config_file: Path | None) -> None:
    """Complains if both options are given, because the file names a data directory, too."""
    if data is not None and config_file is not None:
        raise complain(texts.DATA_OR_CONFIG, WRONG_USAGE)
