"""A person who pastes commands into a terminal, answers questions, and reads what comes."""

from __future__ import annotations

import os
import pty
import select
import sys
import time

PASSWORD = "Pa$$123"
ANSWERS = ((b"Password: ", PASSWORD), (b"Repeat for confirmation: ", PASSWORD), (b"[y/N]: ", "y"))
"""What is typed at the end of which line."""

SECONDS = 120.0


def paste(commands: str) -> str:
    """Runs *commands* in a shell that ends at the first one that fails; returns what the terminal shows."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("bash", ["bash", "-euo", "pipefail", "-c", commands])
    shown, answered, ends = b"", 0, time.monotonic() + SECONDS
    while time.monotonic() < ends:
        if not select.select([terminal], [], [], 1.0)[0]:
            continue
        try:
            came = os.read(terminal, 10_000)
        except OSError:
            break  # the shell has ended
        if not came:
            break
        shown += came
        for question, answer in ANSWERS:
            if shown[answered:].endswith(question):
                answered = len(shown)
                os.write(terminal, answer.encode() + b"\n")
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    text = shown.decode("utf-8", "replace").replace("\r\n", "\n")
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"failed:\n{commands}\n{text}")
    return text
