"""What the imports share: how they show how far they are, and what they say at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mektup.cli import texts
from mektup.cli.language import told
from mektup.migration.importing import Result
from mektup.migration.source import Tell
from mektup.terms.printable import escaped
from mektup.terms.texts import ABOUT, Text


def summary(result: Result, *, dry_run: bool) -> Iterator[Text]:
    """What was done, a line for each kind of result."""
    if dry_run:
        yield texts.MAIL_WOULD_BE_IMPORTED.of(count=result.added)
    else:
        yield texts.MAIL_IMPORTED.of(count=result.added)
    if result.known:
        yield texts.MAIL_KNOWN.of(count=result.known)
    if result.flags:
        yield texts.FLAGS_FOLLOWED.of(count=result.flags)
    if result.removed:
        yield texts.REMOVALS_FOLLOWED.of(count=result.removed)
    if result.vanished:
        yield texts.MAIL_VANISHED.of(count=result.vanished)
    if result.problems:
        yield texts.NOT_ALL_IMPORTED.of(count=result.problems)


class Shown:
    """Shows an import on the terminal, if standard error is one; and every problem, in any case."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._task: TaskID | None = None
        self.problems = 0

    @property
    def tell(self) -> Tell:
        """Shows a problem and its place."""
        return self._tell

    def _tell(self, place: str, problem: Text) -> None:
        self.problems += 1
        self.say(texts.COMPLAINT.of(problem=ABOUT.of(place=escaped(place), problem=problem)))

    def note(self, place: str, text: Text) -> None:
        """Shows what is no problem, but should be known."""
        self.say(ABOUT.of(place=escaped(place), problem=text))

    def complain_of(self, account: str, problem: Text) -> None:
        """Shows why the import into *account* failed."""
        self.say(texts.COMPLAINT.of(problem=ABOUT.of(place=account, problem=problem)))

    def say(self, text: Text) -> None:
        """Shows a line."""
        self._console.print(told(text), markup=False, highlight=False, soft_wrap=True)

    def begin(self, messages: int | None) -> None:
        """See ``importing.Progress``, also for the other methods."""
        self._task = self._progress.add_task(told(texts.MAIL_OF), total=messages)

    def mailbox(self, name: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, description=escaped(name))

    def advance(self, messages: int) -> None:
        if self._task is not None:
            self._progress.advance(self._task, messages)

    def finish(self) -> None:
        """Removes the bar."""
        self._progress.stop()


class Within:
    """Shows the import of one of many users: only what must be known, with the name of the account before it."""

    def __init__(self, shown: Shown, account: str) -> None:
        self._shown, self._account = shown, account

    def tell(self, place: str, problem: Text) -> None:
        """See Shown, also for the other methods."""
        self._shown.tell(f"{self._account}: {place}", problem)

    def note(self, place: str, text: Text) -> None:
        self._shown.note(f"{self._account}: {place}", text)

    def begin(self, messages: int | None) -> None:
        """See ``importing.Progress``, also for the other methods."""

    def mailbox(self, name: str) -> None: ...

    def advance(self, messages: int) -> None: ...


@contextmanager
def shown_on_terminal() -> Iterator[Shown]:
    console = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with progress:
        yield Shown(console, progress)
