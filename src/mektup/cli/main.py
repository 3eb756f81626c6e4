"""The command itself: its subcommands, and how its errors are told.

Exit status: 0 for done, 1 for refused or not possible, 2 for a command line that cannot be.
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
"""Each is a module here of that name, with ``register``, and what its own help begins with."""


def main() -> None:
    """Runs ``mektup`` with the arguments of this process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a letter that the terminal does not have is no reason to fail
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
        # it means to read the file anew, also before the file was read at all; by default it would end the process
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # only the command that was called is loaded: nobody waits for what serves mail to be told what there is
    for name, line in COMMANDS.items():
        if name == word:
            importlib.import_module(f"mektup.cli.{name}").register(app)
        else:
            app.command(name, help=line)(_listed)
    app()


def _listed() -> None:
    """Stands for a command that was not called, in the list of all."""


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
