"""Options that several commands share."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mektup.server import config
from mektup.store import system

DEFAULT_DATA = Path("mektup-data")

DataDirectory = Annotated[
    Path | None,
    # not checked here: the code that opens it gives a better error
    typer.Option("--data", metavar="DIR", readable=False, help="The data directory; ./mektup-data if nothing is said."),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", readable=False, help="The server's TOML file.")
]


def data_directory(data: Path | None, config_file: Path | None) -> Path:
    """The data directory given by the options. Raises BadParameter, ConfigError."""
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
        typer.echo(
            f"mektup: {new[-1]} is new and belongs to root; where the server runs as another user, "
            f"give it to that user: chown -R USER {shlex.quote(str(new[-1]))}",
            err=True,
        )


def refuse_both(data: Path | None, config_file: Path | None) -> None:
    """Raises BadParameter if both options are given, because the file names a data directory, too."""
    if data is not None and config_file is not None:
        raise typer.BadParameter("give either --data or --config", param_hint="--data")
