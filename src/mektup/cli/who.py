"""``mektup who``: lists the sessions of a running server."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Cell

from mektup.cli import texts
from mektup.cli.asking import Address, answers, whom
from mektup.cli.language import Command, told
from mektup.cli.options import ConfigFile, DataDirectory, account_names
from mektup.server.control.messages import AskSessions, Listed
from mektup.terms.printable import escaped

WIDE = 1000
"""The width of the table where it is not for a terminal, so that no line is broken."""

_SPANS = (("d", 86400), ("h", 3600), ("m", 60))
_SIZES = (("G", 10**9), ("M", 10**6), ("k", 10**3))

_COLUMNS = (
    texts.USER_COLUMN,
    texts.STATE_COLUMN,
    texts.PROTOCOL_COLUMN,
    texts.ADDRESS_COLUMN,
    texts.SINCE_COLUMN,
    texts.LAST_COLUMN,
    texts.IN_COLUMN,
    texts.OUT_COLUMN,
    texts.CLIENT_COLUMN,
    texts.SESSION_COLUMN,
    texts.WORKER_COLUMN,
)


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("who", help=str(texts.WHO), cls=Command)(who)


def who(
    user: Annotated[
        str | None, typer.Argument(metavar="USER", help=str(texts.WHO_USER), autocompletion=account_names)
    ] = None,
    address: Address = None,
    strangers: Annotated[bool, typer.Option("--all", help=str(texts.STRANGERS))] = False,
    json: Annotated[bool, typer.Option("--json", help=str(texts.JSON))] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    found = answers(data, config_file, AskSessions(whom(user, address, required=False), strangers))
    listed = (answer for answer in found if isinstance(answer, Listed))
    if json:
        for each in listed:
            typer.echo(_json(each))
    else:
        _draw(sorted(listed, key=lambda each: (each.user or "", -each.seconds)))


def _json(listed: Listed) -> str:
    # other programs read it, but people see it on terminals, too: no letter beyond printable ASCII is left as it is
    line = msgspec.json.encode(listed).decode()
    return "".join(each if " " <= each <= "~" else _escaped_in_json(each) for each in line)


def _escaped_in_json(letter: str) -> str:
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _draw(sessions: list[Listed]) -> None:
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=WIDE)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        table.add_column(told(column), overflow="fold")
    for each in sessions:
        table.add_row(*map(Cell, _row(each)))
    console.print(table)


def _row(each: Listed) -> tuple[str, ...]:
    address = each.address if each.port is None else f"{each.address}:{each.port}"
    layers = [each.protocol, *(["TLS"] if each.tls else []), *(["COMPRESS"] if each.compressed else [])]
    state = each.state if each.mailbox is None else f"{each.state} {escaped(each.mailbox)}"
    last = "" if each.command is None else f"{each.command} {_span(each.idle_seconds)}"
    return (
        escaped(each.user or ""),
        state,
        " ".join(layers),
        address,
        _span(each.seconds),
        last,
        _size(each.octets_in),
        _size(each.octets_out),
        escaped(each.client or ""),
        each.session,
        str(each.worker),
    )


def _span(seconds: float) -> str:
    """A duration in its largest unit that is not zero."""
    for unit, size in _SPANS:
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def _size(octets: int) -> str:
    for unit, size in _SIZES:
        if octets >= size:
            return f"{octets / size:.1f}{unit}"
    return str(octets)
