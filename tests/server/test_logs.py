"""Logs: nothing that a client sends forges a line, and nothing secret is in a traceback."""

from __future__ import annotations

import imaplib
import io
import json
import logging

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
