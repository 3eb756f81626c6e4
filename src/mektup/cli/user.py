"""``mektup user``: adds, lists, changes and removes accounts. A running server sees the change at once."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.progress import track

from mektup.auth import passwords, schemes
from mektup.cli.complaints import complain, complaints, counted
from mektup.cli.options import ConfigFile, DataDirectory, data_directory, said_whose
from mektup.cli.passwd_file import Line, PasswdFileError, account, numbered
from mektup.server import accounts
from mektup.server.bus import Bus
from mektup.store.interface import Account, Store
from mektup.store.sqlite import Reserve, open_store
from mektup.terms.account_names import require_account_name, shown
from mektup.terms.errors import Refused
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import AccountId


def _text(name: str) -> str:
    """Decodes the typed octets of *name* as UTF-8, independent of the locale."""
    try:
        return os.fsencode(name).decode()
    except UnicodeError:
        raise typer.BadParameter("it is not UTF-8") from None


def _text_or_none(name: str | None) -> str | None:
    return None if name is None else _text(name)


Name = Annotated[str, typer.Argument(metavar="NAME", help="linda, or linda@example.org", callback=_text)]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Take the password from the first line of standard input.")
]


def register(app: typer.Typer) -> None:
    """Adds the command and its subcommands to *app*."""
    group = typer.Typer(
        help="Accounts: add, list, passwd, remove, import, renew, compact.", no_args_is_help=True, rich_markup_mode=None
    )
    for name, command in (
        ("add", add),
        ("list", list_),
        ("passwd", passwd),
        ("remove", remove),
        ("import", import_),
        ("renew", renew),
        ("compact", compact),
    ):
        group.command(name)(command)
    app.add_typer(group, name="user")


def add(
    name: Name, password_stdin: PasswordStdin = False, data: DataDirectory = None, config_file: ConfigFile = None
) -> None:
    """Add an account, with INBOX, Drafts, Sent, Junk, Trash and Archive."""

    async def run(store: Store) -> None:
        # checks the name before it asks for a password
        if await store.directory.find(name) is not None:
            raise complain(f"there is an account {name} already; mektup user passwd changes its password")
        secrets = await asyncio.to_thread(passwords.secrets_for, _password(password_stdin))
        await store.directory.add(name, secrets)

    with complaints():
        require_account_name(name)
    _with_store(data, config_file, run, make=True)
    typer.echo(f"added {name}")


def list_(data: DataDirectory = None, config_file: ConfigFile = None) -> None:
    """List the accounts, one name a line."""

    async def run(store: Store) -> None:
        for entry in await store.directory.entries():
            typer.echo(entry.name)

    _with_store(data, config_file, run)


def passwd(
    name: Name, password_stdin: PasswordStdin = False, data: DataDirectory = None, config_file: ConfigFile = None
) -> None:
    """Change an account's password."""

    async def run(store: Store) -> None:
        if await store.directory.find(name) is None:
            raise complain(f"there is no account {name}")
        await accounts.set_password(store, name, _password(password_stdin))

    _with_store(data, config_file, run)
    typer.echo(f"changed the password of {name}")


def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Remove an account and all of its mail."""

    async def run(store: Store) -> None:
        if await store.directory.find(name) is None:
            raise complain(f"there is no account {name}")
        if not yes and not typer.confirm(f"Remove {name} and all of its mail?"):
            raise complain("nothing was removed")
        await store.directory.remove(name)

    _with_store(data, config_file, run)
    typer.echo(f"removed {name}")


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", readable=False, help="name:{SCHEME}secret a line, - for standard input")
    ],
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Add accounts from a passwd-file, {PLAIN} and hashes alike; those that are there get the new password.

    A line that cannot be imported is named, the others are imported, and the exit status is 1.
    """
    with complaints():
        found = list(
            numbered(_stdin().read().encode("utf-8", "surrogateescape") if str(file) == "-" else file.read_bytes())
        )
    imported: dict[AccountId, int] = {}

    async def run(store: Store) -> None:
        console = Console(stderr=True)
        for number, octets in track(
            found, "importing", console=console, transient=True, disable=not console.is_terminal
        ):
            try:
                await _import_line(store, account(number, octets), imported)
            except PasswdFileError as error:
                typer.echo(f"mektup: {file}: line {number}: {error}", err=True)

    try:
        _with_store(data, config_file, run, make=True)
    finally:
        typer.echo(f"imported {counted(len(imported), 'account')}")
    if len(imported) < len(found):
        left = len(found) - len(imported)
        was = "was" if left == 1 else "were"
        raise complain(
            f"{file}: {counted(left, 'line')} {was} not imported; the schemes that are known: {schemes.KNOWN}"
        )


async def _import_line(store: Store, line: Line, imported: dict[AccountId, int]) -> None:
    """Adds the account of *line*, and notes it in *imported*. Raises PasswdFileError if the line is wrong."""
    directory = store.directory
    entry = await directory.find(line.name)
    if entry is not None and entry.id in imported:
        raise PasswdFileError(f"{shown(line.name)} stands in line {imported[entry.id]} already")
    try:
        if entry is None:
            require_account_name(line.name)
    except Refused as error:
        raise PasswdFileError(str(error)) from error
    try:
        secrets = await asyncio.to_thread(passwords.imported_secrets, line.secret)
    except Refused as error:
        raise PasswdFileError(f"{shown(line.name)}: {error}") from error
    if entry is None:
        entry = await directory.add(line.name, secrets)
    else:
        entry = await directory.set_secrets(line.name, secrets)
    imported[entry.id] = line.number


def _stdin() -> TextIO:
    """Standard input as UTF-8, independent of the locale; octets that are not UTF-8 are kept as surrogates."""
    if sys.stdin is None:
        raise complain("standard input is closed")
    return typer.get_text_stream("stdin", encoding="utf-8", errors="surrogateescape")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return _stdin().readline().rstrip("\r\n")
    with warnings.catch_warnings():
        # without a terminal the password cannot be hidden
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
        except getpass.GetPassWarning:
            raise complain(
                "there is no terminal to ask for the password; --password-stdin takes it from a pipe"
            ) from None


EVERY = typer.Option("--all", help="All accounts.")


def renew(
    name: Annotated[str | None, typer.Argument(metavar="NAME", callback=_text_or_none)] = None,
    every: Annotated[bool, EVERY] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """An older copy was put back: give every mailbox a new UIDVALIDITY, so that clients fetch what is there."""
    count = _with_each(name, every, data, config_file, lambda mail: mail.renew())
    typer.echo(f"renewed {name or counted(count, 'account')}")


def compact(
    name: Annotated[str | None, typer.Argument(metavar="NAME", callback=_text_or_none)] = None,
    every: Annotated[bool, EVERY] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Write an account's file anew, without the room that removed mail took; who writes to it meanwhile waits."""
    count = _with_each(name, every, data, config_file, lambda mail: mail.compact())
    typer.echo(f"compacted {name or counted(count, 'account')}")


async def renew_all(directory: Path) -> int:
    """Does what ``renew --all`` does for a data directory; returns the number of accounts."""
    async with _opened(directory) as store:
        return await _each(store, None, lambda mail: mail.renew())


async def _each(store: Store, name: str | None, do: Callable[[Account], Coroutine[Any, Any, None]]) -> int:
    entries = [entry for entry in await store.directory.entries() if name is None or entry.name == name]
    for entry in entries:
        await do(await store.account(entry.id))
    return len(entries)


def _with_each(
    name: str | None,
    every: bool,
    data: Path | None,
    config_file: Path | None,
    do: Callable[[Account], Coroutine[Any, Any, None]],
) -> int:
    if (name is None) is not every:
        raise typer.BadParameter("give either the NAME of an account or --all", param_hint="NAME")
    count = 0

    async def run(store: Store) -> None:
        nonlocal count
        entry = None if name is None else await store.directory.find(name)
        if name is not None and entry is None:
            raise complain(f"there is no account {name}")
        count = await _each(store, None if entry is None else entry.name, do)

    _with_store(data, config_file, run)
    return count


def _with_store(
    data: Path | None,
    config_file: Path | None,
    run: Callable[[Store], Coroutine[Any, Any, None]],
    *,
    make: bool = False,
) -> None:
    with complaints():
        directory = data_directory(data, config_file)
        if not make:
            _require_accounts(directory)

        async def within() -> None:
            async with _opened(directory) as store:
                await run(store)

        with said_whose(directory):
            asyncio.run(within())


def _require_accounts(directory: Path) -> None:
    """Complains if *directory* is not a data directory, so that a wrong path is noticed and nothing is made there."""
    where = "--data or --config says where the accounts are"
    if not directory.exists():
        raise complain(f"{directory} is not there: {where}")
    if not directory.is_dir():
        raise complain(f"{directory} is no directory: {where}")
    if not (directory / "mektup.db").exists() and any(directory.iterdir()):
        raise complain(f"{directory} has no accounts of mektup: {where}")


@asynccontextmanager
async def _opened(directory: Path) -> AsyncIterator[Store]:
    bus = Bus(directory)
    try:
        store = await open_store(directory, bus=bus, limits=DEFAULT_LIMITS, reserve=Reserve(directory))
        try:
            await store.tidy()
            yield store
        finally:
            await store.close()
    finally:
        bus.close()
