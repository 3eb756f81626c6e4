"""A bar on a terminal's standard error that shows how far a command is; nothing elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from mektup.cli.language import told
from mektup.cli.texts import COMPLAINT
from mektup.terms.texts import Text


class Bar:
    """Use it as a context."""

    def __init__(self, what: Text) -> None:
        console = Console(stderr=True)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bars = Bars(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bars.add_task(told(what), total=None)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def print(self, text: Text) -> None:
        """Prints a line of the result."""
        self._bars.stop()
        typer.echo(told(text))
        self._bars.start()

    def complain(self, problem: Text) -> None:
        """Prints a line of what is wrong."""
        self._bars.stop()
        typer.echo(told(COMPLAINT.of(problem=problem)), err=True)
        self._bars.start()

    def progress(self, what: str, done: int, total: int) -> None:
        """Shows that *done* of *total* of *what* is done."""
        self._bars.update(self._task, description=what, completed=done, total=total)

    def step(self, total: int) -> None:
        """Shows that one more of *total* begins."""
        self._bars.update(self._task, advance=1, total=total)
