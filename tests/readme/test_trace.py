"""docs/trace.md shows what ``mektup who`` and ``mektup trace`` really print."""

from __future__ import annotations

import re
import signal
import smtplib
import socket
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tests.readme.document import ROOT, blocks
from tests.server.process import SECONDS, Process, serving
from tests.support.command import mektup

PAGE = ROOT / "docs" / "trace.md"
LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} (?P<session>[0-9a-f]{8}) (?P<said>.*)")
LOGIN = "a1 LOGIN linda Pa$$123"
DIFFERENT_EACH_TIME = re.compile(
    r"(?<=UIDVALIDITY )\d+|(?<=MAILBOXID \()F[0-9a-f]+|(?<=CAPABILITY )[^\]]+|(?<=\{)\d+(?=\})|\d+(?= octets)"
)


def by_session(lines: list[str]) -> list[list[str]]:
    """What each session says, without times and names of sessions; the order between sessions is up to chance."""
    sessions: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        match = LINE.fullmatch(line)
        assert match is not None, line
        sessions[match["session"]].append(DIFFERENT_EACH_TIME.sub("*", match["said"]))
    return list(sessions.values())


class Client:
    """The program of the example: what it says is in the page."""

    def __init__(self, process: Process) -> None:
        self._socket = socket.create_connection(("127.0.0.1", process.ports["imap"]), timeout=SECONDS)
        self._lines = self._socket.makefile("rb")
        self.until("* OK")

    def say(self, line: str) -> None:
        self._socket.sendall(line.encode() + b"\r\n")
        tag = line.partition(" ")[0]
        self.until("+ " if "IDLE" in line else "a4 OK" if line == "DONE" else f"{tag} OK")

    def until(self, start: str) -> None:
        while not (line := self._lines.readline()).startswith(start.encode()):
            assert line

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def played(shown: list[str], directory: Path, process: Process) -> tuple[list[str], str]:
    """The lines of a trace, and the table of ``who``, while the clients of the page say what they say there."""
    data = str(directory / "data")
    since = len(process.log)
    trace = subprocess.Popen(
        [sys.executable, "-m", "mektup", "trace", "linda", "--data", data], stdout=subprocess.PIPE, text=True
    )
    process.until("control_trace", since)
    said = [match["said"] for line in shown if (match := LINE.fullmatch(line)) is not None]
    client = Client(process)
    for line in [LOGIN, *(each[3:] for each in said if re.match(r"C: (a\d+|DONE)", each))]:
        if line == "DONE":
            with smtplib.LMTP("127.0.0.1", process.ports["lmtp"]) as mta:
                mta.sendmail("deniz@example.org", ["linda"], b"Subject: tea\r\n\r\nAt four?\r\n")
            client.until("* 1 RECENT")
            process.until("session_ended", where=lambda entry: entry["protocol"] == "lmtp")
            who = mektup("who", "--data", data).stdout
        client.say(line)
    client.close()
    assert trace.stdout is not None
    lines: list[str] = []
    while sum(line.endswith(" -- end") for line in lines) < 2:
        lines.append(trace.stdout.readline().rstrip("\n"))
    trace.send_signal(signal.SIGINT)
    trace.communicate(timeout=SECONDS)
    assert trace.returncode == 0
    return lines, who


def test_the_example_is_what_happens(tmp_path: Path) -> None:
    mektup("user", "add", "linda", "--password-stdin", "--data", str(tmp_path / "data"), typed="Pa$$123")
    (shown,) = blocks(PAGE, "trace")
    (table,) = blocks(PAGE, "who")
    with serving(tmp_path, workers=1) as process:
        now, who = played(shown.splitlines(), tmp_path, process)
    assert by_session(now) == by_session(shown.splitlines())
    heads, row = (line.split() for line in who.splitlines())
    shown_heads, shown_row = (line.split() for line in table.splitlines())
    assert heads == shown_heads
    assert [*row[:4], *row[6:7], *row[10:12]] == [*shown_row[:4], *shown_row[6:7], *shown_row[10:12]]
