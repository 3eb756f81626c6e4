"""Keeps a program alive as long as the process that started it. Uses nothing but the standard library.

    keeper.py [--user NAME] [--remove DIRECTORY] SIGNAL COMMAND...

The command runs until standard input ends, which also happens when the process at its other end is killed. Then it gets
SIGNAL, and DIRECTORY is removed. Standard output ends when the command has ended.
"""

from __future__ import annotations

import argparse
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any


def start(*command: str, ending: str, user: str | None = None, remove: Path | None = None) -> subprocess.Popen[bytes]:
    """Starts *command* under a keeper, in a session of its own. It ends when the ``stdin`` of the result is closed.

    *ending* is the signal that ends it. With *user*, it runs as that user, which only root can do.
    """
    options = [*(["--user", user] if user else []), *(["--remove", str(remove)] if remove else [])]
    keeper = [sys.executable, "-I", "-S", __file__, *options, ending, *command]
    return subprocess.Popen(keeper, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


def main(arguments: list[str]) -> None:
    """Runs the command line *arguments*."""
    reading = argparse.ArgumentParser()
    reading.add_argument("--user")
    reading.add_argument("--remove")
    reading.add_argument("signal")
    reading.add_argument("command", nargs=argparse.REMAINDER)
    given = reading.parse_args(arguments)
    rights: dict[str, Any] = {}
    if given.user is not None:
        rights = {"user": given.user, "group": pwd.getpwnam(given.user).pw_gid, "extra_groups": []}
    child = subprocess.Popen(given.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **rights)
    ended = threading.Thread(target=_await_end, args=(child,))
    ended.start()
    while os.read(0, 1024):
        pass
    child.send_signal(signal.Signals[given.signal])  # does nothing where the child has ended
    ended.join()
    if given.remove:
        shutil.rmtree(given.remove, ignore_errors=True)


def _await_end(child: subprocess.Popen[bytes]) -> None:
    child.wait()
    os.close(1)


if __name__ == "__main__":
    main(sys.argv[1:])
