"""``mektup who``, ``kick`` and ``trace`` with real servers, of one process and of several workers."""

from __future__ import annotations

import imaplib
import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from mektup import Server
from mektup.server.control import socket_file
from mektup.server.control.messages import AskTrace, Line, Lost, Problem, ProblemKind, Whom, answer, encoded
from tests.server.process import SECONDS, Process, serving
from tests.support.command import Done, mektup

PASSWORD = "Pa$$123"
LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} (?P<session>[0-9a-f]{8}) (?P<said>.*)")


@contextmanager
def running(directory: Path, workers: int) -> Iterator[Process]:
    for name in ("linda", "fred"):
        mektup("user", "add", name, "--password-stdin", "--data", str(directory / "data"), typed=PASSWORD)
    # a worker that is killed leaves its socket of the bus until another one finds it
    with serving(directory, workers=workers, alone=False) as process:
        yield process


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("control")


@pytest.fixture(scope="module")
def process(directory: Path) -> Iterator[Process]:
    """A server of two workers, which all tests share; each ends its sessions."""
    with running(directory, workers=2) as process:
        yield process
    assert not list((directory / "data" / "run").glob("*.control"))


def until(predicate: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not predicate():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def command(directory: Path, *arguments: str) -> Done:
    return mektup(*arguments, "--data", str(directory / "data"))


def listed(directory: Path, *arguments: str) -> list[dict[str, Any]]:
    done = command(directory, "who", "--json", *arguments)
    assert done.status == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def clients(process: Process, *users: str) -> Iterator[list[imaplib.IMAP4]]:
    """Clients that have logged in."""
    made: list[imaplib.IMAP4] = []
    try:
        for user in users:
            made.append(imaplib.IMAP4("127.0.0.1", process.ports["imap"], timeout=SECONDS))
            made[-1].login(user, PASSWORD)
        yield made
    finally:
        for each in made:
            with suppress(OSError, imaplib.IMAP4.error):
                each.logout()
            with suppress(OSError):
                each.shutdown()


@contextmanager
def clients_of_both_workers(process: Process, directory: Path, user: str) -> Iterator[list[imaplib.IMAP4]]:
    """Clients of *user*, at least one on each worker; the kernel chooses."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with clients(process, *[user] * 5) as made:
            if len({each["worker"] for each in listed(directory, user)}) == 2:
                yield made
                return
    raise AssertionError("all connections went to one worker")


class Trace:
    """``mektup trace`` in another process."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "mektup", "trace", *arguments, "--data", str(directory / "data")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))

    def said(self, session: str | None = None) -> list[str]:
        """The lines without their times, of one session or of all."""
        found = [match for line in self.lines if (match := LINE.fullmatch(line)) is not None]
        return [match["said"] for match in found if session in (None, match["session"])]

    def until(self, text: str) -> None:
        until(lambda: any(text in line for line in self.lines))

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        status = self._process.wait(SECONDS)
        self._reader.join(SECONDS)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return status


@contextmanager
def tracing(process: Process, directory: Path, *arguments: str) -> Iterator[Trace]:
    """A trace that the server has begun."""
    since = len(process.log)
    trace = Trace(directory, *arguments)
    try:
        process.until("control_trace", since)
        yield trace
    finally:
        with suppress(ProcessLookupError, ValueError):
            trace.stop(signal.SIGKILL)


def test_who_lists_the_sessions_of_all_workers(process: Process, directory: Path) -> None:
    with clients_of_both_workers(process, directory, "linda") as made, clients(process, "fred") as (fred,):
        made[0].select("INBOX")
        fred.noop()
        sessions = listed(directory)
        assert len([each for each in sessions if each["user"] == "linda"]) == len(made)
        (selected,) = [each for each in sessions if each["mailbox"] == "INBOX"]
        port = made[0].socket().getsockname()[1]
        assert (selected["port"], selected["address"], selected["state"]) == (port, "127.0.0.1", "selected")
        assert (selected["command"], selected["protocol"], selected["tls"]) == ("SELECT", "imap", False)
        assert selected["octets_out"] > selected["octets_in"] > 30
        assert [each["user"] for each in listed(directory, "FRED")] == ["fred"]
        table = command(directory, "who", "fred").stdout.splitlines()
        assert table[0].split() == "user state protocol address since last command in out client session worker".split()
        assert table[1].split()[:3] == ["fred", "authenticated", "imap"]


def test_who_shows_strangers_only_if_asked(process: Process, directory: Path) -> None:
    with socket.create_connection(("127.0.0.1", process.ports["imap"]), SECONDS) as stranger:
        stranger.recv(10)
        port = stranger.getsockname()[1]
        assert port not in [each["port"] for each in listed(directory)]
        (found,) = [each for each in listed(directory, "--all") if each["port"] == port]
        assert (found["user"], found["state"]) == (None, "not authenticated")


def test_who_shows_a_client_that_idles(process: Process, directory: Path) -> None:
    with clients(process, "fred") as (fred,):
        fred.send(b"i IDLE\r\n")
        assert fred.readline().startswith(b"+")
        (found,) = listed(directory, "fred")
        assert (found["state"], found["command"]) == ("idle", "IDLE")
        fred.send(b"DONE\r\n")
        fred.readline()


def test_text_of_a_client_cannot_reach_the_terminal(process: Process, directory: Path) -> None:
    with clients(process, "fred") as (fred,):
        fred.send('i ID ("name" "\x1b]0;owned\x07Mail" "version" "\u202e1")\r\n'.encode())
        while not fred.readline().startswith(b"i OK"):
            pass
        fred.create('"&IC4-evil"')
        fred.select('"&IC4-evil"')
        for arguments in ((), ("--json",)):
            done = command(directory, "who", "fred", *arguments)
            assert "Mail" in done.stdout
            assert "evil" in done.stdout
            assert all(" " <= letter <= "~" or letter == "\n" for letter in done.stdout)


def test_kick_ends_all_sessions_of_a_user_with_a_farewell(process: Process, directory: Path) -> None:
    with clients_of_both_workers(process, directory, "linda") as made, clients(process, "fred") as (fred,):
        done = command(directory, "kick", "linda", "--reason", "maintenance")
        assert done.stdout == f"ended {len(made)} sessions\n"
        for each in made:
            assert each.readline() == b"* BYE The operator of the server has ended this session: maintenance\r\n"
            assert each.readline() == b""
        assert fred.noop()[0] == "OK"
        until(lambda: not listed(directory, "linda"))
    kicked = process.until("session_kicked", where=lambda entry: entry["user"] == "linda")
    assert kicked["reason"].endswith("maintenance")
    assert process.until("control_kick")["uid"] == os.getuid()


def test_kick_by_session_and_by_address(process: Process, directory: Path) -> None:
    with clients(process, "fred", "fred") as (first, second):
        by_port = {each["port"]: each["session"] for each in listed(directory, "fred")}
        assert command(directory, "kick", by_port[first.socket().getsockname()[1]]).stdout == "ended 1 session\n"
        assert first.readline().startswith(b"* BYE The operator")
        assert second.noop()[0] == "OK"
        assert command(directory, "kick", "fred", "--address", "192.0.2.0/24").stdout == "ended 0 sessions\n"
        assert command(directory, "kick", "fred", "--address", "127.0.0.0/8").stdout == "ended 1 session\n"
        assert second.readline().startswith(b"* BYE")


def test_kick_cuts_off_a_client_in_the_middle_of_a_message(process: Process, directory: Path) -> None:
    with clients(process, "fred") as (fred,):
        fred.send(b"a APPEND INBOX {1000}\r\n")
        assert fred.readline().startswith(b"+")
        fred.send(b"x" * 10)
        assert command(directory, "kick", "fred").stdout == "ended 1 session\n"
        assert fred.readline().startswith(b"* BYE The operator")


@pytest.mark.parametrize(
    "arguments",
    [
        ("kick",),
        ("trace",),
        ("kick", "--address", "nowhere"),
        ("kick", "fred", "--reason", "bye\r\nbye"),
        ("kick", "fred", "--reason", "güle güle"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert command(tmp_path, *arguments).status == 2


@pytest.mark.parametrize("arguments", [("who",), ("kick", "fred"), ("trace", "fred")])
def test_no_server(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = command(tmp_path, *arguments)
    assert done.status == 1
    assert done.stderr.endswith(f"mektup: no server is running on {tmp_path / 'data'}\n")
    assert not (tmp_path / "data").exists()


def test_trace_shows_present_and_future_sessions(process: Process, directory: Path) -> None:
    with clients_of_both_workers(process, directory, "linda") as made, tracing(process, directory, "linda") as trace:
        for each in made:
            each.noop()
        until(lambda: len([line for line in trace.said() if line.endswith(" NOOP")]) == len(made))
        with clients(process, "linda", "fred") as (later, fred):
            (port,) = [each["session"] for each in listed(directory) if each["port"] == later.socket().getsockname()[1]]
            fred.select("Junk")
            later.append("INBOX", "", "", b"Subject: note\r\n\r\nsecret text\r\n")
            later.select("INBOX")
            later.fetch("1", "(BODY.PEEK[])")
            trace.until("FETCH completed")
        trace.until(" LOGOUT")
        said = trace.said(port)
        assert said[0].startswith("-- imap session with 127.0.0.1, user linda, worker ")
        assert re.fullmatch(r"S: \w+ OK \[CAPABILITY .*\] Welcome", said[1])
        assert re.fullmatch(r"C: \w+ APPEND INBOX \{30\}", said[2])
        assert said[3:5] == ["S: + Go ahead", "C: ... 30 octets"]
        assert "S: * 1 FETCH (BODY[] {30} ... 30 octets" in said
        everything = "\n".join(trace.lines)
        assert "secret text" not in everything
        assert PASSWORD not in everything
        assert "Junk" not in everything
        assert trace.stop() == 0
    until(lambda: not any(each["user"] for each in listed(directory)))


def test_trace_of_an_address_begins_with_the_greeting(process: Process, directory: Path) -> None:
    with tracing(process, directory, "--address", "127.0.0.1", "--bytes", "--commands", "4") as trace:
        with clients(process, "fred") as (fred,):
            fred.append("INBOX", "", "", b"Subject: note\r\n\r\nhello\r\n")
            fred.noop()
            fred.noop()
            assert trace.wait() == 0
        said = trace.said()
        assert said[1].startswith("S: * OK [CAPABILITY ")
        assert re.fullmatch(r"C: \w+ LOGIN fred \*\*\*", said[5])
        assert [line for line in said if "| " in line] == ["C: | Subject: note", "C: | ", "C: | hello"]
        assert len([line for line in said if re.match(r"C: \w+ [A-Z]", line)]) == 4


def test_trace_of_a_user_shows_deliveries(process: Process, directory: Path) -> None:
    with tracing(process, directory, "fred") as trace:
        for recipient in ("linda", "fred"):
            with smtplib.LMTP("127.0.0.1", process.ports["lmtp"]) as mta:
                mta.sendmail("a@example.org", [recipient], b"Subject: to " + recipient.encode() + b"\r\n\r\n\r\n")
        trace.until(" -- end")
        assert [line for line in trace.said() if not line.startswith("--")] == [
            "C: RCPT TO:<fred>",
            "S: 250 2.1.5 Recipient accepted",
            "C: data",
            "S: 354 Go ahead, CRLF.CRLF ends it",
            "C: ... 22 octets",
            "S: 250 2.0.0 <fred> Saved",
        ]


def test_a_trace_goes_on_after_a_worker_was_killed_and_after_a_reload(process: Process, directory: Path) -> None:
    with tracing(process, directory, "fred") as trace:
        since = len(process.log)
        os.kill(process.workers()[0], signal.SIGKILL)
        process.until("worker_died", since)
        with clients_of_both_workers(process, directory, "fred") as made:
            since = len(process.log)
            process.signal(signal.SIGHUP)
            process.until("reloaded", since)
            for each in made:
                each.noop()
            until(lambda: len([line for line in trace.said() if line.endswith(" NOOP")]) >= len(made))


def test_a_trace_is_forgotten_when_its_command_is_killed(process: Process, directory: Path) -> None:
    def sockets() -> set[tuple[int, str]]:
        found = set()
        for pid in (process.pid, *process.workers()):
            for each in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(FileNotFoundError):  # the server closed it meanwhile
                    found.add((pid, os.readlink(each)))
        return {each for each in found if each[1].startswith("socket:")}

    with clients(process, "fred") as (fred,):
        fred.noop()
        before = sockets()
        with tracing(process, directory, "fred") as trace:
            fred.noop()
            trace.until(" NOOP")
            made = sockets() - before
            assert made
            trace.stop(signal.SIGKILL)
        until(lambda: not made & sockets())
        assert fred.noop()[0] == "OK"


def asker(directory: Path) -> socket.socket:
    ((_, found),) = socket_file.connected(directory / "data")
    found.settimeout(SECONDS)
    return found


def test_a_trace_that_is_not_read_delays_nobody_and_says_what_is_lost(process: Process, directory: Path) -> None:
    since = len(process.log)
    with clients(process, "fred") as (fred,), asker(directory) as reader:
        reader.sendall(encoded(AskTrace(Whom("fred"))))
        process.until("control_trace", since)
        commands = 40_000
        for _ in range(commands // 200):
            fred.send(b"a NOOP\r\n" * 200)
            for _ in range(200):
                assert fred.readline().startswith(b"a OK")
        shown = lost = 0
        with reader.makefile("rb") as read:
            # who is followed, and two lines for each command: each of them is shown or counted
            while shown + lost < 1 + 2 * commands:
                told = answer(read.readline())
                assert isinstance(told, Line | Lost)
                if isinstance(told, Line):
                    shown += 1
                else:
                    lost += told.lines
            assert shown + lost == 1 + 2 * commands
            assert lost > 1000
            # who reads again is shown all again
            fred.send(b"b NOOP\r\n")
            told = answer(read.readline())
            assert isinstance(told, Line)
            assert told.text == "b NOOP"


def test_what_is_no_question_is_answered(process: Process, directory: Path) -> None:
    for said, kind in (
        (b"GET / HTTP/1.1\r\n", ProblemKind.NOT_UNDERSTOOD),
        (b"x" * 100_000 + b"\n", ProblemKind.NOT_UNDERSTOOD),
        (b'{"type":"sessions","version":99}\n', ProblemKind.OTHER_VERSION),
    ):
        with asker(directory) as client, client.makefile("rb") as answers:
            with suppress(BrokenPipeError):
                client.sendall(said)
            assert answer(answers.readline()) == Problem(kind)
    assert command(directory, "who").status == 0


def test_many_ask_at_once_and_some_say_nothing(process: Process, directory: Path) -> None:
    silent = [asker(directory) for _ in range(31)]
    try:
        assert command(directory, "who").status == 0
        # the place of that command may become free a moment later
        for _ in range(5):
            silent.append(asker(directory))
            done = command(directory, "who")
            if done.status:
                break
        assert (done.status, "too many commands" in done.stderr) == (1, True)
    finally:
        for each in silent:
            each.close()


def test_only_the_owner_may_ask(process: Process, directory: Path) -> None:
    run = directory / "data" / "run"
    (made,) = run.glob("*.control")
    assert made.stat().st_mode & 0o7777 == 0o600
    assert run.stat().st_mode & 0o7777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_whatever_the_modes_are(tmp_path: Path, process: Process, directory: Path) -> None:
    (made,) = (directory / "data" / "run").glob("*.control")
    open_to_all = [made, made.parent, made.parent.parent, *directory.parents[:3], directory]
    modes = {path: path.stat().st_mode & 0o7777 for path in open_to_all}
    code = (
        "import os, socket, sys\n"
        "client = socket.socket(socket.AF_UNIX)\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "client.connect(sys.argv[1])\n"
        "print(client.recv(1000).decode())\n"
    )
    try:
        for path in open_to_all:
            path.chmod(0o777)
        done = subprocess.run([sys.executable, "-c", code, str(made)], capture_output=True, text=True, timeout=SECONDS)
        assert '"kind":"forbidden"' in done.stdout, done
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert process.until("control_refused")["uid"] == 65534


def test_two_servers_on_one_data_directory_are_both_asked_and_a_dead_one_is_cleared_away(tmp_path: Path) -> None:
    mektup("user", "add", "linda", "--password-stdin", "--data", str(tmp_path / "data"), typed=PASSWORD)
    other = tmp_path / "other"
    other.mkdir()
    (other / "data").symlink_to(tmp_path / "data")
    run = tmp_path / "data" / "run"
    with serving(tmp_path, alone=False) as first:
        with serving(other, alone=False, killed=True) as second:
            with clients(first, "linda"), clients(second, "linda"):
                assert {each["pid"] for each in listed(tmp_path)} == {first.pid, second.pid}
                assert command(tmp_path, "kick", "linda").stdout == "ended 2 sessions\n"
        second.end()
        assert len(list(run.glob("*.control"))) == 2
        assert command(tmp_path, "who").status == 0
        assert len(list(run.glob("*.control"))) == 1
    assert not list(run.glob("*.control"))


async def test_an_embedded_server_has_no_control_socket(tmp_path: Path) -> None:
    async with Server(tmp_path / "data"):
        assert not list((tmp_path / "data" / "run").glob("*.control"))
