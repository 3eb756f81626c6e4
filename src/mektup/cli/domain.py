"""``mektup domain``: the domains whose mail the server takes. A running server sees the change at once."""

from __future__ import annotations

from typing import Annotated

import typer

from mektup.cli import texts
from mektup.cli.language import Command, Group, told
from mektup.cli.opened_store import with_store
from mektup.cli.options import ConfigFile, DataDirectory, typed_text
from mektup.store.directory_pages import all_aliases, all_entries
from mektup.store.interface import Store
from mektup.terms.domains import domain_key
from mektup.terms.names import split_address

Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help=str(texts.DOMAIN_NAME), callback=typed_text)]


def register(app: typer.Typer) -> None:
    """Adds the command and its subcommands to *app*."""
    group = typer.Typer(cls=Group, help=str(texts.DOMAIN), no_args_is_help=True, rich_markup_mode=None)
    for name, command, text in (
        ("add", add, texts.DOMAIN_ADD),
        ("list", list_, texts.DOMAIN_LIST),
        ("remove", remove, texts.DOMAIN_REMOVE),
    ):
        group.command(name, help=str(text), cls=Command)(command)
    app.add_typer(group, name="domain")


def add(domain: Domain, data: DataDirectory = None, config_file: ConfigFile = None) -> None:
    """Runs ``mektup domain add``."""

    async def run(store: Store) -> None:
        key = await store.addresses.add_domain(domain)
        typer.echo(told(texts.ADDED.of(name=key)))
        await _warn_of_others(store)

    with_store(data, config_file, run, make=True)


async def _warn_of_others(store: Store) -> None:
    domains = await store.addresses.domains()
    count, first = 0, ""
    names = (entry.name async for entry in all_entries(store.directory))
    addresses = (alias.address async for alias in all_aliases(store.addresses))
    for found in (names, addresses):
        async for name in found:
            _, domain = split_address(name)
            if domain and domain_key(domain) not in domains:
                count, first = count + 1, first or name
    if count:
        typer.echo(told(texts.COMPLAINT.of(problem=texts.ELSEWHERE.of(count=count, name=first))), err=True)


def list_(data: DataDirectory = None, config_file: ConfigFile = None) -> None:
    """Runs ``mektup domain list``."""

    async def run(store: Store) -> None:
        for domain in sorted(await store.addresses.domains()):
            typer.echo(domain)

    with_store(data, config_file, run)


def remove(domain: Domain, data: DataDirectory = None, config_file: ConfigFile = None) -> None:
    """Runs ``mektup domain remove``."""

    async def run(store: Store) -> None:
        await store.addresses.remove_domain(domain)
        typer.echo(told(texts.REMOVED.of(name=domain_key(domain))))
        if not await store.addresses.domains():
            typer.echo(told(texts.TAKES_ALL))
        else:
            await _warn_of_others(store)

    with_store(data, config_file, run)
