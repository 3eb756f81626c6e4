"""``mektup restore``: restores a backup, to a new data directory or into one that is in use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from mektup.backup import unfinished
from mektup.backup.accounts import Accounts, find_run, restore_everything
from mektup.backup.manifests import Run, shown, stamp_at
from mektup.backup.restoring import Restored, Wish
from mektup.backup.shelf import Shelf, is_backup
from mektup.cli import texts
from mektup.cli.backup import texts as backup_texts
from mektup.cli.backup.reading import read_data
from mektup.cli.bar import Bar
from mektup.cli.complaints import WRONG_USAGE, complain, complaints
from mektup.cli.language import Command, told
from mektup.cli.options import (
    ConfigFile,
    DataDirectory,
    data_and_config,
    require_accounts,
    require_files,
    said_whose,
    store_of,
    typed_text,
)
from mektup.cli.user import renew_all
from mektup.server.config import Config
from mektup.server.store_config import Engine
from mektup.store import files
from mektup.store.interface import Store
from mektup.store.sqlite import require_empty, restore_all, write_own_files
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.names import mailbox_key
from mektup.terms.texts import Text


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("restore", help=str(texts.RESTORE), cls=Command)(restore)


def _option(name: str, metavar: str, text: Text) -> Any:
    return typer.Option(name, metavar=metavar, help=str(text))


def restore(
    backup: Annotated[Path, typer.Argument(metavar="DIR", readable=False, help=str(texts.RESTORE_DIR))],
    account: Annotated[str | None, _option("--account", "NAME", backup_texts.RESTORE_ACCOUNT)] = None,
    as_name: Annotated[str | None, _option("--as", "NAME", backup_texts.RESTORE_AS)] = None,
    mailbox: Annotated[str | None, _option("--mailbox", "NAME", backup_texts.RESTORE_MAILBOX)] = None,
    uid: Annotated[int | None, _option("--uid", "UID", backup_texts.RESTORE_UID)] = None,
    message_id: Annotated[str | None, _option("--message-id", "ID", backup_texts.RESTORE_MESSAGE_ID)] = None,
    at: Annotated[str | None, _option("--at", "TIME", backup_texts.RESTORE_AT)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=str(backup_texts.DRY_RUN))] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    given = {
        "--as": as_name,
        "--mailbox": mailbox,
        "--uid": uid,
        "--message-id": message_id,
        "--dry-run": dry_run or None,
    }
    options = [option for option, value in given.items() if value is not None]
    if account is None and options:
        raise complain(backup_texts.ONLY_WITH_ACCOUNT.of(option=options[0]), WRONG_USAGE)
    if uid is not None and mailbox is None:
        raise complain(backup_texts.ONLY_WITH_MAILBOX, WRONG_USAGE)
    with complaints():
        directory, config = data_and_config(data, config_file)
        if not is_backup(backup):
            if account is not None or at is not None:
                option = "--at" if account is None else "--account"
                raise complain(backup_texts.ONLY_NEW_FORMAT.of(directory=backup, option=option), WRONG_USAGE)
            require_files(config, "restore")
            _restore_copy(backup, directory)
            return
        stamp = None if at is None else stamp_at(at)
        if account is None:
            require_files(config, "restore")
            _restore_all(backup, directory, config, stamp)
            return
        if store_of(config).engine is Engine.SQLITE:
            require_accounts(directory)
        name = typed_text(account)
        wish = Wish(
            None if mailbox is None else mailbox_key(typed_text(mailbox)),
            uid,
            None if message_id is None else message_id.strip().removeprefix("<").removesuffix(">"),
        )
        into = name if as_name is None else typed_text(as_name)
        _restore_account(backup, directory, config, stamp, name, into, wish, dry=dry_run)


def _restore_copy(backup: Path, directory: Path) -> None:
    with said_whose(directory):
        restore_all(backup, directory)
        accounts = asyncio.run(renew_all(directory))
    typer.echo(told(texts.RESTORED.of(count=accounts, directory=directory)))


def _restore_account(
    backup: Path, directory: Path, config: Config | None, at: str | None, name: str, into: str, wish: Wish, *, dry: bool
) -> None:
    shelf = Shelf(backup)
    run = find_run(shelf, at, name)
    saved = run.account(name)
    assert saved is not None
    with Bar(backup_texts.WORKING) as bar:

        async def work(store: Store) -> None:
            limits = DEFAULT_LIMITS if config is None else config.limits
            accounts = Accounts(store, shelf, run, limits, bar.progress)
            with ExitStack() as ending:
                ending.callback(_report, accounts, bar)
                _say(bar, into, await accounts.into(saved, into, wish, dry=dry), dry=dry)

            _require_all(accounts)

        _in_store(directory, config, work)


def _restore_all(backup: Path, directory: Path, config: Config | None, at: str | None) -> None:
    shelf = Shelf(backup)
    run = find_run(shelf, at, None)
    mark = directory / unfinished.MARK
    if unfinished.is_unfinished(directory):
        stamp = mark.read_text(encoding="ascii")
        if at is None:
            run = find_run(shelf, stamp, None)
        if run.taken != stamp:
            raise complain(backup_texts.UNFINISHED_OTHER.of(directory=directory, time=shown(stamp)))
    else:
        require_empty(directory)
    with said_whose(directory), Bar(backup_texts.WORKING) as bar:
        files.make_directory(directory)
        files.write(mark, run.taken.encode("ascii"))
        _in_store(directory, config, lambda store: _everything(store, shelf, run, config, bar))
        write_own_files(directory, run.files)
        mark.unlink()
        files.sync(directory)
    typer.echo(told(texts.RESTORED.of(count=len(run.accounts), directory=directory)))


async def _everything(store: Store, shelf: Shelf, run: Run, config: Config | None, bar: Bar) -> None:
    accounts = Accounts(store, shelf, run, DEFAULT_LIMITS if config is None else config.limits, bar.progress)
    with ExitStack() as ending:
        ending.callback(_report, accounts, bar)
        async for name, restored in restore_everything(accounts, store, run):
            _say(bar, name, restored, dry=False)
    _require_all(accounts)


def _in_store(directory: Path, config: Config | None, work: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
    if config is None:
        read_data(directory, work)
    else:
        read_data(directory, work, config.quota, config.limits, config.compression, config.store)


def _say(bar: Bar, name: str, restored: Restored, *, dry: bool) -> None:
    added, there, flags, made = restored.added, restored.there, restored.flags, restored.mailboxes
    if dry:
        said = backup_texts.WOULD_RESTORE.of(name=name, count=added, there=there, flags=flags, mailboxes=made)
    else:
        said = backup_texts.RESTORED.of(name=name, count=added, there=there, flags=flags, mailboxes=made)
    bar.print(said)


def _report(accounts: Accounts, bar: Bar) -> None:
    accounts.close()
    for problem in accounts.problems:
        bar.complain(problem)


def _require_all(accounts: Accounts) -> None:
    """Ends with status 1 where something was not restored."""
    if accounts.problems:
        raise complain(backup_texts.MANY_PROBLEMS.of(count=len(accounts.problems)))
