"""``mektup at``: shows the mail of an account as it was at a moment, or writes it to a directory."""

from __future__ import annotations

import json as json_form
import os
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Cell

from mektup.cli import texts
from mektup.cli.complaints import WRONG_USAGE, complain
from mektup.cli.language import Command, told
from mektup.cli.opened_store import with_store
from mektup.cli.options import ConfigFile, DataDirectory, Name, typed_text
from mektup.cli.undelete import FIELDS, WIDE, sender_and_subject
from mektup.store import files
from mektup.store.columns import Column
from mektup.store.interface import Account, Mailbox, Store
from mektup.terms.moment_names import moment_of
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import ContentId
from mektup.terms.printable import escaped
from mektup.terms.sizes import size_shown
from mektup.terms.texts import Text

INDEX: Final = "messages.jsonl"
"""In each exported mailbox, a line of JSON for each message: its file, UID, flags and dates."""

MOST_OCTETS: Final = 1 << 40
"""More than any message has."""


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("at", help=str(texts.AT), cls=Command)(at)


def at(
    name: Name,
    when: Annotated[str, typer.Argument(metavar="WHEN", help=str(texts.AT_WHEN))],
    mailbox: Annotated[str | None, typer.Argument(metavar="[MAILBOX]", help=str(texts.AT_MAILBOX))] = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="DIR", readable=False, help=str(texts.AT_EXPORT))
    ] = None,
    json: Annotated[bool, typer.Option("--json", help=str(texts.UNDELETE_JSON))] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    moment = moment_of(when, time.time())
    if moment is None:
        raise complain(texts.NO_MOMENT.of(text=when), WRONG_USAGE)
    wanted = None if mailbox is None else mailbox_key(typed_text(mailbox))

    async def run(store: Store) -> None:
        entry = await store.directory.find(name)
        if entry is None:
            raise complain(texts.NO_ACCOUNT.of(name=name))
        past = await (await store.account(entry)).at(moment)
        found = list(await past.mailboxes()) if wanted is None else [await past.mailbox(wanted)]
        if export is not None:
            await _export(past, found, export)
        elif wanted is None:
            _tell_mailboxes(found, json=json)
        else:
            await _tell_messages(past, found[0], json=json)

    with_store(data, config_file, run)


def _tell_mailboxes(found: list[Mailbox], *, json: bool) -> None:
    if json:
        for each in found:
            row = {"mailbox": each.name, "messages": each.messages, "unseen": each.unseen, "size": each.size}
            typer.echo(json_form.dumps(row))
        return
    rows = [(each.name, str(each.messages), str(each.unseen), size_shown(each.size)) for each in found]
    _draw((texts.MAILBOX_COLUMN, texts.MESSAGES, texts.UNSEEN_COLUMN, texts.SIZE_COLUMN), rows)


async def _tell_messages(past: Account, mailbox: Mailbox, *, json: bool) -> None:
    rows: list[tuple[str, ...]] = []
    async with aclosing(_messages(past, mailbox)) as messages:
        async for each, _ in messages:
            if json:
                typer.echo(json_form.dumps(each))
            else:
                flags = " ".join(each["flags"])
                rows.append((str(each["uid"]), flags, each["internaldate"], each["from"], each["subject"]))
    columns = texts.UID_COLUMN, texts.FLAGS_COLUMN, texts.DATE_COLUMN, texts.FROM_COLUMN, texts.SUBJECT_COLUMN
    if not json:
        _draw(columns, rows)


async def _messages(past: Account, mailbox: Mailbox) -> AsyncGenerator[tuple[dict[str, Any], ContentId], None]:
    """What the messages of *mailbox* are, and their contents."""
    selection = await past.select(mailbox.name, claim_recent=False)
    columns = (Column.FLAGS, Column.INTERNALDATE, Column.SIZE, Column.CONTENT, FIELDS)
    async with aclosing(past.fetch(selection.mailbox.id, selection.uids, columns)) as slices:
        async for rows in slices:
            for uid, word, date, size, content, literal in rows:
                sender, subject = sender_and_subject(literal)
                row = {
                    "uid": uid,
                    "flags": list(past.flag_names(word)),
                    "internaldate": date.decode().strip('"').strip(),
                    "size": size,
                    "from": sender,
                    "subject": subject,
                }
                yield row, content


def _draw(columns: Sequence[Text], rows: Sequence[Sequence[str]]) -> None:
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=WIDE)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(told(column), overflow="fold")
    for row in rows:
        table.add_row(*(Cell(escaped(value)) for value in row))
    console.print(table)


async def _export(past: Account, found: list[Mailbox], target: Path) -> None:
    _require_empty(target)
    count = 0
    for mailbox in found:
        if mailbox.selectable:
            directory = target / _as_file_name(mailbox.name)
            files.make_directory(directory)
            count += await _export_mailbox(past, mailbox, directory)
    typer.echo(told(texts.EXPORTED.of(count=count, directory=target)))


async def _export_mailbox(past: Account, mailbox: Mailbox, directory: Path) -> int:
    """Writes the messages of *mailbox*; returns their number."""
    count = 0
    with ExitStack() as stack:
        index = stack.enter_context(_new_file(directory / INDEX))
        async with aclosing(_messages(past, mailbox)) as messages:
            async for each, content in messages:
                name = f"{each['uid']}.eml"
                with _new_file(directory / name) as file:
                    async with aclosing(past.content(content, 0, MOST_OCTETS)) as pieces:
                        async for piece in pieces:
                            file.write(piece)
                index.write(json_form.dumps({"file": name, **each}).encode() + b"\n")
                count += 1
    return count


def _require_empty(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise complain(texts.EXPORT_NOT_EMPTY.of(directory=target))
    files.make_directory(target)


def _new_file(path: Path) -> BinaryIO:
    """A new file that only its owner can read."""
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, files.FILE_MODE))


def _as_file_name(name: str) -> str:
    """The name of a mailbox as the name of one directory, whatever it contains."""
    safe = quote(name, safe=" @+,=")
    return safe.replace(".", "%2E") if safe.startswith(".") else safe
