"""``mektup trace``: shows what clients and the server say to each other, live."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from mektup.cli import texts
from mektup.cli.asking import Address, Target, answers, whom
from mektup.cli.complaints import complain
from mektup.cli.language import Command, told
from mektup.cli.options import ConfigFile, DataDirectory
from mektup.server.control.messages import AskTrace, Line, Lost, Note
from mektup.terms.printable import escaped
from mektup.terms.texts import Text


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("trace", help=str(texts.TRACE), cls=Command)(trace)


def trace(
    target: Target = None,
    address: Address = None,
    commands: Annotated[int | None, typer.Option("--commands", metavar="N", min=1, help=str(texts.STOP_AFTER))] = None,
    content: Annotated[bool, typer.Option("--bytes", help=str(texts.BYTES))] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    question = AskTrace(whom(target, address, required=True), content)
    typer.echo(told(texts.WAITING), err=True)
    begun = 0
    try:
        for answer in answers(data, config_file, question):
            if isinstance(answer, Lost):
                typer.echo(told(texts.LINES_LOST.of(count=answer.lines)))
            elif isinstance(answer, Line):
                begun += answer.begins
                if commands is not None and begun > commands:
                    return
                typer.echo(_shown(answer))
    except KeyboardInterrupt:
        return
    raise complain(texts.SERVER_GONE)


def _shown(line: Line) -> str:
    milliseconds = int(line.at * 1000) % 1000
    at = f"{time.strftime('%H:%M:%S', time.localtime(line.at))}.{milliseconds:03}"
    if line.about is None:
        return f"{at} {line.session} {line.side}: {escaped(line.text)}"
    return f"{at} {line.session} -- {told(_in_words(line.about))}"


def _in_words(note: Note) -> Text:
    if note.ended:
        return texts.FOLLOWED_NO_MORE
    if note.user is None:
        return texts.FOLLOWED_STRANGER.of(protocol=note.protocol, address=note.address, worker=note.worker)
    user = escaped(note.user)
    return texts.FOLLOWED.of(protocol=note.protocol, address=note.address, user=user, worker=note.worker)
