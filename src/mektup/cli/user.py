"""``mektup user``: adds, lists, changes and removes accounts. A running server sees the change at once."""

from __future__ import annotations

import asyncio
import getpass
import sys
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.progress import track

from mektup.auth import passwords, schemes
from mektup.cli import texts
from mektup.cli.complaints import WRONG_USAGE, complain, complaints
from mektup.cli.language import Command, Group, told
from mektup.cli.opened_store import opened_store, with_store
from mektup.cli.options import (
    ConfigFile,
    DataDirectory,
    Name,
    account_names,
    data_and_config,
    login_rules,
    require_files,
    typed_text,
)
from mektup.cli.passwd_file import Line, PasswdFileError, account, numbered
from mektup.cli.quota import quota
from mektup.cli.user_list import list_, show
from mektup.imap import hiding
from mektup.server import accounts
from mektup.store.directory_pages import all_entries
from mektup.store.interface import Account, Store
from mektup.terms.account_names import require_account_name, shown
from mektup.terms.errors import Refused
from mektup.terms.numbers import AccountId
from mektup.terms.texts import ABOUT, NOTHING_REMOVED


def _text_or_none(name: str | None) -> str | None:
    return None if name is None else typed_text(name)


PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help=str(texts.PASSWORD_STDIN))]


def register(app: typer.Typer) -> None:
    """Adds the command and its subcommands to *app*."""
    group = typer.Typer(cls=Group, help=str(texts.USER), no_args_is_help=True, rich_markup_mode=None)
    for name, command, text in (
        ("add", add, texts.USER_ADD),
        ("list", list_, texts.USER_LIST),
        ("show", show, texts.USER_SHOW),
        ("passwd", passwd, texts.USER_PASSWD),
        ("remove", remove, texts.USER_REMOVE),
        ("import", import_, texts.USER_IMPORT),
        ("quota", quota, texts.USER_QUOTA),
        ("hide", hide, texts.USER_HIDE),
        ("renew", renew, texts.USER_RENEW),
        ("compact", compact, texts.USER_COMPACT),
    ):
        group.command(name, help=str(text), cls=Command)(command)
    app.add_typer(group, name="user")


def add(
    name: Name, password_stdin: PasswordStdin = False, data: DataDirectory = None, config_file: ConfigFile = None
) -> None:
    """Runs ``mektup user add``."""

    async def run(store: Store) -> None:
        # checks the name before it asks for a password
        if await store.directory.find(name) is not None:
            raise complain(texts.ACCOUNT_EXISTS.of(name=name))
        kinds = login_rules(config_file).scram_kinds
        secrets = await asyncio.to_thread(passwords.secrets_for, _password(password_stdin), kinds)
        await store.directory.add(name, secrets)

    with complaints():
        require_account_name(name)
    with_store(data, config_file, run, make=True)
    typer.echo(told(texts.ADDED.of(name=name)))


def passwd(
    name: Name, password_stdin: PasswordStdin = False, data: DataDirectory = None, config_file: ConfigFile = None
) -> None:
    """Runs ``mektup user passwd``."""

    async def run(store: Store) -> None:
        if await store.directory.find(name) is None:
            raise complain(texts.NO_ACCOUNT.of(name=name))
        await accounts.set_password(store, name, _password(password_stdin), login_rules(config_file))

    with_store(data, config_file, run)
    typer.echo(told(texts.PASSWORD_CHANGED.of(name=name)))


def hide(
    name: Name,
    capabilities: Annotated[list[str] | None, typer.Argument(metavar="[CAPABILITY]...", show_default=False)] = None,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs ``mektup user hide``."""
    try:
        hidden = hiding.checked(capabilities or [])
    except ValueError as error:
        known = ", ".join(hiding.known_names())
        raise complain(texts.CANNOT_HIDE.of(name=str(error), names=known), WRONG_USAGE) from None

    async def run(store: Store) -> None:
        if await store.directory.find(name) is None:
            raise complain(texts.NO_ACCOUNT.of(name=name))
        await store.directory.set_hidden(name, hidden)

    with_store(data, config_file, run)
    text = texts.HIDDEN.of(name=name, names=" ".join(sorted(hidden))) if hidden else texts.NOTHING_HIDDEN.of(name=name)
    typer.echo(told(text))


def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=str(texts.YES))] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs ``mektup user remove``."""

    async def run(store: Store) -> None:
        if await store.directory.find(name) is None:
            raise complain(texts.NO_ACCOUNT.of(name=name))
        if not yes and not typer.confirm(told(texts.REALLY_REMOVE.of(name=name))):
            raise complain(NOTHING_REMOVED)
        await store.directory.remove(name)

    with_store(data, config_file, run)
    typer.echo(told(texts.REMOVED.of(name=name)))


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help=str(texts.IMPORT_FILE))],
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs ``mektup user import``."""
    with complaints():
        found = list(
            numbered(_stdin().read().encode("utf-8", "surrogateescape") if str(file) == "-" else file.read_bytes())
        )
    imported: dict[AccountId, int] = {}

    async def run(store: Store) -> None:
        console = Console(stderr=True)
        for number, octets in track(
            found, told(texts.IMPORTING), console=console, transient=True, disable=not console.is_terminal
        ):
            try:
                await _import_line(store, account(number, octets), imported)
            except PasswdFileError as error:
                problem = texts.IN_LINE.of(file=file, line=number, problem=error.text)
                typer.echo(told(texts.COMPLAINT.of(problem=problem)), err=True)

    try:
        with_store(data, config_file, run, make=True)
    finally:
        typer.echo(told(texts.IMPORTED.of(count=len(imported))))
    if len(imported) < len(found):
        left = len(found) - len(imported)
        raise complain(texts.NOT_IMPORTED.of(file=file, count=left, schemes=schemes.KNOWN))


async def _import_line(store: Store, line: Line, imported: dict[AccountId, int]) -> None:
    """Adds the account of *line*, and notes it in *imported*. Raises PasswdFileError if the line is wrong."""
    directory = store.directory
    entry = await directory.find(line.name)
    if entry is not None and entry.id in imported:
        raise PasswdFileError(texts.NAME_TWICE.of(name=shown(line.name), line=imported[entry.id]))
    try:
        if entry is None:
            require_account_name(line.name)
    except Refused as error:
        raise PasswdFileError(error.text) from error
    try:
        secrets = await asyncio.to_thread(passwords.imported_secrets, line.secret)
    except Refused as error:
        raise PasswdFileError(ABOUT.of(place=shown(line.name), problem=error.text)) from error
    if entry is None:
        entry = await directory.add(line.name, secrets)
    else:
        entry = await directory.set_secrets(line.name, secrets)
    imported[entry.id] = line.number


def _stdin() -> TextIO:
    """Standard input as UTF-8, independent of the locale; octets that are not UTF-8 are kept as surrogates."""
    if sys.stdin is None:
        raise complain(texts.STDIN_CLOSED)
    return typer.get_text_stream("stdin", encoding="utf-8", errors="surrogateescape")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return _stdin().readline().rstrip("\r\n")
    with warnings.catch_warnings():
        # without a terminal the password cannot be hidden
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return str(
                typer.prompt(told(texts.PASSWORD), hide_input=True, confirmation_prompt=told(texts.PASSWORD_AGAIN))
            )
        except getpass.GetPassWarning:
            raise complain(texts.NO_TERMINAL) from None


EVERY = typer.Option("--all", help=str(texts.ALL))


def renew(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", callback=_text_or_none, autocompletion=account_names)
    ] = None,
    every: Annotated[bool, EVERY] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs ``mektup user renew``."""
    count = _with_each(name, every, data, config_file, lambda mail: mail.renew())
    typer.echo(told(texts.RENEWED_ALL.of(count=count) if name is None else texts.RENEWED.of(name=name)))


def compact(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", callback=_text_or_none, autocompletion=account_names)
    ] = None,
    every: Annotated[bool, EVERY] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs ``mektup user compact``."""
    with complaints():
        require_files(data_and_config(data, config_file)[1], "user compact")
    count = _with_each(name, every, data, config_file, lambda mail: mail.compact())
    typer.echo(told(texts.COMPACTED_ALL.of(count=count) if name is None else texts.COMPACTED.of(name=name)))


async def renew_all(directory: Path) -> int:
    """Does what ``renew --all`` does for a data directory; returns the number of accounts."""
    async with opened_store(directory) as store:
        return await _every(store, lambda mail: mail.renew())


async def _every(store: Store, do: Callable[[Account], Coroutine[Any, Any, None]]) -> int:
    count = 0
    async for entry in all_entries(store.directory):
        await do(await store.account(entry))
        count += 1
    return count


def _with_each(
    name: str | None,
    every: bool,
    data: Path | None,
    config_file: Path | None,
    do: Callable[[Account], Coroutine[Any, Any, None]],
) -> int:
    if (name is None) is not every:
        raise complain(texts.NAME_OR_ALL, WRONG_USAGE)
    count = 0

    async def run(store: Store) -> None:
        nonlocal count
        if name is None:
            count = await _every(store, do)
        elif (found := await store.directory.find(name)) is not None:
            await do(await store.account(found))
            count = 1
        else:
            raise complain(texts.NO_ACCOUNT.of(name=name))

    with_store(data, config_file, run)
    return count
