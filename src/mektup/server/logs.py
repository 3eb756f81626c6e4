"""Logs: one line for each event, with the id of its session if there is one.

A value may contain text from a client. So every value is escaped and cut to a bounded length: a client cannot forge a
line, control a terminal, or fill the log. Tracebacks show no values of variables, because one could be a password. Each
line of a traceback has a margin, because the message of an exception can contain text from a client.

No call of the log raises or waits: lines that cannot be written are dropped (``log_writer``).
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Protocol, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from mektup.server.log_budget import LogBudget
from mektup.server.log_file import LogFile
from mektup.server.log_writer import LogWriter
from mektup.terms.printable import escaped

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

VALUE_CHARACTERS = 1024
"""The longest value that is shown whole."""

TRACEBACK_CHARACTERS = 8 * 1024
"""The longest traceback. Of a longer one the end is shown, because it names the error."""

MARGIN = "  | "
"""The margin before each line of a traceback, in the text form."""

EVENT_WIDTH = 24
LEVEL_WIDTH = 9
"""The widths of columns in the text form."""

Event = MutableMapping[str, Any]


class Out(Protocol):
    """The target of lines: a LogWriter, or a stream."""

    def write(self, line: str, /) -> object:
        """Takes *line*, its line end included."""

    def isatty(self) -> bool:
        """Whether colours may be used."""


class Log:
    """The log of a server's process: the parts that its loggers share, and the counters for the metrics."""

    def __init__(self, level: str, form: str, out: Out | None = None, *, file: Path | None = None) -> None:
        """*form* is ``text`` for people or ``json`` for programs; *out* is *file*, else stderr, for None."""
        self._writer = out if out is not None else _writer(file)
        self._budget = LogBudget()
        self._lines = _Lines(form, colours=self._writer.isatty(), budget=self._budget)
        if isinstance(self._writer, LogWriter):
            self._writer.tell_dropped = lambda lines: self._lines.of("warning", "log_lines_dropped", lines=lines) + "\n"
        made = structlog.wrap_logger(
            _LineLogger(self._writer),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                self._lines,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
            cache_logger_on_first_use=True,
        )
        self.logger = cast("FilteringBoundLogger", made.bind())

    @property
    def dropped(self) -> int:
        """The number of lines that could not be written so far."""
        return self._writer.dropped if isinstance(self._writer, LogWriter) else 0

    @property
    def left_out(self) -> int:
        """The number of lines left out so far because a client caused too many."""
        return self._budget.left_out

    def trouble(self) -> str | None:
        """Why the log cannot be written now, as text; None if it can."""
        trouble = self._writer.trouble() if isinstance(self._writer, LogWriter) else None
        return None if trouble is None else f"the log cannot be written: {trouble}"

    def take_over(self) -> None:
        """Writes the log of libraries here too, because a reader can block the standard stream."""
        handler = _LibraryHandler(self.logger)
        logging.getLogger().handlers[:] = [handler]
        logging.captureWarnings(True)

    def close(self) -> None:
        """Takes no more lines, and waits a bounded time until all are written."""
        if isinstance(self._writer, LogWriter):
            self._writer.close()


def logger(level: str, form: str, out: Out | None = None) -> FilteringBoundLogger:
    """The logger of a new Log."""
    return Log(level, form, out).logger


def leave_faults_to_the_store() -> None:
    """Silences the pool of psycopg, which logs each attempt to connect: the store reports a fault once."""
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def silent_logger() -> FilteringBoundLogger:
    """A log that nobody reads, for what does not concern the user of a command."""
    made = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return cast("FilteringBoundLogger", made.bind())


def library_logger() -> FilteringBoundLogger:
    """A log on top of the standard library's logger ``mektup``, for a server inside a program."""
    made = structlog.wrap_logger(
        logging.getLogger("mektup"),
        processors=[
            _bounded,
            structlog.processors.KeyValueRenderer(key_order=["event"], repr_native_str=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    return cast("FilteringBoundLogger", made.bind())


def _writer(file: Path | None) -> LogWriter:
    if file is not None:
        return LogWriter(LogFile(file).descriptor)
    # if the process started without stderr, descriptor 2 may be a file of ours by now
    if sys.stderr is None:
        return LogWriter(-1)
    return LogWriter(sys.stderr.fileno(), terminal=sys.stderr.isatty())


class _LineLogger:
    """The logger to which structlog passes each finished line."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def msg(self, line: str) -> None:
        """Writes *line*; a line that cannot be written is dropped."""
        # a LogWriter raises nothing; another stream may be closed or full
        with contextlib.suppress(OSError, ValueError):
            self._out.write(line + "\n")

    debug = info = warning = error = critical = exception = msg


class _Lines:
    """Renders an event as one line, or several with a traceback. The last processor of structlog."""

    def __init__(self, form: str, *, colours: bool, budget: LogBudget) -> None:
        self._budget = budget
        self._form = form
        self._render: Processor
        if form == "json":
            self._render = structlog.processors.JSONRenderer()
        elif colours:
            self._render = structlog.dev.ConsoleRenderer(
                pad_event_to=EVENT_WIDTH, repr_native_str=True, exception_formatter=structlog.dev.plain_traceback
            )
        else:
            self._render = _plain

    def __call__(self, logger: object, method: str, event: Event) -> str:
        told = ""
        if untold := self._budget.take_untold():
            told = self.of("warning", "log_lines_left_out", lines=sum(untold.values()), **untold) + "\n"
        if not self._budget.admits(event):
            if not told:
                raise structlog.DropEvent
            return told[:-1]
        whose = dict(event)
        line = self._line(method, event)
        self._budget.spend(whose, len(line))
        return told + line

    def of(self, level: str, event: str, **values: object) -> str:
        """The line of an event of the log itself."""
        made: Event = {"event": event, "level": level, **values}
        return self._line(level, structlog.processors.TimeStamper(fmt="iso", utc=True)(None, level, made))

    def _line(self, method: str, event: Event) -> str:
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(cast("Any", None), method, event)
        traceback = event.pop("exception", None)
        event = _bounded(None, method, event)
        if traceback is not None:
            cut = str(traceback)[-TRACEBACK_CHARACTERS:]
            event["exception"] = cut if self._form == "json" else _set_off(cut)
        line = str(self._render(cast("Any", None), method, event))
        # DEL is the only control character that JSON does not escape
        return line.replace("\x7f", "\\u007f") if self._form == "json" else line


def _plain(logger: object, method: str, event: Event) -> str:
    """Renders *event* as structlog's ConsoleRenderer does without colours, in a tenth of its time.

    The speed matters because each delivery writes such a line.
    """
    named = f"{event.pop('timestamp')} [{event.pop('level'):{LEVEL_WIDTH}}] {event.pop('event'):{EVENT_WIDTH}}"
    traceback = event.pop("exception", None)
    line = " ".join([named, *[f"{key}={event[key]!r}" for key in sorted(event)]]).rstrip(" ")
    return line if traceback is None else f"{line}\n{traceback}"


def _bounded(logger: object, method: str, event: Event) -> Event:
    """Cuts long values, which may come from a client."""
    for key, value in event.items():
        if isinstance(value, (str, bytes)) and len(value) > VALUE_CHARACTERS:
            event[key] = f"{_text(value[:VALUE_CHARACTERS])}... ({len(value)} in all)"
    return event


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("ascii", "backslashreplace")


def _set_off(traceback: str) -> str:
    return "\n".join(MARGIN + escaped(line) for line in traceback.split("\n"))


class _LibraryHandler(logging.Handler):
    """Passes on the log of libraries: messages of asyncio, and warnings."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """As logging.Handler.emit."""
        try:
            said = record.getMessage()
        except (TypeError, ValueError):
            said = str(record.msg)
        method = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        method("library", source=record.name, said=said, exc_info=record.exc_info)
