"""Writes the log to a descriptor in its own thread, so that no session waits for the reader of the log.

A full disk, a pipe whose reader has stopped or gone, or a paused terminal must not stop the mail. Lines wait in a
bounded queue. Lines that do not fit, or cannot be written, are dropped and counted; when writing works again, one line
tells the number.
"""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

QUEUE_BYTES = 1024 * 1024
"""The most octets in the queue. More lines are dropped."""

WRITE_BYTES = 4096
"""Lines are joined up to this size (PIPE_BUF), so that processes that share a pipe do not mix their lines."""

GATHER_SECONDS = 0.05
"""How long the first line waits for others, to be written together with them."""

PAUSE_SECONDS = (0.05, 2.0)
"""The first pause after a failure, and the longest; it doubles each time."""

STUCK_SECONDS = 5.0
"""A write that takes longer is reported: the log goes to a pipe or a terminal that nobody reads."""

FLUSH_SECONDS = 1.0
"""How long a process that ends waits until its last lines are written."""


class LogWriter:
    """Queues the lines of one process for one descriptor. All methods may be called from any thread."""

    def __init__(self, descriptor: int | Callable[[], int], *, terminal: bool = False) -> None:
        """Writes to *descriptor*, which stays open; *terminal* says whether it is a terminal.

        A callable is asked before each write, and may raise OSError.
        """
        self.dropped = 0
        """The number of lines dropped so far."""
        self.tell_dropped: Callable[[int], str] = lambda lines: f"log_lines_dropped lines={lines}\n"
        """Makes the line that tells the number of dropped lines."""
        self._descriptor = descriptor if isinstance(descriptor, int) else -1
        self._find = None if isinstance(descriptor, int) else descriptor
        self._failure: OSError | None = None
        """Why the last write failed; None if it succeeded."""
        self._writing_since: float | None = None
        """When the write began that is under way."""
        self._terminal = terminal
        self._lines: deque[bytes] = deque()
        self._queued = 0
        self._told = 0
        self._torn = False
        self._ending = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def isatty(self) -> bool:
        """Whether colours may be used."""
        return self._terminal

    def write(self, line: str) -> None:
        """Queues *line*, its line end included; never blocks, never raises."""
        octets = line.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._ending or self._queued + len(octets) > QUEUE_BYTES:
                self.dropped += 1
                return
            self._lines.append(octets)
            self._queued += len(octets)
            if self._thread is None:
                self._start()
            elif len(self._lines) == 1:
                self._changed.notify_all()

    def trouble(self) -> str | None:
        """Why lines cannot be written now, as text; None if they can."""
        failure, since = self._failure, self._writing_since
        if since is not None and time.monotonic() - since > STUCK_SECONDS:
            return "its reader has stopped"
        return None if failure is None else failure.strerror or str(failure)

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Takes no more lines, and waits at most *seconds* until the queued lines are written."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)

    def _start(self) -> None:
        # a daemon: a reader that has stopped must not delay the end of the process
        thread = threading.Thread(target=self._run, name="mektup-log", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # the system cannot start a thread; the next line tries again
            self._drop_all()
        else:
            self._thread = thread

    def _drop_all(self) -> None:
        self.dropped += len(self._lines)
        self._lines.clear()
        self._queued = 0

    # In the thread

    def _run(self) -> None:
        pause = PAUSE_SECONDS[0]
        while self._wait_for_lines():
            lines = self._take()
            self._writing_since = time.monotonic()
            try:
                self._write(b"".join(lines))
            except OSError as error:
                self._failure, self._writing_since = error, None
                with self._changed:
                    self.dropped += len(lines)
                    if self._ending:
                        self._drop_all()
                    else:
                        self._changed.wait_for(lambda: self._ending, pause)
                pause = min(pause * 2, PAUSE_SECONDS[1])
            else:
                self._failure = self._writing_since = None
                pause = PAUSE_SECONDS[0]

    def _wait_for_lines(self) -> bool:
        """Waits for lines; false if the writer ends and all lines are written."""
        with self._changed:
            if not self._lines:
                self._changed.wait_for(lambda: self._lines or self._ending)
                self._changed.wait_for(lambda: self._ending, GATHER_SECONDS)
            return bool(self._lines)

    def _take(self) -> list[bytes]:
        with self._changed:
            lines: list[bytes] = []
            size = 0
            while self._lines and (not lines or size + len(self._lines[0]) <= WRITE_BYTES):
                lines.append(self._lines.popleft())
                size += len(lines[-1])
            self._queued -= size
            return lines

    def _write(self, octets: bytes) -> None:
        """Raises OSError if *octets* cannot be written."""
        if self._find is not None:
            self._descriptor = self._find()
        if self._torn:
            octets = b"\n" + octets
        if self.dropped > self._told:
            # if this line can be written, so can the others
            told = self.dropped
            self._write_whole(self.tell_dropped(told - self._told).encode())
            self._told = told
        self._write_whole(octets)
        self._torn = False

    def _write_whole(self, octets: bytes) -> None:
        left = memoryview(octets)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
                # another process that shares the descriptor made it non-blocking
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
                continue
            # after a partial write, the next line must begin with a line end
            self._torn = bool(left)
