"""The ``mektup`` command and its subcommands.

Exit status: 0 for success, 1 for an error, 2 for a wrong command line.
"""

from __future__ import annotations

import importlib
import io
import signal
import sys
from typing import Annotated

import typer

import mektup
from mektup.cli import texts
from mektup.cli.language import Command, Group, command_of

COMMANDS = {
    "serve": texts.SERVE,
    "demo": texts.DEMO,
    "backup": texts.BACKUP,
    "restore": texts.RESTORE,
    "user": texts.USER,
}
"""The subcommands. Each is a module of this name in this package, with ``register``; the text is its help."""


def main() -> None:
    """Runs ``mektup`` with the arguments of this process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a letter that the terminal cannot show must not be an error
            stream.reconfigure(errors="backslashreplace")
    app = typer.Typer(
        cls=Group,
        help=str(texts.MEKTUP),
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    app.callback(help=str(texts.MEKTUP), cls=Group, no_args_is_help=True)(_root)
    word = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    if word == "serve" and hasattr(signal, "SIGHUP"):
        # SIGHUP means to read the file again; before the handler is set, the default would end the process
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # only the called command is imported, so that --help does not load the server
    for name, text in COMMANDS.items():
        if name == word:
            importlib.import_module(f"mektup.cli.{name}").register(app)
        else:
            app.command(name, help=str(text), cls=Command)(_listed)
    command_of(app)()


def _listed() -> None:
    """Stands in the list of commands for one that was not called."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mektup {mektup.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help=str(texts.VERSION))
    ] = False,
) -> None:
    """Has the options of ``mektup`` itself."""
