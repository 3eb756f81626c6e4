"""``mektup serve``: runs the server until SIGTERM."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated

import typer

from mektup.cli import texts
from mektup.cli.complaints import complaints
from mektup.cli.language import Command, told
from mektup.cli.options import DEFAULT_DATA, ConfigFile, DataDirectory, refuse_both
from mektup.server import config
from mektup.server.checking import checks
from mektup.server.checking.finding import Finding, Weight
from mektup.server.run import serve as run_server
from mektup.terms.texts import ABOUT, Text

_WORDS = {Weight.FINE: texts.FINE, Weight.WARNING: texts.WARNING, Weight.ERROR: texts.ERROR}


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("serve", help=str(texts.SERVE), cls=Command)(serve)


def serve(
    config_file: ConfigFile = None,
    data: DataDirectory = None,
    check: Annotated[bool, typer.Option("--check", help=str(texts.SERVE_CHECK))] = False,
) -> None:
    """Runs the command."""
    refuse_both(data, config_file)
    file = None if config_file is None else config_file.absolute()
    if file is not None:
        load = partial(config.load, file)
    else:
        load = partial(config.default, (data or DEFAULT_DATA).absolute())
    if check:
        with complaints():
            bad = _show(checks.check(load()))
        raise typer.Exit(1 if bad else 0)
    with complaints():
        run_server(load, lambda endpoints: None, file)


def _show(findings: Iterable[Finding]) -> bool:
    """Prints the findings; returns whether one of them is an error."""
    bad = False
    for finding in findings:
        bad |= finding.weight is Weight.ERROR
        about = ABOUT.of(place=finding.about, problem=finding.what)
        typer.echo(f"{told(_WORDS[finding.weight]):<8} {told(about)}")
        if finding.mending is not None:
            mending = told(finding.mending) if isinstance(finding.mending, Text) else finding.mending
            typer.echo(f"         {mending}")
    typer.echo(told(texts.CHECK_FAILED if bad else texts.CHECK_PASSED))
    return bad
