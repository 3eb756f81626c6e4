"""``mektup export``: writes an account, or one mailbox, as Maildir, mbox or .eml files, while servers run or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from mektup.cli import texts
from mektup.cli.complaints import WRONG_USAGE, complain, complaints
from mektup.cli.import_progress import shown_on_terminal
from mektup.cli.language import Command, told
from mektup.cli.opened_store import with_store
from mektup.cli.options import ConfigFile, DataDirectory, typed_text
from mektup.migration.export.eml import EmlTarget
from mektup.migration.export.exporting import Exported, Exporter
from mektup.migration.export.folders import require_new
from mektup.migration.export.maildir import MaildirTarget
from mektup.migration.export.mbox import MboxTarget
from mektup.migration.export.target import Target
from mektup.migration.source import CannotRead
from mektup.store.interface import Store

TARGETS: Final[Mapping[str, Callable[[Path, str | None], Target]]] = {
    "maildir": lambda path, mailbox: MaildirTarget(path),
    "mbox": lambda path, mailbox: MboxTarget(path, one_file=mailbox is not None and not path.is_dir()),
    "eml": lambda path, mailbox: EmlTarget(path),
}

_FORMS: Final = ", ".join(TARGETS)


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("export", help=str(texts.EXPORT), cls=Command)(export)


def _mailbox_or_none(name: str | None) -> str | None:
    return None if name is None else typed_text(name)


def export(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help=str(texts.NAME), callback=typed_text)],
    path: Annotated[Path, typer.Argument(metavar="PATH", readable=False, help=str(texts.EXPORT_PATH))],
    mailbox: Annotated[
        str | None, typer.Option("--mailbox", metavar="NAME", help=str(texts.EXPORT_MAILBOX), callback=_mailbox_or_none)
    ] = None,
    form: Annotated[str, typer.Option("--to", metavar="FORM", help=str(texts.EXPORT_TO.of(forms=_FORMS)))] = "maildir",
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    if form not in TARGETS:
        raise complain(texts.FORM_UNKNOWN.of(form=form, forms=_FORMS), WRONG_USAGE)
    result = Exported()

    async def run(store: Store) -> None:
        entry = await store.directory.find(account)
        if entry is None:
            raise complain(texts.NO_ACCOUNT.of(name=account))
        mail = await store.account(entry)
        target = TARGETS[form](path, mailbox)
        with shown_on_terminal() as shown:
            await Exporter(mail, target, mailbox, shown, shown.tell, result).run()

    with complaints():
        try:
            require_new(path)
        except CannotRead as error:
            raise complain(error.text) from error
    try:
        with_store(data, config_file, run)
    finally:
        typer.echo(told(texts.MAIL_EXPORTED.of(count=result.messages, path=path)))
        if result.vanished:
            typer.echo(told(texts.MAIL_VANISHED.of(count=result.vanished)))
    if result.problems:
        typer.echo(told(texts.NOT_ALL_IMPORTED.of(count=result.problems)))
        raise typer.Exit(1)
