"""``mektup restore``: makes a data directory from a backup."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from mektup.cli.complaints import complaints, counted
from mektup.cli.options import ConfigFile, DataDirectory, data_directory, said_whose
from mektup.cli.user import renew_all
from mektup.store.sqlite import restore_all


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("restore")(restore)


def restore(
    backup: Annotated[Path, typer.Argument(metavar="DIR", readable=False, help="What mektup backup made.")],
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Make a data directory of the backup DIR, where there is none yet.

    Every mailbox gets a new UIDVALIDITY: clients forget what they held, and fetch what is there.
    """
    with complaints():
        directory = data_directory(data, config_file)
        with said_whose(directory):
            restore_all(backup, directory)
            accounts = asyncio.run(renew_all(directory))
    typer.echo(f"restored {counted(accounts, 'account')} to {directory}")
