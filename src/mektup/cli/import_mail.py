"""``mektup import``: brings mail from elsewhere into an account, while servers run or not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from mektup.cli import texts
from mektup.cli.complaints import WRONG_USAGE, complain, complaints
from mektup.cli.import_imap import ImapOptions, import_user, import_users
from mektup.cli.import_progress import Shown, shown_on_terminal, summary
from mektup.cli.language import Command, told
from mektup.cli.opened_store import with_store
from mektup.cli.options import ConfigFile, DataDirectory, data_and_limits, typed_text
from mektup.migration.files import OnDisk
from mektup.migration.imap.endpoint import is_endpoint
from mektup.migration.importing import Importer, Plan, Result
from mektup.migration.recognising import KINDS, source_of
from mektup.migration.source import CannotRead, Source
from mektup.store.interface import Store
from mektup.store.spool import Spool
from mektup.terms.limits import Limits
from mektup.terms.texts import Text

_KINDS = ", ".join(KINDS)


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("import", help=str(texts.IMPORT), cls=Command)(import_mail)


def _text_or_none(name: str | None) -> str | None:
    return None if name is None else typed_text(name)


def _texts(names: list[str] | None) -> list[str]:
    return [typed_text(each) for each in names or []]


Names = list[str] | None
File = Path | None


def _file(option: str, text: Text) -> Any:
    return typer.Option(option, metavar="FILE", readable=False, help=str(text))


def import_mail(
    account: Annotated[
        str | None, typer.Argument(metavar="[ACCOUNT]", help=str(texts.NAME), show_default=False)
    ] = None,
    path: Annotated[str | None, typer.Argument(metavar="PATH", help=str(texts.IMPORT_PATH), show_default=False)] = None,
    into: Annotated[
        str | None, typer.Option("--into", metavar="MAILBOX", help=str(texts.IMPORT_INTO), callback=_text_or_none)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=str(texts.IMPORT_DRY_RUN))] = False,
    kind: Annotated[
        str | None, typer.Option("--from", metavar="KIND", help=str(texts.IMPORT_FROM.of(kinds=_KINDS)))
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help=str(texts.IMPORT_FOLLOW))] = False,
    mailboxes: Annotated[Names, typer.Option("--mailbox", metavar="NAME", help=str(texts.IMPORT_MAILBOX))] = None,
    skip: Annotated[Names, typer.Option("--skip", metavar="NAME", help=str(texts.IMPORT_SKIP))] = None,
    password_file: Annotated[File, _file("--password-file", texts.IMPORT_PASSWORD_FILE)] = None,
    token_file: Annotated[File, _file("--token-file", texts.IMPORT_TOKEN_FILE)] = None,
    master: Annotated[str | None, typer.Option("--master", metavar="NAME", help=str(texts.IMPORT_MASTER))] = None,
    login: Annotated[str | None, typer.Option("--login", metavar="MECHANISM", help=str(texts.IMPORT_LOGIN))] = None,
    ca_file: Annotated[File, _file("--ca-file", texts.IMPORT_CA_FILE)] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help=str(texts.IMPORT_INSECURE))] = False,
    sharing: Annotated[bool, typer.Option("--sharing/--no-sharing", help=str(texts.IMPORT_SHARING))] = True,
    users: Annotated[File, _file("--users", texts.IMPORT_USERS)] = None,
    jobs: Annotated[int, typer.Option("--jobs", metavar="NUMBER", help=str(texts.IMPORT_JOBS))] = 4,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    if account is None or (path is None) != (users is not None):
        raise complain(texts.USERS_OR_ACCOUNT, WRONG_USAGE)
    name = typed_text(account)
    over_imap = ImapOptions(
        _texts(mailboxes), _texts(skip), password_file, token_file, master, login, ca_file, insecure, sharing
    )
    plan = Plan(into=into, follow=follow, dry_run=dry_run)
    if users is not None:
        import_users(users, name, over_imap, plan, jobs, data, config_file)
        return
    assert path is not None
    if is_endpoint(path):
        if kind is not None:
            raise complain(texts.ONLY_FOR_FILES, WRONG_USAGE)
        import_user(name, typed_text(path), over_imap, plan, data, config_file)
    else:
        if over_imap != ImapOptions():
            raise complain(texts.ONLY_FOR_SERVERS, WRONG_USAGE)
        _import_files(name, Path(path), kind, plan, data, config_file)


def _import_files(
    account: str, path: Path, kind: str | None, plan: Plan, data: Path | None, config_file: Path | None
) -> None:
    if kind is not None and kind not in KINDS:
        raise complain(texts.KIND_UNKNOWN.of(kind=kind, kinds=_KINDS), WRONG_USAGE)
    with complaints():
        limits = data_and_limits(data, config_file)[1]
    result = Result()

    async def run(store: Store) -> None:
        with shown_on_terminal() as shown:
            try:
                found, source = await asyncio.to_thread(source_of, path, kind, limits, shown.tell)
            except CannotRead as error:
                raise complain(error.text) from error
            shown.say(texts.READING_AS.of(path=path, kind=found))
            await import_into(store, account, OnDisk(source), plan, limits, shown, result)

    with_store(data, config_file, run)
    if result.problems:
        raise typer.Exit(1)


async def import_into(
    store: Store, name: str, source: Source, plan: Plan, limits: Limits, shown: Shown, result: Result
) -> None:
    """Imports *source* into the account *name*; *result* has what was done, also where this raises. Says it at the end.

    Raises Refused, and complains where there is no such account or where the source cannot be read at all.
    """
    entry = await store.directory.find(name)
    if entry is None:
        raise complain(texts.NO_ACCOUNT.of(name=name))
    account = await store.account(entry)
    importer = Importer(
        account, source, plan, limits, shown, shown.tell, lambda: Spool(limit=limits.message_bytes), result
    )
    try:
        await importer.run()
    except CannotRead as error:
        raise complain(error.text) from error
    finally:
        await source.close()
        result.problems = max(result.problems, shown.problems)
        shown.finish()
        for text in summary(result, dry_run=plan.dry_run):
            typer.echo(told(text))
