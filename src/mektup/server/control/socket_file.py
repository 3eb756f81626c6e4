"""Where control sockets are: each server on a data directory has its own below ``run/``, and removes no other's.

Several servers may use one data directory, so a name contains the process. A socket is made under another name, and
gets its own once it can be connected to: so a socket that refuses connections belongs to a server that is gone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

from mektup.store import files, system

SUFFIX = ".control"

_WAITING = 64
"""Askers that wait until the server accepts them."""


@contextlib.contextmanager
def _reachable(directory: Path) -> Iterator[str]:
    """A short path of *directory*: the path of a socket has at most 107 octets. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY | system.DIRECTORY | system.CLOSE_ON_EXEC)
    try:
        yield f"/proc/self/fd/{handle}" if os.path.isdir("/proc/self/fd") else str(directory)
    finally:
        os.close(handle)


def make(data: Path) -> tuple[socket.socket, Path]:
    """A listening socket for the servers' owner only, and its file. Raises OSError, Refused."""
    directory = data / "run"
    files.make_directory(directory)
    for _, found in connected(data):
        found.close()  # and those of servers that are gone are removed
    name = f"{os.getpid()}-{secrets.token_hex(4)}"
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        with _reachable(directory) as short:
            made.bind(f"{short}/{name}.new")
        os.chmod(directory / f"{name}.new", files.FILE_MODE)
        files.hand_over(directory / f"{name}.new")
        made.listen(_WAITING)
        os.rename(directory / f"{name}.new", directory / f"{name}{SUFFIX}")
    except BaseException:
        made.close()
        with contextlib.suppress(OSError):
            (directory / f"{name}.new").unlink()
        raise
    return made, directory / f"{name}{SUFFIX}"


def connected(data: Path) -> list[tuple[str, socket.socket]]:
    """A connection to each running server on *data*, with the name of its socket.

    Removes the sockets of servers that are gone. Raises OSError if one may not be used.
    """
    directory = data / "run"
    found: list[tuple[str, socket.socket]] = []
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(SUFFIX))
    except FileNotFoundError:
        return found
    try:
        with _reachable(directory) as short:
            for name in names:
                client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                found.append((name, client))
                try:
                    client.connect(f"{short}/{name}")
                except (ConnectionRefusedError, FileNotFoundError):
                    found.pop()[1].close()
                    with contextlib.suppress(OSError):
                        (directory / name).unlink()
    except BaseException:
        for _, client in found:
            client.close()
        raise
    return found
