"""Options that several commands share."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mektup.auth.login_rules import DEFAULT_LOGIN_RULES, LoginRules
from mektup.cli import texts
from mektup.cli.complaints import WRONG_USAGE, complain
from mektup.cli.language import told
from mektup.server import config
from mektup.server.store_config import ON_FILES, Engine, StoreConfig
from mektup.store import system
from mektup.store.sqlite import names_beginning
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.names import account_key

DEFAULT_DATA = Path("mektup-data")

MOST_COMPLETED = 200
"""More names are of no use to somebody who types."""

DataDirectory = Annotated[
    Path | None,
    # not checked here: the code that opens it gives a better error
    typer.Option("--data", metavar="DIR", readable=False, help=str(texts.DATA)),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", readable=False, help=str(texts.CONFIG))]


def typed_text(name: str) -> str:
    """Decodes the typed octets of *name* as UTF-8, independent of the locale."""
    try:
        return os.fsencode(name).decode()
    except UnicodeError:
        raise complain(texts.NAME_NOT_UTF8, WRONG_USAGE) from None


def data_directory(data: Path | None, config_file: Path | None) -> Path:
    """The data directory given by the options. Raises ConfigError."""
    return data_and_limits(data, config_file)[0]


def data_and_limits(data: Path | None, config_file: Path | None) -> tuple[Path, Limits]:
    """The data directory given by the options, and the limits of its server. Raises ConfigError."""
    directory, loaded = data_and_config(data, config_file)
    return directory, DEFAULT_LIMITS if loaded is None else loaded.limits


def data_and_config(data: Path | None, config_file: Path | None) -> tuple[Path, config.Config | None]:
    """The data directory given by the options, and the configuration if one was given. Raises ConfigError."""
    refuse_both(data, config_file)
    if config_file is None:
        return data or DEFAULT_DATA, None
    loaded = config.load(config_file)
    assert loaded.data is not None
    return loaded.data, loaded


def store_of(loaded: config.Config | None) -> StoreConfig:
    """What keeps the mail; without a configuration, files."""
    return ON_FILES if loaded is None else loaded.store


def require_files(loaded: config.Config | None, command: str) -> None:
    """Complains where mail is in PostgreSQL, because *command* works on the files of accounts."""
    if store_of(loaded).engine is not Engine.SQLITE:
        raise complain(texts.ONLY_ON_FILES.of(command=command), WRONG_USAGE)


def login_rules(config_file: Path | None) -> LoginRules:
    """How people log in to the server of *config_file*; the usual rules for None. Raises ConfigError."""
    return DEFAULT_LOGIN_RULES if config_file is None else config.load(config_file).login


def require_accounts(directory: Path, status: int = 1) -> None:
    """Complains if *directory* is not a data directory, so that a wrong path is noticed and nothing is made there."""
    if not directory.exists():
        raise complain(texts.NOT_THERE.of(directory=directory), status)
    if not directory.is_dir():
        raise complain(texts.NO_DIRECTORY.of(directory=directory), status)
    if not (directory / "mektup.db").exists() and any(directory.iterdir()):
        raise complain(texts.NO_ACCOUNTS.of(directory=directory), status)


def account_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """For a shell: the accounts whose names begin with *incomplete*; none where this user cannot read them.

    The data directory is that of the options that stand before, else the usual one. Names in PostgreSQL are not
    proposed, because a shell would wait for it.
    """
    given, file = ctx.params.get("data"), ctx.params.get("config_file")
    try:
        loaded = None if given or file is None else config.load(Path(file))
    except config.ConfigError:
        return []
    if store_of(loaded).engine is not Engine.SQLITE:
        return []
    directory = Path(given) if given else DEFAULT_DATA if loaded is None else loaded.data
    return [] if directory is None else names_beginning(directory, account_key(incomplete), MOST_COMPLETED)


Name = Annotated[
    str, typer.Argument(metavar="NAME", help=str(texts.NAME), callback=typed_text, autocompletion=account_names)
]


@contextmanager
def said_whose(directory: Path) -> Iterator[None]:
    """Warns at the end if the command ran as root and made *directory*, which then belongs to root.

    A server that runs as another user could not use it, or could not pass a new directory above it.
    """
    new = [each for each in (directory, *directory.parents) if not each.exists()]
    yield
    if new and system.effective_user() == 0 and directory.stat().st_uid == 0:
        warning = texts.BELONGS_TO_ROOT.of(directory=new[-1], quoted=shlex.quote(str(new[-1])))
        typer.echo(told(texts.COMPLAINT.of(problem=warning)), err=True)


def refuse_both(data: Path | None, config_file: Path | None) -> None:
    """Complains if both options are given, because the file names a data directory, too."""
    if data is not None and config_file is not None:
        raise complain(texts.DATA_OR_CONFIG, WRONG_USAGE)
