"""The command: finds out what it can, shows what it will do, does it, and says what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mektup.cli import texts as cli_texts
from mektup.cli.complaints import WRONG_USAGE, complain, complaints
from mektup.cli.init import texts
from mektup.cli.init.found import Machine, look
from mektup.cli.init.plan import Plan, plan
from mektup.cli.init.steps import State, Step, StepError
from mektup.cli.language import Command, told
from mektup.server import config as configuration
from mektup.server.certificate_files import pair
from mektup.server.hostnames import objection_to_hostname
from mektup.store import system
from mektup.terms.texts import ABOUT, Text

FILE = Path("/etc/mektup.toml")
DATA = Path("/var/lib/mektup")


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("init", help=str(cli_texts.INIT), cls=Command)(init)


def init(
    file: Annotated[Path, typer.Option("--config", metavar="FILE", readable=False, help=str(texts.FILE))] = FILE,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", readable=False, help=str(texts.DIR))] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help=str(texts.USER))] = None,
    hostname: Annotated[str | None, typer.Option("--hostname", metavar="NAME", help=str(texts.HOSTNAME))] = None,
    domain: Annotated[str | None, typer.Option("--domain", metavar="NAME", help=str(texts.DOMAIN))] = None,
    cert: Annotated[Path | None, typer.Option("--cert", metavar="FILE", readable=False, help=str(texts.CERT))] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", readable=False, help=str(texts.KEY))] = None,
    print_: Annotated[bool, typer.Option("--print", help=str(texts.PRINT))] = False,
    replace: Annotated[bool, typer.Option("--replace", help=str(texts.REPLACE))] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=str(cli_texts.YES))] = False,
) -> None:
    """Runs the command."""
    if hostname is not None and (objection := objection_to_hostname(hostname)):
        raise complain(ABOUT.of(place="--hostname", problem=objection), WRONG_USAGE)
    if key is not None and cert is None:
        raise complain(texts.KEY_WITHOUT_CERT, WRONG_USAGE)
    file = file.absolute()
    given = None if cert is None else pair(cert.absolute(), (key or cert).absolute())
    with complaints():
        existing = configuration.load(file) if file.exists() else None
        place = existing.data if existing is not None and existing.data is not None else (data or DATA).absolute()
        name = existing.hostname if existing is not None else hostname
        machine = look(place, hostname=name, domain=domain, user=user, given=given)
        made = plan(machine, file, place)
        if print_:
            _print(made)
            return
        _show(machine, made, replace=replace)
        _carry_out(_wanted(made, replace=replace), asked=not yes)
    _say_next(made)


def _print(made: Plan) -> None:
    """Prints the files with their names, and then the commands that come next."""
    for step in made.steps:
        if step.path is not None:
            typer.echo(f"# ---- {step.path}\n{step.content}")
    _say_next(made)


def _show(machine: Machine, made: Plan, *, replace: bool) -> None:
    certificate = made.config.cert or texts.OWN_CERTIFICATE
    for what, value in (
        (texts.FOUND_HOSTNAME, made.config.hostname),
        (texts.FOUND_DOMAIN, machine.domain),
        (texts.FOUND_CERTIFICATE, certificate),
        (texts.FOUND_DATA, made.config.data),
        (texts.FOUND_USER, machine.user),
    ):
        typer.echo(told(ABOUT.of(place=what, problem=value)))
    typer.echo()
    for step in made.steps:
        typer.echo(told(_line(step, replace=replace)))
    for warning in made.warnings:
        typer.echo(told(cli_texts.COMPLAINT.of(problem=warning)), err=True)


def _line(step: Step, *, replace: bool) -> Text:
    if step.state is State.DONE:
        return texts.DONE_ALREADY.of(what=step.what)
    if step.state is State.OTHER:
        return texts.IS_REPLACED.of(what=step.what) if replace else texts.IS_KEPT.of(what=step.what)
    return texts.TO_DO.of(what=step.what)


def _wanted(made: Plan, *, replace: bool) -> list[Step]:
    states = (State.MISSING, State.OTHER) if replace else (State.MISSING,)
    return [step for step in made.steps if step.state in states]


def _carry_out(steps: list[Step], *, asked: bool) -> None:
    if not steps:
        typer.echo(told(texts.NOTHING_TO_DO))
        return
    if system.effective_user() != 0:
        raise complain(texts.NEEDS_ROOT)
    if asked and not typer.confirm(told(texts.REALLY)):
        raise complain(texts.NOTHING_DONE)
    for step in steps:
        try:
            step.do()
        except StepError as error:
            raise complain(str(error)) from error
    typer.echo(told(texts.ALL_DONE))


def _say_next(made: Plan) -> None:
    for what, commands in made.next:
        typer.echo()
        typer.echo(f"# {told(what)}")
        for command in commands:
            typer.echo(command)
