"""``mektup alias``: more addresses of accounts. A running server sees the change at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from mektup.cli import texts
from mektup.cli.language import Command, Group, told
from mektup.cli.opened_store import with_store
from mektup.cli.options import ConfigFile, DataDirectory, typed_text
from mektup.store.directory_pages import all_aliases
from mektup.store.interface import Store
from mektup.terms.names import address_key


def _typed(names: list[str] | None) -> list[str]:
    return [typed_text(name) for name in names or []]


Address = Annotated[str, typer.Argument(metavar="ADDRESS", help=str(texts.ALIAS_ADDRESS), callback=typed_text)]
Accounts = Annotated[list[str], typer.Argument(metavar="ACCOUNT...", help=str(texts.ALIAS_ACCOUNTS), callback=_typed)]
SomeAccounts = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ACCOUNT]...", show_default=False, help=str(texts.ALIAS_ACCOUNTS), callback=_typed),
]


def register(app: typer.Typer) -> None:
    """Adds the command and its subcommands to *app*."""
    group = typer.Typer(cls=Group, help=str(texts.ALIAS), no_args_is_help=True, rich_markup_mode=None)
    for name, command, text in (
        ("add", add, texts.ALIAS_ADD),
        ("list", list_, texts.ALIAS_LIST),
        ("remove", remove, texts.ALIAS_REMOVE),
    ):
        group.command(name, help=str(text), cls=Command)(command)
    app.add_typer(group, name="alias")


def add(address: Address, accounts: Accounts, data: DataDirectory = None, config_file: ConfigFile = None) -> None:
    """Runs ``mektup alias add``."""

    async def run(store: Store) -> None:
        alias = await store.addresses.add_alias(address, accounts)
        _tell(alias.address, alias.accounts)

    with_store(data, config_file, run)


def list_(
    as_json: Annotated[bool, typer.Option("--json", help=str(texts.JSON))] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs ``mektup alias list``."""

    async def run(store: Store) -> None:
        async for alias in all_aliases(store.addresses):
            if as_json:
                typer.echo(json.dumps({"address": alias.address, "accounts": alias.accounts}, ensure_ascii=False))
            else:
                typer.echo(" ".join([alias.address, *alias.accounts]))

    with_store(data, config_file, run)


def remove(
    address: Address, accounts: SomeAccounts = None, data: DataDirectory = None, config_file: ConfigFile = None
) -> None:
    """Runs ``mektup alias remove``."""

    async def run(store: Store) -> None:
        await store.addresses.remove_alias(address, accounts or ())
        if left := await store.addresses.accounts_of(address_key(address)):
            _tell(address_key(address), left)
        else:
            typer.echo(told(texts.REMOVED.of(name=address_key(address))))

    with_store(data, config_file, run)


def _tell(address: str, accounts: Sequence[str]) -> None:
    typer.echo(told(texts.LEADS_TO.of(address=address, accounts=", ".join(accounts))))
