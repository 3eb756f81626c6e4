"""``mektup backup``: copies the data directory while the server runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mektup.cli.complaints import complain, complaints, counted
from mektup.cli.options import ConfigFile, DataDirectory, data_directory
from mektup.store.sqlite import back_up_all


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("backup")(backup)


def backup(
    target: Annotated[
        Path, typer.Argument(metavar="DIR", readable=False, help="Where to; it must be empty, or not there yet.")
    ],
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Copy all accounts and their mail to DIR, each as it is at one moment; servers go on meanwhile."""
    with complaints():
        directory = data_directory(data, config_file)
        if not (directory / "mektup.db").is_file():
            raise complain(f"{directory} is no data directory: --data or --config says where the accounts are")
        accounts = back_up_all(directory, target)
    typer.echo(f"copied {counted(accounts, 'account')} to {target}")
