"""A process that has loaded mektup, and forks a server whenever it is asked: in 20 ms instead of 600.

Each fork runs the command ``mektup serve`` from its first line on. Only the import of modules is saved.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import redirect_stdout, suppress

from mektup.cli import main as run_mektup

LOADED = ("mektup.cli.serve", "mektup.server.run", "mektup.server.single", "zoneinfo", "encodings.idna")


class Nursery:
    """The process, as the one that asks sees it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reliability.crash.nursery", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._socket = ours

    def serve(self, config: str, log: int) -> int:
        """Starts ``mektup serve --config`` with *log* as its standard error; returns its process id."""
        socket.send_fds(self._socket, [json.dumps(config).encode()], [log])
        return int(self._socket.recv(100))

    def close(self) -> None:
        """Ends the process; servers go on."""
        self._socket.close()
        self._process.wait()


def _nurse(end: socket.socket) -> None:
    for module in LOADED:
        importlib.import_module(module)
    sys.argv = ["mektup", "serve", "--help"]
    with suppress(SystemExit), redirect_stdout(io.StringIO()):
        run_mektup()  # which imports more
    # forks do not examine these objects again, which would copy their memory
    gc.collect()
    gc.freeze()
    # nobody waits for the servers
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        asked, descriptors, _, _ = socket.recv_fds(end, 4096, 1)
        if not asked:
            return
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            end.close()
            os.setsid()
            os.dup2(descriptors[0], 2)
            os.close(descriptors[0])
            # the old object knows what kind of file it was opened on
            sys.stderr = open(2, "w", encoding="utf-8", closefd=False)
            sys.argv = ["mektup", "serve", "--config", json.loads(asked)]
            run_mektup()
        os.close(descriptors[0])
        end.send(str(pid).encode())


if __name__ == "__main__":
    _nurse(socket.socket(fileno=int(sys.argv[1])))
