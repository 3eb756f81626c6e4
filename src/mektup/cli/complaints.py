"""Errors of a command: one line to stderr, and exit status 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from mektup.server.config import ConfigError
from mektup.store import files
from mektup.store.faults import in_words
from mektup.terms.errors import Refused


@contextmanager
def complaints() -> Iterator[None]:
    """Turns errors that the user can act on into one line. Bugs keep their tracebacks."""
    try:
        yield
    except (ConfigError, Refused) as error:
        raise complain(in_words(error) if isinstance(error, Refused) else str(error)) from error
    except BrokenPipeError:
        # such as ``mektup user list | head``: typer then ends without a message
        raise
    except OSError as error:
        raise complain(files.reason(error) if error.filename else error.strerror or str(error)) from error


def complain(text: str) -> typer.Exit:
    """Prints *text*; raise the result."""
    typer.echo(f"mektup: {text}", err=True)
    return typer.Exit(1)


def counted(number: int, thing: str) -> str:
    """``1 account``, ``2 accounts``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
