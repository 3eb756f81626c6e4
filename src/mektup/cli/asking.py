"""What ``who``, ``kick`` and ``trace`` share: their options, and a question to the running servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from mektup.cli import texts
from mektup.cli.complaints import WRONG_USAGE, complain, complaints
from mektup.cli.language import told
from mektup.cli.options import account_names, data_directory
from mektup.server.control.client import NoServer, NotUnderstood, ask
from mektup.server.control.messages import Answer, Problem, ProblemKind, Question, Whom, is_address
from mektup.terms.names import account_key

Address = Annotated[str | None, typer.Option("--address", metavar="NET", help=str(texts.ADDRESS))]
Target = Annotated[
    str | None, typer.Argument(metavar="USER|SESSION", help=str(texts.WHOM), autocompletion=account_names)
]

_PROBLEMS = {
    ProblemKind.NOT_UNDERSTOOD: texts.SERVER_NOT_UNDERSTANDING,
    ProblemKind.OTHER_VERSION: texts.OTHER_VERSION,
    ProblemKind.FORBIDDEN: texts.SERVER_FORBIDS,
    ProblemKind.BUSY: texts.SERVER_BUSY,
}


def whom(target: str | None, address: str | None, *, required: bool) -> Whom:
    """The sessions that the arguments mean. Complains about wrong ones, and with *required* if there are none."""
    if required and target is None and address is None:
        raise complain(texts.WHOM_OR_ADDRESS, WRONG_USAGE)
    if not is_address(address):
        raise complain(texts.NO_NETWORK.of(text=address), WRONG_USAGE)
    return Whom(None if target is None else account_key(target), address)


def answers(data: Path | None, config_file: Path | None, question: Question) -> Iterator[Answer]:
    """The answers of the running servers, without problems, which are complained of."""
    with complaints():
        directory = data_directory(data, config_file)
        try:
            for answer in ask(directory, question):
                if not isinstance(answer, Problem):
                    yield answer
                elif answer.kind is ProblemKind.SILENT:
                    problem = texts.WORKER_SILENT.of(number=answer.worker)
                    typer.echo(told(texts.COMPLAINT.of(problem=problem)), err=True)
                else:
                    raise complain(_PROBLEMS[answer.kind])
        except NoServer as error:
            raise complain(texts.NO_SERVER.of(directory=directory)) from error
        except NotUnderstood as error:
            raise complain(texts.OTHER_VERSION) from error
