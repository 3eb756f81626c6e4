"""Runs a program on a terminal in tmux, sends it keys, and reads its screen."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class Terminal:
    """``tmux send-keys`` and ``tmux capture-pane`` for one program."""

    def __init__(self, tmux: Sequence[str], output: int) -> None:
        self._tmux = tmux
        self._output = output

    def press(self, *keys: str) -> None:
        """Presses *keys*, which have the names of tmux."""
        subprocess.run([*self._tmux, "send-keys", *keys], check=True, timeout=10)

    def type(self, text: str) -> None:
        """Types *text* literally, and Enter."""
        self.press("-l", text)
        self.press("Enter")

    @property
    def screen(self) -> str:
        """The text on the screen."""
        shown = [*self._tmux, "capture-pane", "-p"]
        return subprocess.run(shown, check=True, capture_output=True, text=True, timeout=10).stdout

    def wait_for(self, *shown: str, gone: str | None = None, seconds: float = 20) -> str:
        """The screen, as soon as it shows all of *shown* and nothing of *gone*. Looks again when the program writes."""
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen
            if all(text in screen for text in shown) and (gone is None or gone not in screen):
                return screen
            left = deadline - time.monotonic()
            assert left > 0, f"waited for {shown}, not {gone}; the screen is\n{screen}"
            if select.select([self._output], [], [], left)[0]:
                os.read(self._output, 65536)

    def wait_for_end(self, seconds: float = 20) -> None:
        """Returns when the program has ended."""
        deadline = time.monotonic() + seconds
        while subprocess.run([*self._tmux, "has-session"], capture_output=True, timeout=10).returncode == 0:
            left = deadline - time.monotonic()
            assert left > 0, f"the program goes on; the screen is\n{self.screen}"
            # the program may write its last output a moment before it ends
            if select.select([self._output], [], [], min(left, 0.1))[0]:
                os.read(self._output, 65536)


@contextmanager
def terminal(tmux: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Runs *command* on a screen of 100 columns and 30 lines; kills it at the end if it still runs."""
    server = [tmux, "-S", str(folder / "tmux"), "-f", "/dev/null"]
    pipe = folder / "output"
    os.mkfifo(pipe)
    # Open for reading and writing, so that opening does not block and the pipe never ends.
    output = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        started = [*server, "new-session", "-d", "-x", "100", "-y", "30", shlex.join(command)]
        subprocess.run(started, check=True, timeout=10, env={**os.environ, **environment})
        subprocess.run([*server, "pipe-pane", "-O", f"cat > {shlex.quote(str(pipe))}"], check=True, timeout=10)
        yield Terminal(server, output)
    finally:
        subprocess.run([*server, "kill-server"], capture_output=True, timeout=10)
        os.close(output)
