"""Runs ``mektup serve`` as a child process, as an operator does."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SECONDS = 20.0

SLOW = re.compile(r"Executing <.* took [\d.]+ seconds$")
"""The message of asyncio under ``-X dev`` about a slow round of the loop: it is caused by a busy machine."""

Entry = dict[str, Any]


class Process:
    """A running server, and its log."""

    def __init__(self, config: Path, module: str = "mektup", start_seconds: float = SECONDS) -> None:
        self.log: list[Entry] = []
        self.noise: list[str] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-m", module, "serve", "--config", str(config)],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            serving = self.until("serving", seconds=start_seconds)
        except TimeoutError:
            self.end()
            raise
        self.ports = {
            service: int(found[1])
            for service, where in serving.items()
            if (found := re.match(r"127\.0\.0\.1:(\d+)", str(where)))
        }

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._news:
                try:
                    entry = json.loads(line)
                except ValueError:
                    self.noise.append(line)
                else:
                    self._sort_in(entry)
                self._news.notify_all()

    def _sort_in(self, entry: Entry) -> None:
        """Counts messages of libraries as noise, like other output to stderr."""
        if entry["event"] != "library":
            self.log.append(entry)
        elif not SLOW.match(entry["said"]):
            self.noise.append(str(entry))

    def until(
        self,
        event: str,
        since: int = 0,
        where: Callable[[Entry], bool] = lambda entry: True,
        seconds: float = SECONDS,
    ) -> Entry:
        """The first log entry of that *event*; waits for it, *seconds* at most."""
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                for entry in self.log[since:]:
                    if entry["event"] == event and where(entry):
                        return entry
                if not self._news.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"no {event} in {self.log} {self.noise}")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        """The process id of the parent."""
        return self._process.pid

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def stop(self) -> int:
        """Sends SIGTERM; returns the exit status."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        status = self._process.wait(SECONDS)
        self._reader.join(SECONDS)
        return status

    def end(self) -> None:
        """Kills it in any state, with its workers, because a suspended worker does not end by itself."""
        if self._process.poll() is None:
            workers = self.workers()
            self._process.kill()
            for pid in workers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()


@contextmanager
def serving(
    directory: Path,
    *,
    workers: int = 1,
    more: str = "",
    log: str = "",
    alone: bool = True,
    killed: bool = False,
    module: str = "mektup",
) -> Iterator[Process]:
    """A server on free ports, with its data in *directory*; at the end it is stopped, and must end quietly.

    *more* and *log* are lines of the configuration, the second of its table ``[log]``. *alone*: no other server uses
    the data, so the bus must be empty afterwards. *killed*: the test kills it, so its output is not checked. *module*
    is run in place of mektup, with the same arguments.
    """
    config = directory / "mektup.toml"
    config.write_text(f"""
data = "data"
workers = {workers}
[log]
format = "json"
{log}
[listen]
imap = ["127.0.0.1:0"]
imaps = ["127.0.0.1:0"]
pop3 = ["127.0.0.1:0"]
lmtp = ["127.0.0.1:0", "unix:lmtp.sock"]
metrics = ["127.0.0.1:0"]
{more}
""")
    process = Process(config, module)
    try:
        yield process
        if killed:
            return
        assert process.stop() == 0
        assert not process.noise
        assert not alone or not list((directory / "data" / "run").glob("*.bus"))
        assert not (directory / "lmtp.sock").exists()
    except BaseException:
        process.end()
        print(*process.log, *process.noise, sep="\n")  # pytest shows it with the failure
        raise
    finally:
        process.end()


def is_alive(pid: int) -> bool:
    """Whether that process runs; a zombie does not count."""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
