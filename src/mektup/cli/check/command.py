"""The command: checks the accounts, prints each report, and ends with the exit status.

Exit status: 0 where everything is clean, 1 where something was found, 2 for a wrong command line.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from mektup.cli import texts as cli_texts
from mektup.cli.check import texts, words
from mektup.cli.complaints import WRONG_USAGE, complain, complaints
from mektup.cli.language import Command, told
from mektup.cli.options import (
    ConfigFile,
    DataDirectory,
    account_names,
    data_and_config,
    require_accounts,
    require_files,
    typed_text,
)
from mektup.server import self_signed
from mektup.server.bus import Bus
from mektup.store.rules.consistency import Finding, Kind, Mend
from mektup.store.sqlite import Report, check_all
from mektup.store.sqlite import repair as repair_account
from mektup.terms.account_names import shown
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import DEFAULT_LIMITS, Limits

FOUND = 1
"""The exit status where something was found."""


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("check", help=str(cli_texts.CHECK), cls=Command)(check)


def check(
    users: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help=str(texts.USERS), autocompletion=account_names)
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help=str(texts.QUICK))] = False,
    repair: Annotated[bool, typer.Option("--repair", help=str(texts.REPAIR))] = False,
    json: Annotated[bool, typer.Option("--json", help=str(texts.JSON))] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    names = [typed_text(name) for name in users or ()]
    if repair and quick:
        raise complain(texts.NOT_QUICK, WRONG_USAGE)
    with complaints():
        directory, loaded = data_and_config(data, config_file)
        require_files(loaded, "check")
        limits = DEFAULT_LIMITS if loaded is None else loaded.limits
        require_accounts(directory, WRONG_USAGE)
        with Bar() as bar:
            reports = check_all(directory, names, limits, bar, quick=quick)
            if repair:
                reports = (_repaired(directory, report, limits, bar) for report in reports)
            reports = _with_tls(directory, reports)
            wrong = _told(reports, bar, as_json=json)
    if wrong:
        raise typer.Exit(FOUND)


def _told(reports: Iterator[Report], bar: Bar, *, as_json: bool) -> bool:
    """Prints *reports* as they come, and their sum; returns whether something was found."""
    accounts = wrong = findings = 0
    try:
        for report in reports:
            accounts += bool(report.name)
            wrong += bool(report.findings)
            findings += len(report.findings)
            lines = [words.json(report)] if as_json else map(told, words.lines(report))
            bar.print("\n".join(lines))
    except Refused as error:
        if error.code is not Code.NONEXISTENT:
            raise
        raise complain(error.text, WRONG_USAGE) from error
    if not as_json:
        summary = texts.SUMMARY.of(count=accounts, wrong=wrong, findings=findings)
        bar.print(told(summary if wrong else texts.SUMMARY_CLEAN.of(count=accounts)))
    return bool(wrong)


def _repaired(directory: Path, report: Report, limits: Limits, bar: Bar) -> Report:
    """*report* after a repair, if there is something to mend."""

    async def run() -> Report:
        bus = Bus(directory)
        try:
            return await repair_account(directory, report, limits, bar, bus)
        finally:
            bus.close()

    return asyncio.run(run()) if any(each.mend is Mend.REPAIR for each in report.findings) else report


def _with_tls(directory: Path, reports: Iterable[Report]) -> Iterator[Report]:
    """Adds the self-signed pair to the report of the directory."""
    for report in reports:
        more = () if report.name else tuple(_tls(directory / "tls"))
        yield dataclasses.replace(report, findings=report.findings + more)


def _tls(directory: Path) -> Iterator[Finding]:
    pair = self_signed.Pair(directory / "self-signed.crt", directory / "self-signed.key")
    there = pair.cert.exists(), pair.key.exists()
    if not any(there):
        return
    wrong = self_signed.what_is_wrong(pair) if all(there) else None
    if wrong is not None or not all(there):
        yield Finding(Kind.TLS_PAIR, str(wrong[0] if wrong else pair.key if there[0] else pair.cert))


class Bar:
    """A bar on a terminal; without one, nothing."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Bars(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bars.add_task(told(texts.PROGRESS), total=None)

    def __enter__(self) -> Bar:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def begin(self, name: str, messages: int) -> None:
        """See ``checking.Progress``."""
        self._bars.reset(self._task, total=messages, description=shown(name))

    def advance(self, messages: int) -> None:
        """See ``checking.Progress``."""
        self._bars.advance(self._task, messages)

    def print(self, lines: str) -> None:
        """Prints to standard output, between two states of the bar."""
        self._bars.stop()
        typer.echo(lines)
        self._bars.start()
