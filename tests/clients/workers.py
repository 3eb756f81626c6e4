"""Finds the worker process that serves a connection, from the kernel's tables."""

from __future__ import annotations

import imaplib
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .mail import logged_in
from .served import WITNESS, Account

ATTEMPTS = 64
"""Connections until one lands on the other of two workers; all on one has odds of 1 in 2**63."""


def worker_of(connection: socket.socket, parent: int) -> int:
    """The process below *parent* that has the other end of *connection*."""
    here, there = connection.getsockname(), connection.getpeername()
    inode = _inode(local=there, remote=here)
    for pid in _descendants(parent):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            if os.readlink(descriptor) == f"socket:[{inode}]":
                return pid
    raise AssertionError(f"no process below {parent} serves {here}")


def _inode(*, local: tuple[str, int], remote: tuple[str, int]) -> str:
    ends = [f"{_hexadecimal(*local)}", f"{_hexadecimal(*remote)}"]
    for line in Path("/proc/net/tcp").read_text().splitlines():
        fields = line.split()
        if fields[1:3] == ends:
            return fields[9]
    raise AssertionError(f"no connection between {local} and {remote}")


def _hexadecimal(address: str, port: int) -> str:
    return f"{socket.inet_aton(address)[::-1].hex().upper()}:{port:04X}"


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _descendants(int(child))


@contextmanager
def on_two_workers(account: Account) -> Iterator[tuple[imaplib.IMAP4, imaplib.IMAP4]]:
    """Two sessions of *account*, on different workers."""
    with ExitStack() as sessions:
        first = sessions.enter_context(logged_in(account))
        for _ in range(ATTEMPTS):
            second = sessions.enter_context(logged_in(account))
            if WITNESS or _served_apart(account, first, second):
                yield first, second
                return
    raise AssertionError("every connection landed on the same worker")


def _served_apart(account: Account, first: imaplib.IMAP4, second: imaplib.IMAP4) -> bool:
    parent = account.server.pid
    return worker_of(first.socket(), parent) != worker_of(second.socket(), parent)
