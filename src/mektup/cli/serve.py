"""``mektup serve``: runs the server until SIGTERM."""

from __future__ import annotations

from functools import partial

import typer

from mektup.cli import texts
from mektup.cli.complaints import complaints
from mektup.cli.language import Command
from mektup.cli.options import DEFAULT_DATA, ConfigFile, DataDirectory, refuse_both
from mektup.server import config
from mektup.server.run import serve as run_server


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("serve", help=str(texts.SERVE), cls=Command)(serve)


def serve(config_file: ConfigFile = None, data: DataDirectory = None) -> None:
    """Runs the command."""
    refuse_both(data, config_file)
    file = None if config_file is None else config_file.absolute()
    if file is not None:
        load = partial(config.load, file)
    else:
        load = partial(config.default, (data or DEFAULT_DATA).absolute())
    with complaints():
        run_server(load, lambda endpoints: None, file)
