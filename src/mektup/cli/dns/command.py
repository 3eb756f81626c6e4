"""The command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mektup.cli import texts as cli_texts
from mektup.cli.complaints import WRONG_USAGE, complain, complaints
from mektup.cli.dns import texts
from mektup.cli.dns.offers import offers
from mektup.cli.dns.records import records
from mektup.cli.dns.settings import autoconfig, mobileconfig
from mektup.cli.language import Command
from mektup.cli.options import typed_text
from mektup.server import config as configuration
from mektup.server.hostnames import names_of_this_machine, objection_to_hostname
from mektup.store.rules.addresses import new_domain
from mektup.terms.account_names import shown
from mektup.terms.domains import ascii_domain, domain_key
from mektup.terms.names import split_address
from mektup.terms.texts import ABOUT

Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help=str(texts.DOMAIN), callback=typed_text)]


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("dns", help=str(cli_texts.DNS), cls=Command)(dns)


def dns(
    domain: Domain,
    hostname: Annotated[str | None, typer.Option("--hostname", metavar="NAME", help=str(texts.HOSTNAME))] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", readable=False, help=str(texts.CONFIG))
    ] = None,
    as_autoconfig: Annotated[bool, typer.Option("--autoconfig", help=str(texts.AUTOCONFIG))] = False,
    address: Annotated[
        str | None, typer.Option("--mobileconfig", metavar="ADDRESS", help=str(texts.MOBILECONFIG))
    ] = None,
) -> None:
    """Runs ``mektup dns``."""
    if as_autoconfig and address is not None:
        raise complain(texts.ONE_FORM, WRONG_USAGE)
    if hostname is not None and (objection := objection_to_hostname(hostname)):
        raise complain(ABOUT.of(place="--hostname", problem=objection), WRONG_USAGE)
    with complaints():
        domain = new_domain(domain, ())
        config = None if config_file is None else configuration.load(config_file)
    name = hostname or (names_of_this_machine()[1] if config is None else config.hostname)
    offered = list(offers(config))
    if as_autoconfig:
        typer.echo(autoconfig(domain, name, offered), nl=False)
    elif address is not None:
        if domain_key(split_address(address)[1]) != domain:
            raise complain(texts.NOT_IN_DOMAIN.of(address=shown(address), domain=domain), WRONG_USAGE)
        try:
            typer.echo(mobileconfig(address, name, offered), nl=False)
        except ValueError:
            raise complain(texts.NO_IMAP) from None
    else:
        for line in records(ascii_domain(domain), name, offered):
            typer.echo(line)
