"""The subcommands of ``mektup backup``."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from mektup.backup.manifests import Run, SavedAccount, shown, stamp_of
from mektup.backup.pruning import prune as prune_shelf
from mektup.backup.shelf import Objects, Shelf, open_shelf, salvage
from mektup.backup.taking import Done, Taking, chosen
from mektup.backup.targets import DirectoryTarget, TarTarget
from mektup.backup.texts import IN_DATA, SALVAGED
from mektup.backup.verifying import Verifying
from mektup.cli.backup import texts
from mektup.cli.backup.reading import json_line, read_data
from mektup.cli.bar import Bar
from mektup.cli.complaints import WRONG_USAGE, complain, complaints
from mektup.cli.language import Command, Group, told
from mektup.cli.options import (
    ConfigFile,
    DataDirectory,
    data_and_config,
    require_accounts,
    require_files,
    store_of,
    typed_text,
)
from mektup.cli.texts import BACKUP, BACKUP_DIR, COMPLAINT, COPIED, JSON, NO_DATA_DIRECTORY
from mektup.server.store_config import Engine, StoreConfig
from mektup.store.interface import Store
from mektup.store.sqlite import back_up_all, own_files
from mektup.terms.errors import Code, Refused
from mektup.terms.sizes import size_shown
from mektup.terms.texts import Text

BackupDir = Annotated[Path, typer.Argument(metavar="DIR", readable=False, help=str(texts.DIR))]
Accounts = Annotated[list[str] | None, typer.Option("--account", metavar="NAME", help=str(texts.ACCOUNT))]
Json = Annotated[bool, typer.Option("--json", help=str(JSON))]

TAR = Path("-")


class CommandOrDirectory(Group):
    """``mektup backup DIR`` copies the files, as it always did: scripts use it."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Puts ``copy`` before what is no subcommand."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["copy", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Adds the command and its subcommands to *app*."""
    group = typer.Typer(cls=CommandOrDirectory, help=str(BACKUP), no_args_is_help=True, rich_markup_mode=None)
    for name, command, text in (
        ("create", create, texts.CREATE),
        ("list", list_, texts.LIST),
        ("verify", verify, texts.VERIFY),
        ("prune", prune, texts.PRUNE),
        ("copy", copy, texts.COPY),
    ):
        group.command(name, help=str(text), cls=Command)(command)
    app.add_typer(group, name="backup")


def copy(
    target: Annotated[Path, typer.Argument(metavar="DIR", readable=False, help=str(BACKUP_DIR))],
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs ``mektup backup copy``."""
    with complaints():
        directory, loaded = data_and_config(data, config_file)
        require_files(loaded, "backup copy")
        if not (directory / "mektup.db").is_file():
            raise complain(NO_DATA_DIRECTORY.of(directory=directory))
        accounts = back_up_all(directory, target)
    typer.echo(told(COPIED.of(count=accounts, directory=target)))


def create(
    target: Annotated[Path, typer.Argument(metavar="DIR", readable=False, help=str(texts.DIR_OR_TAR))],
    accounts: Accounts = None,
    anew: Annotated[bool, typer.Option("--anew", help=str(texts.ANEW))] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs ``mektup backup create``."""
    names = [typed_text(name) for name in accounts or ()]
    with complaints():
        directory, loaded = data_and_config(data, config_file)
        kept = store_of(loaded)
        if kept.engine is Engine.SQLITE:
            require_accounts(directory)
        if target == TAR:
            done = _to_tar(directory, kept, names, anew=anew)
        else:
            if directory.resolve() in (target.resolve(), *target.resolve().parents):
                raise Refused(Code.CANNOT, IN_DATA.of(directory=target, data=directory))
            done = _to_directory(directory, kept, target, names, anew=anew)
    for problem in done.problems:
        _complain(problem)
    said = texts.CREATED.of(
        count=done.accounts,
        directory=target,
        changed=done.changed,
        messages=done.messages,
        size=size_shown(done.octets),
    )
    typer.echo(told(said), err=target == TAR)
    if done.problems:
        raise typer.Exit(1)


def _to_directory(directory: Path, kept: StoreConfig, target: Path, names: list[str], *, anew: bool) -> Done:
    with Bar(texts.WORKING) as bar:

        async def run(store: Store) -> Done:
            shelf = open_shelf(target)
            with shelf.locked():
                for part in shelf.parts():
                    bar.complain(SALVAGED.of(path=part, count=salvage(part)))
                stamp = shelf.next_stamp(int(time.time()))
                to = DirectoryTarget(shelf, Objects(shelf, bar.complain), stamp)
                taking = Taking(store, to, stamp, bar.progress)
                own = own_files(directory)
                return await taking.run(chosen(store, names), own, whole=not names, anew=anew)

        return read_data(directory, run, kept=kept)


def _to_tar(directory: Path, kept: StoreConfig, names: list[str], *, anew: bool) -> Done:
    if sys.stdout.isatty():
        raise complain(texts.NOT_A_TERMINAL, WRONG_USAGE)
    out: BinaryIO = sys.stdout.buffer
    with Bar(texts.WORKING) as bar:

        async def run(store: Store) -> Done:
            stamp = stamp_of(int(time.time()))
            with TarTarget(out, stamp) as to:
                taking = Taking(store, to, stamp, bar.progress)
                return await taking.run(chosen(store, names), own_files(directory), whole=not names, anew=anew)

        done = read_data(directory, run, kept=kept)
    out.flush()
    return done


def _complain(problem: Text) -> None:
    typer.echo(told(COMPLAINT.of(problem=problem)), err=True)


def list_(
    target: BackupDir,
    account: Annotated[str | None, typer.Option("--account", metavar="NAME", help=str(texts.ONE_ACCOUNT))] = None,
    json: Json = False,
) -> None:
    """Runs ``mektup backup list``."""
    name = None if account is None else typed_text(account)
    with complaints():
        shelf = Shelf(target)
        for stamp in shelf.runs():
            run = shelf.run(stamp)
            if name is None:
                typer.echo(json_line(run) if json else told(_run_line(run)))
            elif saved := run.account(name):
                typer.echo(json_line(run, saved) if json else told(_account_line(run, saved)))


def _run_line(run: Run) -> Text:
    return texts.RUN_LINE.of(
        time=shown(run.taken),
        stamp=run.taken,
        count=len(run.accounts),
        messages=sum(each.messages for each in run.accounts),
        size=size_shown(sum(each.size for each in run.accounts)),
        note="" if run.whole else texts.SOME_ACCOUNTS,
    )


def _account_line(run: Run, saved: SavedAccount) -> Text:
    return texts.ACCOUNT_LINE.of(
        time=shown(run.taken),
        stamp=run.taken,
        name=saved.name,
        count=saved.messages,
        size=size_shown(saved.size),
        note=texts.OLDER if saved.failed else "",
    )


def verify(
    target: BackupDir,
    forget: Annotated[bool, typer.Option("--forget-damaged", help=str(texts.FORGET))] = False,
) -> None:
    """Runs ``mektup backup verify``."""
    with complaints():
        shelf = Shelf(target)
        with shelf.locked() if forget else nullcontext(), Bar(texts.WORKING) as bar:
            packs = len(shelf.packs())
            report = Verifying(shelf, lambda path: bar.step(packs), forget=forget).run()
    for problem in report.known:
        typer.echo(told(problem))
    for problem in report.problems:
        typer.echo(told(problem))
    if report.problems:
        raise complain(texts.DAMAGED.of(directory=target, count=len(report.problems)))
    said = texts.CLEAN.of(directory=target, count=report.runs, objects=report.objects, size=size_shown(report.octets))
    typer.echo(told(said))


def prune(
    target: BackupDir,
    keep: Annotated[int, typer.Option("--keep", metavar="N", help=str(texts.KEEP))],
) -> None:
    """Runs ``mektup backup prune``."""
    if keep < 1:
        raise complain(texts.ONE_OR_MORE, WRONG_USAGE)
    with complaints():
        shelf = Shelf(target)
        with shelf.locked():
            pruned = prune_shelf(shelf, keep, shelf.next_stamp(int(time.time())))
    said = texts.PRUNED.of(count=pruned.runs, directory=target, size=size_shown(max(0, pruned.octets)))
    typer.echo(told(said))
