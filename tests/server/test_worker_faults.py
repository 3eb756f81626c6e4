"""Workers that die, hang or cannot be started: the parent goes on, logs it, and tries again."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from .process import Process, serving
from .test_workers import login, login_on_both, until, with_linda, worker_of

IMPATIENT = "[limits]\nworker_silence_seconds = 1.0\n"

PATIENT = "[limits]\nworker_silence_seconds = 8.0\n"
"""A ping every two seconds."""


def health(process: Process) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{process.ports['metrics']}/health", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("kind", [resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC], ids=["descriptors", "processes"])
def test_a_worker_that_cannot_be_made_is_tried_again(tmp_path: Path, kind: int) -> None:
    if kind == resource.RLIMIT_NPROC and os.geteuid() == 0:
        pytest.skip("root may have as many processes as it likes")
    with_linda(tmp_path)
    with serving(tmp_path, workers=2, alone=False) as process:
        before = resource.prlimit(process.pid, kind)
        held = [int(each) for each in os.listdir(f"/proc/{process.pid}/fd")]
        resource.prlimit(process.pid, kind, (max(held) + 1 if kind == resource.RLIMIT_NOFILE else 1, before[1]))
        os.kill(process.workers()[0], signal.SIGKILL)
        process.until("worker_died")
        reason = process.until("worker_not_started")["reason"]
        status, text = health(process)
        assert status == 503
        assert f"worker 0 cannot be started: {reason}" in text or f"worker 1 cannot be started: {reason}" in text
        # the other worker serves
        login(process).logout()
        resource.prlimit(process.pid, kind, before)
        until(lambda: health(process) == (200, "2 of 2 workers up\n"))
        assert len(process.workers()) == 2


def test_a_worker_that_hangs_is_reported_and_replaced(tmp_path: Path) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=2, more=IMPATIENT, alone=False) as process:
        hung = process.workers()[0]
        os.kill(hung, signal.SIGSTOP)
        status, text = health(process)
        assert status == 503
        assert text.startswith("1 of 2 workers up\n")
        assert process.until("worker_hangs")["seconds"] == 1
        process.until("worker_died", where=lambda entry: entry["status"] == -signal.SIGKILL)
        until(lambda: health(process)[0] == 200)
        assert hung not in process.workers()
        for _ in range(8):
            login(process).logout()


BLOCKS = """
import signal

def block(number, frame):
    while True:
        pass

signal.signal(signal.SIGUSR1, block)
"""
"""Python runs this before a program whose path has it: SIGUSR1 then blocks the event loop for good."""


def test_a_worker_whose_loop_is_blocked_is_replaced_once_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCKS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with_linda(tmp_path)
    with serving(tmp_path, workers=2, more="[limits]\nworker_silence_seconds = 4.0\n", alone=False) as process:
        victim, other = login_on_both(process)
        blocked, spared = worker_of(victim, process), worker_of(other, process)
        os.kill(blocked, signal.SIGUSR1)
        process.until("worker_hangs")
        process.until("worker_died", where=lambda entry: entry["status"] == -signal.SIGKILL)
        assert other.noop()[0] == "OK"
        until(lambda: health(process)[0] == 200)
        assert spared in process.workers()
        assert blocked not in process.workers()
        events = [entry["event"] for entry in process.log]
        assert (events.count("worker_hangs"), events.count("worker_died")) == (1, 1)
        with urlopen(f"http://127.0.0.1:{process.ports['metrics']}/metrics", timeout=10) as page:
            hangs = [
                line for line in page.read().decode().splitlines() if line.startswith("mektup_worker_hangs_total{")
            ]
        assert sorted(line.split()[-1] for line in hangs) == ["0.0", "1.0"]
        victim.shutdown()
        other.logout()


def test_a_worker_that_is_silent_for_a_moment_is_left_alone(tmp_path: Path) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=2, more="[limits]\nworker_silence_seconds = 60.0\n") as process:
        workers = process.workers()
        os.kill(workers[0], signal.SIGSTOP)
        assert health(process)[0] == 503
        os.kill(workers[0], signal.SIGCONT)
        until(lambda: health(process)[0] == 200)
        assert process.workers() == workers


def test_a_parent_that_was_stopped_blames_no_worker(tmp_path: Path) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=2, more="[limits]\nworker_silence_seconds = 0.4\n") as process:
        workers = process.workers()
        for _ in range(3):
            process.signal(signal.SIGSTOP)
            time.sleep(0.6)
            process.signal(signal.SIGCONT)
            assert health(process)[0] == 200
        assert process.workers() == workers


def test_a_worker_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=2, more=PATIENT, alone=False) as process:
        os.kill(process.workers()[0], signal.SIGSTOP)
        # it has left a ping without an answer
        until(lambda: health(process)[0] == 503)
        time.sleep(2.5)
        began = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - began < 10


def test_a_worker_that_was_only_slow_says_goodbye(tmp_path: Path) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=2, more=PATIENT) as process:
        client = login(process)
        slow = worker_of(client, process)
        os.kill(slow, signal.SIGSTOP)
        until(lambda: health(process)[0] == 503)
        time.sleep(2.5)  # it has left a ping without an answer
        process.signal(signal.SIGTERM)
        process.until("stopping")
        until(lambda: len(process.workers()) == 1)  # the other worker has ended
        os.kill(slow, signal.SIGCONT)
        assert client.readline().startswith(b"* BYE ")
        client.shutdown()
        assert process.wait() == 0


def test_a_worker_that_dies_again_and_again_is_started_again(tmp_path: Path) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=2, alone=False) as process:
        for _ in range(4):
            since = len(process.log)
            os.kill(process.workers()[-1], signal.SIGKILL)
            process.until("worker_died", since)
            until(lambda: health(process) == (200, "2 of 2 workers up\n"))


def test_a_worker_that_dies_again_and_again_is_reported(tmp_path: Path) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=2, alone=False) as process:
        others = process.workers()[1:]
        while health(process) != (503, "1 of 2 workers up\nworker 0 dies again and again\n"):
            for pid in process.workers():
                if pid not in others:
                    os.kill(pid, signal.SIGKILL)
        until(lambda: health(process) == (200, "2 of 2 workers up\n"))


def started_in_a_group(directory: Path) -> subprocess.Popen[str]:
    config = directory / "mektup.toml"
    listen = 'imap = ["127.0.0.1:0"]\n'
    config.write_text(f'data = "data"\nworkers = 2\n[log]\nformat = "json"\n[listen]\n{listen}')
    return subprocess.Popen(
        [sys.executable, "-m", "mektup", "serve", "--config", str(config)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def children(process: subprocess.Popen[str]) -> list[str]:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


@pytest.mark.parametrize("moment", ["while it starts", "while it serves"])
@pytest.mark.parametrize("workers_first", [True, False])
def test_stopping_the_process_group_logs_no_dead_worker(tmp_path: Path, moment: str, workers_first: bool) -> None:
    process = started_in_a_group(tmp_path)
    said = ""
    if moment == "while it serves":
        assert process.stderr is not None
        said = process.stderr.readline()
        assert json.loads(said)["event"] == "serving"
    else:
        until(lambda: len(children(process)) == 2)
    if workers_first:
        for pid in children(process):
            os.kill(int(pid), signal.SIGTERM)
    os.killpg(process.pid, signal.SIGTERM)
    _, rest = process.communicate(timeout=20)
    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in (said + rest).splitlines()]
    assert events == (["serving"] if moment == "while it serves" else []) + ["stopping", "stopped"]
