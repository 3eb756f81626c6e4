"""``mektup user list`` and ``mektup user show``: the accounts, what they hold, and when they were last used."""

from __future__ import annotations

import json as json_form
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Cell

from mektup.cli import texts
from mektup.cli.complaints import complain
from mektup.cli.language import told
from mektup.cli.opened_store import with_store
from mektup.cli.options import ConfigFile, DataDirectory, Name
from mektup.store.directory_pages import PAGE
from mektup.store.interface import AccountEntry, Store
from mektup.store.quota import QuotaState
from mektup.terms.printable import escaped
from mektup.terms.quota import QuotaLimits, Resource
from mektup.terms.sizes import size_shown
from mektup.terms.texts import ABOUT

WIDE = 200
"""The width of the table where it does not go to a terminal."""

Json = Annotated[bool, typer.Option("--json", help=str(texts.JSON))]
NamesOnly = Annotated[bool, typer.Option("--names", help=str(texts.NAMES_ONLY))]


def list_(
    names: NamesOnly = False, json: Json = False, data: DataDirectory = None, config_file: ConfigFile = None
) -> None:
    """Runs ``mektup user list``."""
    rows: list[tuple[str, ...]] = []

    async def run(store: Store) -> None:
        async for page in _pages(store):
            if names:
                for entry in page:
                    typer.echo(entry.name)
                continue
            for entry, state, at in await _figures(store, page):
                if json:
                    typer.echo(json_form.dumps(_as_json(entry, state, at)))
                else:
                    rows.append(_row(entry, state, at))

    with_store(data, config_file, run)
    if not names and not json:
        _draw(rows)


def show(name: Name, json: Json = False, data: DataDirectory = None, config_file: ConfigFile = None) -> None:
    """Runs ``mektup user show``."""

    async def run(store: Store) -> None:
        entry = await store.directory.find(name)
        if entry is None:
            raise complain(texts.NO_ACCOUNT.of(name=name))
        ((_, state, at),) = await _figures(store, [entry])
        if json:
            kinds = sorted(entry.secrets)
            more = {"id": entry.id, "secrets": kinds, "hidden": sorted(entry.hidden)}
            typer.echo(json_form.dumps({**_as_json(entry, state, at), **more}))
            return
        for what, value in (
            (texts.USER_COLUMN, escaped(entry.name)),
            (texts.STORAGE, _of(state, Resource.STORAGE)),
            (texts.MESSAGES, _of(state, Resource.MESSAGE)),
            (texts.MAILBOXES, _of(state, Resource.MAILBOX)),
            (texts.LAST_LOGIN_COLUMN, _local(at) or told(texts.NEVER)),
            (texts.SECRETS, " ".join(sorted(entry.secrets))),
            (texts.HIDES, " ".join(sorted(entry.hidden)) or told(texts.IS_NONE)),
        ):
            typer.echo(told(ABOUT.of(place=what, problem=value)))

    with_store(data, config_file, run)


Figures = tuple[AccountEntry, QuotaState | None, int | None]
"""An account, what it holds, which is None where its file cannot be read, and its last login."""


async def _pages(store: Store) -> AsyncIterator[Sequence[AccountEntry]]:
    page = await store.directory.entries("", PAGE)
    while page:
        yield page
        page = await store.directory.entries(page[-1].name, PAGE)


async def _figures(store: Store, page: Sequence[AccountEntry]) -> Iterable[Figures]:
    ids = [entry.id for entry in page]
    held, logins = await store.usages(ids), await store.directory.last_logins(ids)
    return [(entry, held.get(entry.id), logins.get(entry.id)) for entry in page]


def _as_json(entry: AccountEntry, state: QuotaState | None, at: int | None) -> dict[str, object]:
    usage = {} if state is None else state.usage
    return {
        "name": entry.name,
        "size": usage.get(Resource.STORAGE),
        "messages": usage.get(Resource.MESSAGE),
        "mailboxes": usage.get(Resource.MAILBOX),
        "quota": None if state is None else _limits(state.limits),
        "last_login": None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}",
    }


def _limits(limits: QuotaLimits) -> dict[str, int | None]:
    return {
        "size": limits.get(Resource.STORAGE),
        "messages": limits.get(Resource.MESSAGE),
        "mailboxes": limits.get(Resource.MAILBOX),
    }


def _row(entry: AccountEntry, state: QuotaState | None, at: int | None) -> tuple[str, ...]:
    if state is None:
        return (escaped(entry.name), "?", "?", "?", _local(at))
    most = state.limits.get(Resource.STORAGE)
    return (
        escaped(entry.name),
        size_shown(state.usage[Resource.STORAGE]),
        str(state.usage[Resource.MESSAGE]),
        "" if most is None else size_shown(most),
        _local(at),
    )


def _of(state: QuotaState | None, resource: Resource) -> str:
    if state is None:
        return "?"
    in_words = size_shown if resource is Resource.STORAGE else str
    used, most = in_words(state.usage[resource]), state.limits.get(resource)
    return told(texts.NO_LIMIT.of(used=used) if most is None else texts.OF_OWN.of(used=used, most=in_words(most)))


def _local(at: int | None) -> str:
    """A moment in the time of this machine."""
    return "" if at is None else f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M}"


def _draw(rows: Iterable[tuple[str, ...]]) -> None:
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=WIDE)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(told(texts.USER_COLUMN), overflow="fold")
    for column in (texts.STORAGE, texts.MESSAGES, texts.QUOTA_COLUMN):
        table.add_column(told(column), justify="right")
    table.add_column(told(texts.LAST_LOGIN_COLUMN))
    for row in rows:
        table.add_row(*map(Cell, row))
    console.print(table)
