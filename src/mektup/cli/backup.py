"""``mektup backup``: copies the data directory while the server runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mektup.cli import texts
from mektup.cli.complaints import complain, complaints
from mektup.cli.language import Command, told
from mektup.cli.options import ConfigFile, DataDirectory, data_directory
from mektup.store.sqlite import back_up_all


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("backup", help=str(texts.BACKUP), cls=Command)(backup)


def backup(
    target: Annotated[Path, typer.Argument(metavar="DIR", readable=False, help=str(texts.BACKUP_DIR))],
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    with complaints():
        directory = data_directory(data, config_file)
        if not (directory / "mektup.db").is_file():
            raise complain(texts.NO_DATA_DIRECTORY.of(directory=directory))
        accounts = back_up_all(directory, target)
    typer.echo(told(texts.COPIED.of(count=accounts, directory=target)))
