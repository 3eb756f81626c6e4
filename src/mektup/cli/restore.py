"""``mektup restore``: makes a data directory from a backup."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from mektup.cli import texts
from mektup.cli.complaints import complaints
from mektup.cli.language import Command, told
from mektup.cli.options import ConfigFile, DataDirectory, data_directory, said_whose
from mektup.cli.user import renew_all
from mektup.store.sqlite import restore_all


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("restore", help=str(texts.RESTORE), cls=Command)(restore)


def restore(
    backup: Annotated[Path, typer.Argument(metavar="DIR", readable=False, help=str(texts.RESTORE_DIR))],
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    with complaints():
        directory = data_directory(data, config_file)
        with said_whose(directory):
            restore_all(backup, directory)
            accounts = asyncio.run(renew_all(directory))
    typer.echo(told(texts.RESTORED.of(count=accounts, directory=directory)))
