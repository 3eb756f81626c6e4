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

COMMANDS = {
    "serve": "Serve mail.",
    "demo": "Serve a demo: account linda, password Pa$$123, three messages.",
    "backup": "Copy all accounts and their mail to DIR, each as it is at one moment; servers go on meanwhile.",
    "restore": "Make a data directory of the backup DIR, where there is none yet.",
    "user": "Accounts: add, list, passwd, remove, import, renew, compact.",
}
"""The subcommands. Each is a module of this name in this package, with ``register``; the text begins its help."""


def main() -> None:
    """Runs ``mektup`` with the arguments of this process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a letter that the terminal cannot show must not be an error
            stream.reconfigure(errors="backslashreplace")
    app = typer.Typer(
        help="Mektup: an IMAP server, with LMTP and POP3 beside it.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    word = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    if word == "serve" and hasattr(signal, "SIGHUP"):
        # SIGHUP means to read the file again; before the handler is set, the default would end the process
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # only the called command is imported, so that --help does not load the server
    for name, line in COMMANDS.items():
        if name == word:
            importlib.import_module(f"mektup.cli.{name}").register(app)
        else:
            app.command(name, help=line)(_listed)
    app()


def _listed() -> None:
    """Stands in the list of commands for one that was not called."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mektup {mektup.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Mektup: an IMAP server, with LMTP and POP3 beside it."""
