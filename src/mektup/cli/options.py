"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mektup.server import config
from mektup.store import system

DEFAULT_DATA = Path("mektup-data")

DataDirectory = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The data directory; ./mektup-data if nothing is said.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The server's TOML file.")]


def data_directory(data: Path | None, config_file: Path | None) -> Path:
    """The data directory that the options name. Raises BadParameter, ConfigError."""
    refuse_both(data, config_file)
    directory = config.load(config_file).data if config_file is not None else data or DEFAULT_DATA
    assert directory is not None
    return directory


def say_whose(directory: Path) -> None:
    """Tells root that the new *directory* is root's, where a server that runs as another user could not use it."""
    if system.effective_user() == 0 and directory.stat().st_uid == 0:
        typer.echo(
            f"mektup: {directory} is new and belongs to root; where the server runs as another user, "
            f"give it to that user: chown -R USER {directory}",
            err=True,
        )


def refuse_both(data: Path | None, config_file: Path | None) -> None:
    """Raises BadParameter where both options are given: the file names a directory, too."""
    if data is not None and config_file is not None:
        raise typer.BadParameter("give either --data or --config", param_hint="--data")
