"""The bus: one process tells the others, by a datagram, that a mailbox changed.

Each process that opens a data directory binds a Unix datagram socket under ``run/``, and sends to every other socket
there. So independent servers and commands on one directory find each other without a broker. A notice names only the
account, the mailbox and the modseq of the change; a process that needs to know more asks the store.

A kernel may hold only ten datagrams for a busy process. Notices that do not fit are kept here, each mailbox once, and
sent again a moment later. Where notices are lost nevertheless, one notice says so in their place, and the other process
looks at all that it watches. The socket of a dead process is removed by the first sender that gets ECONNREFUSED.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mektup.store import files, system
from mektup.store.notices import LOST, NOTICES_PER_PAYLOAD, ONLY_LOST, Notices, add, packed, unpacked
from mektup.terms.numbers import MAX_MODSEQ, AccountId, MailboxId, ModSeq

SUFFIX = ".bus"
RETRY_SECONDS = (0.002, 1.0)
"""The first pause before kept notices are sent again, and the longest."""
MAX_KEPT = 100_000
"""Notices kept for one process that does not read. More are dropped, and that process is told that some are lost."""
DATAGRAM_BYTES = 16 * 1024
DATAGRAMS_PER_TURN = 100
SETTLED_SECONDS = 0.1
"""A directory that changed less than this ago may change again without a new mtime."""


_BUSY = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ENOBUFS, errno.ENOMEM})
"""Why a datagram cannot be sent now, but can be later."""


class Bus:
    """This process on the bus of one data directory. The store uses it as ``store.interface.Bus``."""

    def __init__(self, data: Path) -> None:
        """Joins the bus of *data*; other processes' notices wait until ``start``."""
        self._directory = data / "run"
        files.make_directory(self._directory)
        self._handle = os.open(self._directory, os.O_RDONLY | system.DIRECTORY)
        # the path of a socket has at most 107 octets; Linux gives a short path to a directory at any depth
        self._base = f"/proc/self/fd/{self._handle}" if os.path.isdir("/proc/self/fd") else str(self._directory)
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(self._address(self._name))
        os.chmod(self._directory / self._name, files.FILE_MODE)
        files.hand_over(self._directory / self._name)
        self._others: list[str] = []
        self._seen: int | None = None
        self._lock = threading.Lock()
        self._pending: Notices = {}
        self._kept: dict[str, Notices] = {}
        self._lost = False
        """Whether notices were lost for all others."""
        self._retry: asyncio.TimerHandle | None = None
        self._pause = RETRY_SECONDS[0]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._changed: Callable[[AccountId, MailboxId, ModSeq | None], None] | None = None
        self._missed: Callable[[], None] | None = None

    def start(self, changed: Callable[[AccountId, MailboxId, ModSeq | None], None], missed: Callable[[], None]) -> None:
        """From now on *changed* is called in this event loop, once for each notice from another process.

        *missed* is called where notices may be lost.
        """
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._changed, self._missed = changed, missed
        self._loop.add_reader(self._socket.fileno(), self._receive)

    def publish(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        """Tells the other processes. May be called from any thread; never blocks, never raises.

        The notice is sent in the next round of the loop, so a burst of changes to one mailbox is one notice.
        """
        with self._lock:
            first = not self._pending
            add(self._pending, (account, mailbox), modseq or MAX_MODSEQ)
        if first and self._loop is not None:
            if threading.get_ident() == self._thread:
                self._loop.call_soon(self._send)
            else:
                with contextlib.suppress(RuntimeError):  # the loop is closed: close() has sent it, or will
                    self._loop.call_soon_threadsafe(self._send)

    def publish_lost(self) -> None:
        """Tells the other processes that notices may be lost."""
        self.publish(*LOST, None)

    def read_rest(self) -> None:
        """Passes on the notices that have come, without waiting for the loop."""
        self._receive()

    def close(self) -> None:
        """Sends pending notices and leaves the bus; may be called twice."""
        if self._socket.fileno() < 0:
            return
        if self._retry is not None:
            self._retry.cancel()
        self._send()
        if self._retry is not None:
            self._retry.cancel()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        with contextlib.suppress(OSError):  # the disk may be read-only now; the first sender that finds it removes it
            (self._directory / self._name).unlink()
        os.close(self._handle)

    # Receiving

    def _receive(self) -> None:
        heard: Notices = {}
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                datagram = self._socket.recv(DATAGRAM_BYTES)
            except OSError:
                break
            for mailbox, modseq in unpacked(datagram):
                add(heard, mailbox, modseq)
        if heard.pop(LOST, None) is not None and self._missed is not None:
            self._missed()
        if self._changed is not None:
            for (account, number), modseq in heard.items():
                self._changed(account, number, ModSeq(modseq) if modseq < MAX_MODSEQ else None)

    # Sending

    def _send(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, {}
        if self._socket.fileno() < 0:
            return
        others = self._find_others()
        self._lost |= others is None
        if self._lost and others is not None:
            pending, self._lost = dict(ONLY_LOST), False
        for other in others or ():
            notices = self._kept.pop(other, {})
            for mailbox, modseq in pending.items():
                add(notices, mailbox, modseq)
            if notices:
                self._send_to(other, notices)
        if not self._kept and not self._lost:
            self._pause = RETRY_SECONDS[0]
        elif self._retry is None and self._loop is not None and not self._loop.is_closed():
            self._retry = self._loop.call_later(self._pause, self._send_again)
            self._pause = min(self._pause * 2, RETRY_SECONDS[1])

    def _send_again(self) -> None:
        self._retry = None
        self._send()

    def _send_to(self, other: str, notices: Notices) -> None:
        left = list(notices.items())
        while left:
            try:
                self._socket.sendto(packed(left[:NOTICES_PER_PAYLOAD]), socket.MSG_DONTWAIT, self._address(other))
            except OSError as error:
                if error.errno == errno.ECONNREFUSED:
                    self._remove(other)
                elif error.errno in _BUSY:
                    self._kept[other] = dict(left) if len(left) <= MAX_KEPT else dict(ONLY_LOST)
                else:
                    # if it is gone, the next look into the directory tells
                    self._kept[other] = dict(ONLY_LOST)
                    self._seen = None
                return
            del left[:NOTICES_PER_PAYLOAD]

    def _find_others(self) -> list[str] | None:
        """The sockets of the other processes; None where they cannot be found now."""
        try:
            changed = os.fstat(self._handle).st_mtime_ns
            if changed != self._seen:
                names = os.listdir(self._handle)
                self._others = [name for name in names if name.endswith(SUFFIX) and name != self._name]
                self._kept = {name: notices for name, notices in self._kept.items() if name in self._others}
                self._seen = changed if time.time() - changed / 1e9 > SETTLED_SECONDS else None
        except OSError:
            self._seen = None
            return None
        return self._others

    def _remove(self, other: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(other, dir_fd=self._handle)

    def _address(self, name: str) -> str:
        return f"{self._base}/{name}"
