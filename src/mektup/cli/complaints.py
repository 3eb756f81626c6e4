"""Errors of a command: one line to stderr, and exit status 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from mektup.cli import texts
from mektup.cli.language import told
from mektup.server.config import ConfigError
from mektup.store import files
from mektup.store.faults import in_words
from mektup.terms.errors import Refused
from mektup.terms.texts import Text

WRONG_USAGE = 2
"""The exit status for arguments that do not fit each other."""


@contextmanager
def complaints() -> Iterator[None]:
    """Turns errors that the user can act on into one line. Bugs keep their tracebacks."""
    try:
        yield
    except ConfigError as error:
        raise complain(error.whole) from error
    except Refused as error:
        raise complain(in_words(error)) from error
    except BrokenPipeError:
        # such as ``mektup user list | head``: typer then ends without a message
        raise
    except OSError as error:
        raise complain(files.reason(error) if error.filename else error.strerror or str(error)) from error


def complain(problem: Text | str, status: int = 1) -> typer.Exit:
    """Prints *problem*, which may be a text of the system; raise the result."""
    typer.echo(told(texts.COMPLAINT.of(problem=problem)), err=True)
    return typer.Exit(status)
