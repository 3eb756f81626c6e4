"""``mektup kick``: ends sessions of a running server."""

from __future__ import annotations

from typing import Annotated

import typer

from mektup.cli import texts
from mektup.cli.asking import Address, Target, answers, whom
from mektup.cli.complaints import WRONG_USAGE, complain
from mektup.cli.language import Command, told
from mektup.cli.options import ConfigFile, DataDirectory
from mektup.server.control.messages import AskEnd, Ended

MOST_REASON = 200


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("kick", help=str(texts.KICK), cls=Command)(kick)


def kick(
    target: Target = None,
    address: Address = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help=str(texts.REASON))] = None,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    meant = whom(target, address, required=True)
    # a farewell is ASCII where the client has not asked for another language
    if reason is not None and not (reason.isascii() and reason.isprintable() and len(reason) <= MOST_REASON):
        raise complain(texts.REASON_NOT_ASCII.of(most=MOST_REASON), WRONG_USAGE)
    found = answers(data, config_file, AskEnd(meant, reason or None))
    ended = sum(answer.sessions for answer in found if isinstance(answer, Ended))
    typer.echo(told(texts.ENDED.of(count=ended)))
