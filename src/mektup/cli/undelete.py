"""``mektup undelete``: lists expunged messages that are still kept, brings them back, or really removes them."""

from __future__ import annotations

import json as json_form
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Cell

from mektup.cli import texts
from mektup.cli.complaints import WRONG_USAGE, complain
from mektup.cli.language import Command, told
from mektup.cli.opened_store import with_store
from mektup.cli.options import ConfigFile, DataDirectory, Name, typed_text
from mektup.message.headers import field_text, field_values
from mektup.store.columns import HeaderFields
from mektup.store.interface import Account, Store
from mektup.store.retention import DELETED_MAIL, DeletedMessage, Restored
from mektup.terms.moment_names import moment_of, moment_shown
from mektup.terms.names import mailbox_key
from mektup.terms.printable import escaped
from mektup.terms.search import AddressField, And, InAddress, InSubject, SearchKey
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sizes import size_shown

AT_ONCE: Final = 1000
"""How many messages are brought back or removed in a transaction."""

WIDE: Final = 1000
"""The width of the table where it is not for a terminal, so that no line is broken."""

FIELDS: Final = HeaderFields(frozenset({b"from", b"subject"}))

_COLUMNS: Final = (
    texts.REMOVED_AT_COLUMN,
    texts.MAILBOX_COLUMN,
    texts.UID_COLUMN,
    texts.SIZE_COLUMN,
    texts.FROM_COLUMN,
    texts.SUBJECT_COLUMN,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The messages that the options mean."""

    mailbox: str | None
    since: int | None
    uids: Uids | None
    keys: tuple[SearchKey, ...]

    def has(self, message: DeletedMessage) -> bool:
        """Whether *message* is meant, as far as its text does not matter."""
        return (
            (self.mailbox is None or message.mailbox == self.mailbox)
            and (self.since is None or message.removed >= self.since)
            and (self.uids is None or message.uid in self.uids)
        )


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("undelete", help=str(texts.UNDELETE), cls=Command)(undelete)


def undelete(
    name: Name,
    mailbox: Annotated[str | None, typer.Option(metavar="MAILBOX", help=str(texts.UNDELETE_MAILBOX))] = None,
    since: Annotated[str | None, typer.Option(metavar="WHEN", help=str(texts.UNDELETE_SINCE))] = None,
    sender: Annotated[str | None, typer.Option("--from", metavar="TEXT", help=str(texts.UNDELETE_FROM))] = None,
    subject: Annotated[str | None, typer.Option(metavar="TEXT", help=str(texts.UNDELETE_SUBJECT))] = None,
    uid: Annotated[str | None, typer.Option(metavar="SET", help=str(texts.UNDELETE_UID))] = None,
    every: Annotated[bool, typer.Option("--all", help=str(texts.UNDELETE_ALL))] = False,
    to: Annotated[str | None, typer.Option(metavar="MAILBOX", help=str(texts.UNDELETE_TO))] = None,
    listing: Annotated[bool, typer.Option("--list", help=str(texts.UNDELETE_LIST))] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=str(texts.UNDELETE_DRY_RUN))] = False,
    forget: Annotated[bool, typer.Option("--forget", help=str(texts.UNDELETE_FORGET))] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=str(texts.YES))] = False,
    json: Annotated[bool, typer.Option("--json", help=str(texts.UNDELETE_JSON))] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    filters = (mailbox, since, sender, subject, uid)
    if not listing and not every and all(each is None for each in filters):
        raise complain(texts.UNDELETE_WHAT, WRONG_USAGE)
    wanted = _wanted(mailbox, since, sender, subject, uid)
    target = None if to is None else mailbox_key(typed_text(to))

    async def run(store: Store) -> None:
        entry = await store.directory.find(name)
        if entry is None:
            raise complain(texts.NO_ACCOUNT.of(name=name))
        account = await store.account(entry)
        found = await _chosen(account, wanted)
        if listing:
            await _tell(account, found, json=json)
        elif forget:
            await _forget(account, found, dry_run=dry_run, yes=yes)
        elif dry_run:
            _tell_counts(found, target, json=json)
        else:
            await _restore(account, found, target, json=json)

    with_store(data, config_file, run)


def _wanted(mailbox: str | None, since: str | None, sender: str | None, subject: str | None, uid: str | None) -> Wanted:
    moment = None
    if since is not None:
        moment = moment_of(since, time.time())
        if moment is None:
            raise complain(texts.NO_MOMENT.of(text=since), WRONG_USAGE)
    keys: list[SearchKey] = []
    if sender is not None:
        keys.append(InAddress(AddressField.FROM, typed_text(sender)))
    if subject is not None:
        keys.append(InSubject(typed_text(subject)))
    name = None if mailbox is None else mailbox_key(typed_text(mailbox))
    return Wanted(name, moment, None if uid is None else _uids(uid), tuple(keys))


def _uids(text: str) -> Uids:
    """A set as in IMAP: ``3``, ``1:5``, ``1:5,9``."""
    runs: list[tuple[int, int]] = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        if not all(each.isascii() and each.isdigit() and len(each) <= 10 for each in (first, last or first)):
            raise complain(texts.NO_UIDS.of(text=text), WRONG_USAGE)
        ends = int(first), int(last or first)
        runs.append((min(ends), max(ends)))
    return NumberSet(runs)


async def _chosen(account: Account, wanted: Wanted) -> list[DeletedMessage]:
    found: list[DeletedMessage] = []
    async with aclosing(account.retention.messages()) as slices:
        async for some in slices:
            found += filter(wanted.has, some)
    if wanted.keys and found:
        deleted = await account.deleted_mail()
        mailbox = (await deleted.mailbox(DELETED_MAIL)).id
        matching = (await deleted.search(mailbox, And(wanted.keys), _numbers(found))).uids
        found = [each for each in found if each.number in matching]
    return found


def _numbers(messages: Sequence[DeletedMessage]) -> Uids:
    return NumberSet.of_sorted([each.number for each in messages])


async def _tell(account: Account, found: Sequence[DeletedMessage], *, json: bool) -> None:
    fields = await _fields(account, found) if found else {}
    if json:
        for each in found:
            sender, subject = fields.get(each.number, ("", ""))
            row = {
                "number": each.number,
                "mailbox": each.mailbox,
                "mailbox_is_deleted": each.is_gone,
                "uid": each.uid,
                "removed": moment_shown(each.removed),
                "size": each.size,
                "from": sender,
                "subject": subject,
            }
            typer.echo(json_form.dumps(row))
        return
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=WIDE)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        table.add_column(told(column), overflow="fold")
    for each in found:
        sender, subject = fields.get(each.number, ("", ""))
        shown = (moment_shown(each.removed), each.mailbox, str(each.uid), size_shown(each.size), sender, subject)
        table.add_row(*(Cell(escaped(value)) for value in shown))
    console.print(table)


async def _fields(account: Account, found: Sequence[DeletedMessage]) -> Mapping[int, tuple[str, str]]:
    """From and Subject of the messages, by number."""
    deleted = await account.deleted_mail()
    mailbox = (await deleted.mailbox(DELETED_MAIL)).id
    fields: dict[int, tuple[str, str]] = {}
    async with aclosing(deleted.fetch(mailbox, _numbers(found), (FIELDS,))) as slices:
        async for rows in slices:
            for number, literal in rows:
                fields[number] = sender_and_subject(literal)
    return fields


def sender_and_subject(literal: bytes) -> tuple[str, str]:
    """From and Subject in the literal that the column FIELDS is."""
    header = literal.partition(b"\r\n")[2]
    sender, subject = (field_text((field_values(header, name) or [b""])[0]).strip() for name in (b"from", b"subject"))
    return sender, subject


def _tell_counts(found: Sequence[DeletedMessage], target: str | None, *, json: bool) -> None:
    counts: dict[str, int] = {}
    for each in found:
        name = each.mailbox if target is None else target
        counts[name] = counts.get(name, 0) + 1
    for name, count in counts.items():
        if json:
            typer.echo(json_form.dumps({"mailbox": name, "messages": count}))
        else:
            typer.echo(told(texts.WOULD_COME_BACK.of(count=count, mailbox=escaped(name))))
    if not found and not json:
        typer.echo(told(texts.NOTHING_KEPT))


async def _restore(account: Account, found: Sequence[DeletedMessage], target: str | None, *, json: bool) -> None:
    counts: dict[str, int] = {}
    try:
        for start in range(0, len(found), AT_ONCE):
            done = await account.retention.restore(_numbers(found[start : start + AT_ONCE]), target)
            for name, restored in done.mailboxes.items():
                counts[name] = counts.get(name, 0) + len(restored.uids)
                if json:
                    typer.echo(json_form.dumps(_as_json(name, restored)))
    finally:
        # said in any case, because what came back stays when a later part is refused
        for name, count in () if json else counts.items():
            typer.echo(told(texts.CAME_BACK.of(count=count, mailbox=escaped(name))))
    if not found and not json:
        typer.echo(told(texts.NOTHING_KEPT))


def _as_json(name: str, restored: Restored) -> dict[str, Any]:
    return {
        "mailbox": name,
        "uidvalidity": restored.uidvalidity,
        "numbers": list(restored.numbers),
        "uids": list(restored.uids),
    }


async def _forget(account: Account, found: Sequence[DeletedMessage], *, dry_run: bool, yes: bool) -> None:
    if dry_run:
        typer.echo(told(texts.WOULD_BE_FORGOTTEN.of(count=len(found))))
        return
    if found and not yes and not typer.confirm(told(texts.REALLY_FORGET.of(count=len(found)))):
        raise complain(texts.NOTHING_FORGOTTEN)
    gone = 0
    for start in range(0, len(found), AT_ONCE):
        gone += await account.retention.forget(_numbers(found[start : start + AT_ONCE]))
    typer.echo(told(texts.FORGOTTEN.of(count=gone)))
