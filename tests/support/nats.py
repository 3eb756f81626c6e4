"""A real NATS server for tests, which can be killed, stopped and started again at the same port."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import keeper

START_SECONDS = 20.0


class Nats:
    """A server that may run or not."""

    def __init__(self, port: int, options: tuple[str, ...]) -> None:
        self.port = port
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it; it takes connections when this returns."""
        program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")
        assert program is not None, "nats-server is not installed (Debian: nats-server)"
        command = [program, "--addr", "127.0.0.1", "--port", str(self.port), "--log", os.devnull, *self._options]
        self._process = keeper.start(*command, ending="SIGKILL")
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0) as client:
                assert client.recv(4) == b"INFO"
                return
            assert self._process.poll() is None, "nats-server has ended"
            assert time.monotonic() < deadline, "nats-server does not start"

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal: SIGSTOP makes it hang."""
        assert self._process is not None
        pid = self._process.pid
        os.kill(int(Path(f"/proc/{pid}/task/{pid}/children").read_text()), number)

    def kill(self) -> None:
        """Ends it without a farewell; may be called twice."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait()
            process.stdout.close()


@contextmanager
def nats_server(*options: str) -> Iterator[Nats]:
    """A running server on a free port; *options* are those of its command line."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = Nats(probe.getsockname()[1], options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
