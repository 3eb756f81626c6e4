"""Logs: one line an event, each with its session's id where there is one.

What a client sent may stand in a value, so every value is escaped: no line can be forged, no terminal
commanded. Tracebacks show no values of variables, among which a password could be.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def logger(level: str, form: str, stream: TextIO | None = None) -> FilteringBoundLogger:
    """A log that writes lines to *stream*, or stderr: *form* is ``text`` for people or ``json`` for programs."""
    stream = stream or sys.stderr
    shape: list[Processor]
    if form == "json":
        shape = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        shape = [
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(),
                pad_event_to=24,
                repr_native_str=True,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    made = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=True,
    )
    return cast("FilteringBoundLogger", made.bind())


def library_logger() -> FilteringBoundLogger:
    """A log that speaks through the standard library's logger ``mektup``, for a server inside somebody's program."""
    made = structlog.wrap_logger(
        logging.getLogger("mektup"),
        processors=[
            structlog.processors.KeyValueRenderer(key_order=["event"], repr_native_str=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    return cast("FilteringBoundLogger", made.bind())
