"""Logs: one line an event, each with its session's id where there is one.

What a client sent may stand in a value, so every value is escaped and bounded: no line can be forged, no terminal
commanded, no log filled. Tracebacks show no values of variables, among which a password could be, and their lines are
set off, because the message of an exception can hold what a client sent.

No call of the log raises or waits: what cannot be written is dropped (``log_writer``).
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Protocol, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from mektup.server.log_budget import LogBudget
from mektup.server.log_writer import LogWriter

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

VALUE_CHARACTERS = 1024
"""The most that is shown of one value."""

TRACEBACK_CHARACTERS = 8 * 1024
"""The most that is shown of a traceback: its end, which names the error."""

MARGIN = "  | "
"""Before each line of a traceback in the form for people."""

EVENT_WIDTH = 24
LEVEL_WIDTH = 9
"""Columns of a line for people."""

Event = MutableMapping[str, Any]


class Out(Protocol):
    """Where lines go: a LogWriter, or a stream."""

    def write(self, line: str, /) -> object:
        """Takes *line*, its line end included."""

    def isatty(self) -> bool:
        """Whether colours are welcome."""


class Log:
    """The log of a server's process: what its loggers share, and what the metrics ask."""

    def __init__(self, level: str, form: str, out: Out | None = None) -> None:
        """*form* is ``text`` for people or ``json`` for programs; *out* is stderr for None."""
        self._writer = out if out is not None else _stderr_writer()
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
        """Lines that could not be written, so far."""
        return self._writer.dropped if isinstance(self._writer, LogWriter) else 0

    @property
    def left_out(self) -> int:
        """Lines that were left out because a client caused too many, so far."""
        return self._budget.left_out

    def take_over(self) -> None:
        """Has what libraries say written here too: the standard stream is one that a reader can block."""
        handler = _LibraryHandler(self.logger)
        logging.getLogger().handlers[:] = [handler]
        logging.captureWarnings(True)

    def close(self) -> None:
        """Takes no more, and waits a bounded time until all is written."""
        if isinstance(self._writer, LogWriter):
            self._writer.close()


def logger(level: str, form: str, out: Out | None = None) -> FilteringBoundLogger:
    """The logger of a new Log."""
    return Log(level, form, out).logger


def library_logger() -> FilteringBoundLogger:
    """A log that speaks through the standard library's logger ``mektup``, for a server inside somebody's program."""
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


def _stderr_writer() -> LogWriter:
    # where a process begins without stderr, its number may belong to a file of ours by now
    if sys.stderr is None:
        return LogWriter(-1)
    return LogWriter(sys.stderr.fileno(), terminal=sys.stderr.isatty())


class _LineLogger:
    """What structlog hands a finished line to."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def msg(self, line: str) -> None:
        """Writes *line*; one that cannot be written is dropped."""
        # a LogWriter raises neither; another stream may be closed or full
        with contextlib.suppress(OSError, ValueError):
            self._out.write(line + "\n")

    debug = info = warning = error = critical = exception = msg


class _Lines:
    """Makes an event one line, or several for a traceback; a processor of structlog, the last one."""

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
        """The line of an event of the log's own."""
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
        # the one control that JSON does not escape
        return line.replace("\x7f", "\\u007f") if self._form == "json" else line


def _plain(logger: object, method: str, event: Event) -> str:
    """What structlog's ConsoleRenderer makes of *event* without colours, in a tenth of its time.

    There is such a line for each delivery.
    """
    named = f"{event.pop('timestamp')} [{event.pop('level'):{LEVEL_WIDTH}}] {event.pop('event'):{EVENT_WIDTH}}"
    traceback = event.pop("exception", None)
    line = " ".join([named, *[f"{key}={event[key]!r}" for key in sorted(event)]]).rstrip(" ")
    return line if traceback is None else f"{line}\n{traceback}"


def _bounded(logger: object, method: str, event: Event) -> Event:
    """Cuts values that are long; what a client sent may be."""
    for key, value in event.items():
        if isinstance(value, (str, bytes)) and len(value) > VALUE_CHARACTERS:
            event[key] = f"{_text(value[:VALUE_CHARACTERS])}... ({len(value)} in all)"
    return event


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("ascii", "backslashreplace")


def _set_off(traceback: str) -> str:
    return "\n".join(MARGIN + _escaped(line) for line in traceback.split("\n"))


def _escaped(line: str) -> str:
    """*line* with every control, format and separator character written out, those of bidirectional text among them."""
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


class _LibraryHandler(logging.Handler):
    """Passes on what libraries log: asyncio's complaints, warnings."""

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
