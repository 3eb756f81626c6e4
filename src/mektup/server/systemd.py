"""Tells systemd how the server is (sd_notify(3)): ready, reading its configuration again, stopping, alive.

systemd names a socket in the environment of a unit with ``Type=notify``, and gets datagrams there. Without that
variable, nothing is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping

from mektup.store import system

SOCKET = "NOTIFY_SOCKET"
"""The variable with the path of the socket; a name that begins with "@" is in the abstract namespace."""

WATCHDOG = "WATCHDOG_USEC"
"""The variable with the microseconds within which systemd expects a sign of life."""

WATCHDOG_PROCESS = "WATCHDOG_PID"
"""The variable with the process from which it expects that."""

SIGNS_IN_TIME = 2
"""How many signs of life are sent within the time in which one is expected."""

MICROSECONDS = 1_000_000

SERVING = "serving"
NOT_RELOADED = "serving; the new configuration cannot be used, the log says why"
"""What ``systemctl status`` shows."""


class Systemd:
    """The unit of this process, as far as systemd manages it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Sends nothing yet."""
        self._address = environment.get(SOCKET, "")
        self._pause = _pause(environment)
        self._signs: asyncio.TimerHandle | None = None
        self._is_stopping = False

    def ready(self) -> None:
        """The server serves now. From now on, a sign of life is sent as often as systemd asks for.

        It comes from the event loop, so it stays out when the loop hangs. Workers that hang are replaced by their
        parent.
        """
        self._send("READY=1", f"STATUS={SERVING}")
        if self._pause:
            self._give_sign()

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """A block that reads the configuration again. The server serves after it, whether that failed or not."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        status = NOT_RELOADED
        try:
            yield
            status = SERVING
        finally:
            if not self._is_stopping:
                self._send("READY=1", f"STATUS={status}")

    def stopping(self) -> None:
        """The server lets its sessions finish."""
        self._is_stopping = True
        self._send("STOPPING=1", "STATUS=")

    def close(self) -> None:
        """Gives no more signs of life."""
        if self._signs is not None:
            self._signs.cancel()

    def _give_sign(self) -> None:
        self._send("WATCHDOG=1")
        self._signs = asyncio.get_running_loop().call_later(self._pause, self._give_sign)

    def _send(self, *lines: str) -> None:
        if not self._address or system.UNIX_SOCKETS is None:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(system.UNIX_SOCKETS, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            # systemd that does not read, or is gone, must not stop the mail
            with contextlib.suppress(OSError):
                out.sendto("\n".join(lines).encode(), address)


def _pause(environment: Mapping[str, str]) -> float:
    """The seconds between two signs of life; 0 where none is expected from this process."""
    if environment.get(WATCHDOG_PROCESS, str(os.getpid())) != str(os.getpid()):
        return 0.0
    written = environment.get(WATCHDOG, "")
    return int(written) / MICROSECONDS / SIGNS_IN_TIME if written.isascii() and written.isdigit() else 0.0
