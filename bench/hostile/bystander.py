"""Another user of the same worker: sends NOOP every few milliseconds, and measures how long each waits.

It is a separate process, so that the attacker's work does not delay it:
``python -m bench.hostile.bystander PORT NAME PASSWORD SERVER_PID``. It prints ``ready``, goes on until its standard
input ends, and then prints its figures as JSON.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, cast

PAUSE_SECONDS = 0.004
QUIET_NOOPS = 50
PATIENCE_SECONDS = 60.0
"""The longest wait for an answer."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long NOOPs took, in seconds."""

    count: int
    longest: float
    machine: float
    """The part of the longest wait in which the server or the bystander was ready to run, but had no core."""
    net: float
    """The longest wait after that part is subtracted from each; it may be another NOOP."""
    p99: float
    net_p99: float
    """The same, after that part is subtracted from each."""
    quiet: float
    """The longest wait before the attack."""


class Bystander:
    """Starts the process, and reads its figures."""

    def __init__(self, port: int, name: str, password: str, server: int) -> None:
        command = [sys.executable, "-m", "bench.hostile.bystander", str(port), name, password, str(server)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._out.readline() != b"ready\n":
            raise OSError("the bystander could not log in")

    @property
    def _out(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdout)

    def waits(self) -> Waits:
        """Ends the process, and returns its figures."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        told = self._out.read()
        self._process.wait(PATIENCE_SECONDS)
        self._out.close()
        return Waits(**json.loads(told))

    def end(self) -> None:
        """Ends the process, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _run_delay(files: list[IO[bytes]]) -> float:
    """Seconds that the processes of *files*, /proc/PID/schedstat, were ready to run and had no core."""
    delay = 0.0
    for file in files:
        file.seek(0)
        fields = file.read().split()
        delay += int(fields[1]) / 1e9 if len(fields) > 1 else 0.0
    return delay


def _opened(pid: str) -> list[IO[bytes]]:
    try:
        return [Path(f"/proc/{who}/schedstat").open("rb", buffering=0) for who in (pid, "self")]
    except FileNotFoundError:
        return []


def _noop(client: socket.socket) -> None:
    client.sendall(b"n NOOP\r\n")
    answer = b""
    while b"n OK" not in answer or not answer.endswith(b"\r\n"):
        octets = client.recv(1 << 16)
        if not octets:
            raise OSError("the server closed the connection")
        answer = answer[-100:] + octets


def _watch(client: socket.socket, server: str) -> Waits:
    files = _opened(server)
    took: list[tuple[float, float]] = []
    ready = False
    ended = False
    while not ended:
        delayed = _run_delay(files)
        begun = time.perf_counter()
        _noop(client)
        seconds = time.perf_counter() - begun
        took.append((seconds, min(seconds, _run_delay(files) - delayed)))
        if len(took) == QUIET_NOOPS and not ready:
            ready = True
            quiet = max(seconds for seconds, _ in took)
            took.clear()
            print("ready", flush=True)
        ended = bool(select.select([sys.stdin], [], [], PAUSE_SECONDS)[0])
    longest, machine = max(took)
    return Waits(
        count=len(took),
        longest=longest,
        machine=machine,
        net=max(seconds - delay for seconds, delay in took),
        p99=sorted(seconds for seconds, _ in took)[len(took) * 99 // 100],
        net_p99=sorted(seconds - delay for seconds, delay in took)[len(took) * 99 // 100],
        quiet=quiet,
    )


def main(words: list[str]) -> int:
    """The main function of the process."""
    port, name, password, server = words
    with socket.create_connection(("127.0.0.1", int(port)), timeout=PATIENCE_SECONDS) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(f'n LOGIN "{name}" "{password}"\r\nn SELECT INBOX\r\n'.encode())
        answer = b""
        while answer.count(b"\r\nn OK") < 2:
            octets = client.recv(1 << 16)
            if not octets:
                return 1
            answer += octets
        print(json.dumps(asdict(_watch(client, server))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
