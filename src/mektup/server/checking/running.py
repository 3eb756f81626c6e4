"""The servers that run on a data directory, their sockets, and who has a port."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from mektup.server.control.socket_file import SUFFIX
from mektup.store import system

PROC = Path("/proc")
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_LISTENS = "0A"
"""The state TCP_LISTEN in /proc/net/tcp."""


def servers(data: Path) -> list[int]:
    """The processes of the servers on *data*. Raises OSError where this user may not see them."""
    found = []
    try:
        names = sorted(name for name in os.listdir(data / "run") if name.endswith(SUFFIX))
    except (FileNotFoundError, NotADirectoryError):
        return []
    for name in names:
        number = name.partition("-")[0]
        if number.isdigit() and _answers(data / "run", name):
            found.append(int(number))
    return found


def _answers(directory: Path, name: str) -> bool:
    """Whether a server listens at the socket; one that is gone leaves it."""
    handle = os.open(directory, os.O_RDONLY | system.DIRECTORY | system.CLOSE_ON_EXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(1.0)
            # the path of a socket is short
            client.connect(f"/proc/self/fd/{handle}/{name}" if PROC.is_dir() else str(directory / name))
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    finally:
        os.close(handle)
    return True


def family(parents: Iterable[int]) -> set[int]:
    """The processes *parents* and their children."""
    found = set(parents)
    for parent in tuple(found):
        with contextlib.suppress(OSError):
            children = (PROC / str(parent) / "task" / str(parent) / "children").read_text()
            found |= {int(child) for child in children.split()}
    return found


def holders(port: int) -> dict[int, str]:
    """The processes that listen at a TCP port, with their programs, as far as this user may see them."""
    inodes = set(_listening(port))
    found = {}
    for process in _processes():
        with contextlib.suppress(OSError):
            for each in (PROC / str(process) / "fd").iterdir():
                shown = _SOCKET.fullmatch(os.readlink(each))
                if shown and shown[1] in inodes:
                    found[process] = (PROC / str(process) / "comm").read_text().strip()
                    break
    return found


def _listening(port: int) -> Iterator[str]:
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (PROC / "net" / name).read_text().splitlines()[1:]:
                fields = line.split()
                # the parent of workers holds a socket that is bound and does not listen; that one is not listed
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _processes() -> list[int]:
    with contextlib.suppress(OSError):
        return [int(each) for each in os.listdir(PROC) if each.isdigit()]
    return []


def open_files_of(process: int) -> int | None:
    """How many files a running process may have open; None where that cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        for line in (PROC / str(process) / "limits").read_text().splitlines():
            if line.startswith("Max open files"):
                return int(line.split()[3])
    return None
