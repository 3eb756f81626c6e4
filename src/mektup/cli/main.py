"""The ``mektup`` command and its subcommands.

Exit status: 0 for success, 1 for an error, 2 for a wrong command line.
"""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from typing import Annotated, Any

import typer

import mektup
from mektup.cli import texts
from mektup.cli.language import COMPLETES, Command, Group, command_of

COMMANDS = {
    "init": texts.INIT,
    "serve": texts.SERVE,
    "config": texts.SHOW_CONFIG,
    "demo": texts.DEMO,
    "import": texts.IMPORT,
    "export": texts.EXPORT,
    "restore": texts.RESTORE,
    "undelete": texts.UNDELETE,
    "at": texts.AT,
    "check": texts.CHECK,
    "who": texts.WHO,
    "kick": texts.KICK,
    "trace": texts.TRACE,
    "backup": texts.BACKUP,
    "dns": texts.DNS,
    "completion": texts.COMPLETION,
    "user": texts.USER,
    "domain": texts.DOMAIN,
    "alias": texts.ALIAS,
}
"""The subcommands, as they are listed. Each is a module of this name in this package (see MODULES), with ``register``.

The text is its help.
"""


MODULES = {"import": "import_mail"}
"""The modules of the commands whose names no module can have."""


class Commands(Group):
    """The group of all subcommands."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names in order; the library would put those that have subcommands at the end."""
        return list(COMMANDS)


def main() -> None:
    """Runs ``mektup`` with the arguments of this process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a letter that the terminal cannot show must not be an error
            stream.reconfigure(errors="backslashreplace")
    app = typer.Typer(
        cls=Commands,
        help=str(texts.MEKTUP),
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    app.callback(help=str(texts.MEKTUP), cls=Commands, no_args_is_help=True)(_root)
    word = next((argument for argument in _words() if not argument.startswith("-")), None)
    if word == "serve" and hasattr(signal, "SIGHUP"):
        # SIGHUP means to read the file again; before the handler is set, the default would end the process
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # only the called command is imported, so that --help does not load the server
    for name, text in COMMANDS.items():
        if name == word:
            importlib.import_module(f"mektup.cli.{MODULES.get(name, name)}").register(app)
        else:
            app.command(name, help=str(text), cls=Command)(_listed)
    command_of(app)(complete_var=COMPLETES)


def _words() -> list[str]:
    """The arguments of this process, or those that a shell asks to complete."""
    if COMPLETES not in os.environ:
        return sys.argv[1:]
    # the library's own forms of answers to shells
    importlib.import_module("typer.completion").completion_init()
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    return line.split()[1:]


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
