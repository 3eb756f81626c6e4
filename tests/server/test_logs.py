"""Logs: no input of a client can forge a line, and no traceback has a secret."""

from __future__ import annotations

import imaplib
import io
import json
import logging
import re

import pytest

from mektup import Server
from mektup.server import logs

FORGED = "linda\r\n2026-11-24 [info] logged_in user=root\x1b[2J"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_value_stays_a_value(form: str) -> None:
    stream = io.StringIO()
    logs.logger("info", form, stream).bind(session="ab").warning("login_refused", name=FORGED)
    (line,) = stream.getvalue().splitlines()
    assert "\x1b" not in line
    assert "ab" in line
    if form == "json":
        assert json.loads(line)["name"] == FORGED


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_shows_no_values(form: str) -> None:
    stream = io.StringIO()
    password = "geheim"
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logs.logger("info", form, stream).exception("command_failed")
    assert "RuntimeError: broken" in stream.getvalue()
    assert f"'{password}'" not in stream.getvalue().replace('password = "geheim"', "")


def test_levels_are_kept() -> None:
    stream = io.StringIO()
    log = logs.logger("warning", "text", stream)
    log.info("quiet")
    log.warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_a_server_in_a_program_speaks_through_its_logging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mektup")
    with Server(users={"linda": "Pa$$123"}).in_thread() as server:
        client = imaplib.IMAP4(*server.address("imap"))
        with pytest.raises(imaplib.IMAP4.error):
            client.login("deniz", "Pa$$123")
        client.login("linda", "Pa$$123")
        client.logout()
    text = caplog.text
    assert "event='auth_failed'" in text
    assert "user='deniz'" in text
    assert "event='login'" in text
    assert "user='linda'" in text
    assert "event='session_ended'" in text
    assert "Pa$$123" not in text


CONTROLS = "".join(map(chr, [*range(32), 127, *range(128, 160)]))
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("value", [CONTROLS, BIDI, (CONTROLS + BIDI).encode(), ["\x1b[2J\r\n"], {"a": "\x9b\u202e"}])
def test_no_control_and_no_mark_of_direction_is_written(form: str, value: object) -> None:
    stream = io.StringIO()
    logs.logger("info", form, stream).info("client_id", client=value)
    (line,) = stream.getvalue().split("\n")[:-1]
    assert line.isprintable()


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_message_of_an_exception_forges_no_line(form: str) -> None:
    stream = io.StringIO()
    try:
        raise ValueError(FORGED + CONTROLS + BIDI)
    except ValueError:
        logs.logger("info", form, stream).exception("command_failed")
    first, *others, last = stream.getvalue().split("\n")
    assert "command_failed" in first
    assert all(line.startswith(logs.MARGIN) for line in others)
    assert all(line.isprintable() for line in (first, *others))
    assert not last


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("value", ["x" * 1_000_000, b"x" * 1_000_000, "\u202e" * 1_000_000])
def test_a_value_is_bounded(form: str, value: object) -> None:
    stream = io.StringIO()
    try:
        raise ValueError(value)
    except ValueError:
        logs.logger("info", form, stream).exception("command_failed", tag=value)
    assert len(stream.getvalue()) < 100_000


class Broken(io.StringIO):
    def write(self, line: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_stream_that_cannot_be_written_is_passed_over(form: str) -> None:
    logs.logger("info", form, Broken()).error("worker_died")
    closed = io.StringIO()
    log = logs.logger("info", form, closed)
    closed.close()
    log.error("worker_died")


def test_messages_of_libraries_are_log_lines() -> None:
    stream = io.StringIO()
    log = logs.Log("info", "json", stream)
    record = logging.LogRecord("asyncio", logging.ERROR, "x.py", 1, "lost %s", ("\x1b",), None)
    logs._LibraryHandler(log.logger).emit(record)
    assert json.loads(stream.getvalue())["said"] == "lost \x1b"


@pytest.mark.parametrize("seconds", [None, 1.5])
@pytest.mark.parametrize("event", ["over", "an_event_of_more_than_24_characters"])
@pytest.mark.parametrize("error", [None, ValueError("two\nlines")])
def test_a_line_for_people_is_the_one_that_structlog_makes_without_its_colours(
    event: str, seconds: float | None, error: Exception | None
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    plain, coloured = io.StringIO(), Terminal()
    for out in (plain, coloured):
        log = logs.logger("info", "text", out)
        values = {} if seconds is None else {"seconds": seconds, "name": "two words", "b": b"\0", "a": ("x", None)}
        log.warning(event, exc_info=error, **values)
    uncoloured = (re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()) for out in (plain, coloured))
    lines = [[line.rstrip() for line in re.sub(r"^\S+", "", text).split("\n")] for text in uncoloured]
    assert lines[0] == lines[1]
