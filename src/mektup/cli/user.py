"""``mektup user``: accounts are added, listed, changed and removed; a running server sees it at once."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from mektup.auth import passwords
from mektup.cli.complaints import complain, complaints
from mektup.cli.options import DEFAULT_DATA, ConfigFile, DataDirectory, refuse_both
from mektup.cli.passwd_file import PasswdFileError, lines
from mektup.server import accounts, config
from mektup.server.bus import Bus
from mektup.store.interface import Store
from mektup.store.sqlite import open_store
from mektup.terms.errors import Refused
from mektup.terms.limits import DEFAULT_LIMITS

Name = Annotated[str, typer.Argument(metavar="NAME", help="linda, or linda@example.org")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Take the password from the first line of standard input.")
]


def register(app: typer.Typer) -> None:
    """Adds the command and its subcommands to *app*."""
    group = typer.Typer(
        help="Accounts: add, list, passwd, remove, import.", no_args_is_help=True, rich_markup_mode=None
    )
    for name, command in (
        ("add", add),
        ("list", list_),
        ("passwd", passwd),
        ("remove", remove),
        ("import", import_),
    ):
        group.command(name)(command)
    app.add_typer(group, name="user")


def add(
    name: Name, password_stdin: PasswordStdin = False, data: DataDirectory = None, config_file: ConfigFile = None
) -> None:
    """Add an account, with INBOX, Drafts, Sent, Junk, Trash and Archive."""

    async def run(store: Store) -> None:
        secrets = await asyncio.to_thread(passwords.secrets_for, _password(password_stdin))
        await store.directory.add(name, secrets)

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
    file: Annotated[Path, typer.Argument(metavar="FILE", help="name:{SCHEME}secret a line, - for standard input")],
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Add accounts from a passwd-file, {PLAIN} and hashes alike; those that are there get the new password."""
    try:
        with complaints():
            text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        found = list(lines(text))
    except (PasswdFileError, UnicodeDecodeError) as error:
        raise complain(f"{file}: {error}") from error

    async def run(store: Store) -> None:
        console = Console(stderr=True)
        for line in track(found, "importing", console=console, transient=True, disable=not console.is_terminal):
            try:
                secrets = await asyncio.to_thread(passwords.imported_secrets, line.secret)
                if await store.directory.find(line.name) is None:
                    await store.directory.add(line.name, secrets)
                else:
                    await store.directory.set_secrets(line.name, secrets)
            except Refused as error:
                raise complain(
                    f"{file}: line {line.number}: {line.name}: {error}; the lines before it are in"
                ) from error

    _with_store(data, config_file, run, make=True)
    typer.echo(f"imported {len(found)} accounts")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _with_store(
    data: Path | None,
    config_file: Path | None,
    run: Callable[[Store], Coroutine[Any, Any, None]],
    *,
    make: bool = False,
) -> None:
    refuse_both(data, config_file)
    with complaints():
        directory = config.load(config_file).data if config_file is not None else data or DEFAULT_DATA
        assert directory is not None
        if not make and not directory.is_dir():
            raise complain(f"{directory} is not there: --data or --config says where the accounts are")

        async def within() -> None:
            async with _opened(directory) as store:
                await run(store)

        is_new = not directory.exists()
        asyncio.run(within())
        if is_new and os.geteuid() == 0 and directory.stat().st_uid == 0:
            typer.echo(
                f"mektup: {directory} is new and belongs to root; where the server runs as another user, "
                f"give it to that user: chown -R USER {directory}",
                err=True,
            )


@asynccontextmanager
async def _opened(directory: Path) -> AsyncIterator[Store]:
    bus = Bus(directory)
    try:
        store = await open_store(directory, bus=bus, limits=DEFAULT_LIMITS)
        try:
            yield store
        finally:
            await store.close()
    finally:
        bus.close()
