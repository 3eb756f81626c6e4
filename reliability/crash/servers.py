"""Running servers: their ports, their processes, and their logs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path

from bench.processes import ProcessTree
from reliability.crash.nursery import Nursery
from reliability.own_address import HOST

SECONDS = 60.0
KEPT_LINES = 60

CONFIG = """
data = "{data}"
workers = {workers}
compression = {compression}
[log]
format = "json"
[lmtp]
trace = false
[listen]
imap = ["{host}:0"]
pop3 = ["{host}:0"]
lmtp = ["{host}:0"]
"""


class RunningServer:
    """A server that was started: with a nursery as a fork of it, else as a new process."""

    def __init__(self, config: Path, nursery: Nursery | None, whole_log: Path = Path(os.devnull)) -> None:
        """Returns when it listens. *whole_log* is a file for all lines of its log.

        Raises AssertionError if it does not listen.
        """
        self._whole_log = whole_log
        self.log: deque[str] = deque(maxlen=KEPT_LINES)
        self.errors: list[str] = []
        self.ports: dict[str, int] = {}
        self._is_ready = threading.Event()
        self._is_gone = threading.Event()
        reading, writing = os.pipe()
        self._process: subprocess.Popen[bytes] | None = None
        if nursery is not None:
            self.pid = nursery.serve(str(config), writing)
        else:
            command = [sys.executable, "-m", "mektup", "serve", "--config", str(config)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=writing)
            self.pid = self._process.pid
        os.close(writing)
        self._reader = threading.Thread(target=self._read, args=(reading,), daemon=True)
        self._reader.start()
        self._is_ready.wait(SECONDS)
        if not self.ports:
            self.kill_all()
            raise AssertionError(f"the server does not start: {self.log}")

    def _read(self, reading: int) -> None:
        with (
            os.fdopen(reading, encoding="utf-8", errors="replace") as lines,
            self._whole_log.open("w", encoding="utf-8") as whole,
        ):
            for line in lines:
                whole.write(line)
                self.log.append(line.rstrip())
                try:
                    entry = json.loads(line)
                except ValueError:
                    self.errors.append(line.rstrip())
                    continue
                if entry["event"] == "serving":
                    self.ports = {
                        service: int(found[1])
                        for service, where in entry.items()
                        if (found := re.match(rf"{re.escape(HOST)}:(\d+)", str(where)))
                    }
                    self._is_ready.set()
                elif "exception" in entry or entry["event"] in SERIOUS:
                    self.errors.append(line.rstrip())
        self._is_gone.set()
        self._is_ready.set()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, and all its workers."""
        return self._is_gone.is_set()

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        return list(ProcessTree(self.pid).pids())[1:]

    def kill_all(self) -> None:
        """Kills it and its workers."""
        for pid in [self.pid, *self.workers()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> None:
        """Waits until it has ended with all its workers. Raises AssertionError if it does not."""
        if self._process is not None:
            self._process.wait(SECONDS)
        assert self._is_gone.wait(SECONDS), f"processes of the server remain: {self.log}"

    def stop(self) -> None:
        """Asks it to end, and waits for that."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        self.wait()


SERIOUS = frozenset(
    {"session_failed", "command_failed", "store_fault", "worker_hangs", "worker_failed", "accounts_unreadable"}
)
