"""A program on a terminal of its own, in tmux: keys go in, the screen is read."""

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
    """What ``tmux send-keys`` and ``tmux capture-pane`` do for one program."""

    def __init__(self, tmux: Sequence[str], output: int) -> None:
        self._tmux = tmux
        self._output = output

    def press(self, *keys: str) -> None:
        """Presses *keys*, by tmux's names for them."""
        subprocess.run([*self._tmux, "send-keys", *keys], check=True, timeout=10)

    def type(self, text: str) -> None:
        """Types *text*, letter by letter as it stands, and Enter."""
        self.press("-l", text)
        self.press("Enter")

    @property
    def screen(self) -> str:
        """The text on the screen."""
        shown = [*self._tmux, "capture-pane", "-p"]
        return subprocess.run(shown, check=True, capture_output=True, text=True, timeout=10).stdout

    def wait_for(self, *shown: str, gone: str | None = None, seconds: float = 20) -> str:
        """The screen, once all of *shown* is on it and *gone* is not. Looks again whenever the program writes."""
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
            # its last output may come a moment before its end
            if select.select([self._output], [], [], min(left, 0.1))[0]:
                os.read(self._output, 65536)


@contextmanager
def terminal(tmux: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Runs *command* on a screen of 100 columns and 30 lines; what still runs at the end is killed."""
    server = [tmux, "-S", str(folder / "tmux"), "-f", "/dev/null"]
    pipe = folder / "output"
    os.mkfifo(pipe)
    # Open for both ways, so that the pipe never ends and opening it waits for nobody.
    output = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        started = [*server, "new-session", "-d", "-x", "100", "-y", "30", shlex.join(command)]
        subprocess.run(started, check=True, timeout=10, env={**os.environ, **environment})
        subprocess.run([*server, "pipe-pane", "-O", f"cat > {shlex.quote(str(pipe))}"], check=True, timeout=10)
        yield Terminal(server, output)
    finally:
        subprocess.run([*server, "kill-server"], capture_output=True, timeout=10)
        os.close(output)
